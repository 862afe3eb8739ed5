"""The CREPE network.

Kim, Salamon, Li & Bello (2018), "CREPE: A Convolutional Representation for Pitch
Estimation", ICASSP, section 2.

Two rearrangements give the result of the published convolutions with a sixth (tiny)
to a fifteenth (full) of the multiplications. The first convolution is shared between
frames that overlap. The others, of 64 taps over 8 to 128 positions, are products in
the frequency domain, their small Fourier transforms written as matrix products.
"""

import itertools
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ddsp._compat import tensorflow_internals
from ddsp._core import checks, framing
from ddsp._crepe.hmm import N_BINS
from ddsp._crepe.weights import find_weights, read_weights

FRAME_SIZE = 1024

_CHUNK = 256  # frames in one call of the compiled network
_BATCH_NORM_EPSILON = 1e-3
_STRIDE = 4  # of the first convolution
_BLOCK = 64  # samples that are convolved together
_MIN_BLOCK = 32  # smaller ones take long to compile and save little


class _Block(keras.layers.Layer):
    """ReLU, batch normalization and pooling by 2 after a convolution."""

    def __init__(self, weights: dict[str, np.ndarray], **kwargs: Any) -> None:
        super().__init__(dtype="float32", trainable=False, **kwargs)
        scale = weights["gamma"] / np.sqrt(
            weights["moving_variance"] + _BATCH_NORM_EPSILON
        )
        self._bias = self._constant("bias", weights["bias"])
        self._scale = self._constant("scale", scale)
        shift = weights["beta"] - weights["moving_mean"] * scale
        self._shift = self._constant("shift", shift)
        self.built = True

    def _constant(self, name: str, value: np.ndarray) -> Any:
        # Weights, not constants of the graph, which XLA would copy into its program.
        value = np.asarray(value, np.float32)
        return self.add_weight(
            shape=value.shape, name=name, initializer=lambda *_, **__: value
        )

    def _activate(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(x + self._bias) * self._scale + self._shift

    def _pool(self, even: tf.Tensor, odd: tf.Tensor) -> tf.Tensor:
        return tf.maximum(self._activate(even), self._activate(odd))


class _FirstBlock(_Block):
    """The convolution of samples, 512 taps in strides of 4."""

    def __init__(self, weights: dict[str, np.ndarray], **kwargs: Any) -> None:
        super().__init__(weights, **kwargs)
        self._taps = weights["kernel"][:, 0]
        self._channels = self._taps.shape[1]
        self._padding = (len(self._taps) - _STRIDE) // 2
        self._kernel = self._constant("kernel", self._shared_kernel(_BLOCK))
        # What a frame of ones gives: the weight of each frame's mean.
        starts = _STRIDE * np.arange(FRAME_SIZE // _STRIDE) - self._padding
        sums = np.pad(np.cumsum(self._taps, axis=0), [(1, 0), (0, 0)])
        low = np.clip(-starts, 0, len(self._taps))
        high = np.clip(FRAME_SIZE - starts, 0, len(self._taps))
        self._ones_response = (sums[high] - sums[low]).astype(np.float32)

    def _shared_kernel(self, size: int) -> np.ndarray:
        """What a block of samples adds to the outputs of blocks around it.

        Returns:
          [size, n_offsets * size / 4 * channels]: from each sample to each position
          of the block that lies `offset` blocks before it.
        """
        n_taps = len(self._taps)
        reach = n_taps // 2 // size
        sample = np.arange(size)[:, np.newaxis, np.newaxis]
        offset = np.arange(-reach, reach + 1)[:, np.newaxis]
        position = np.arange(size // _STRIDE)
        tap = size * offset + sample - _STRIDE * position + self._padding
        inside = (tap >= 0) & (tap < n_taps)
        kernel = np.where(
            inside[..., np.newaxis], self._taps[np.clip(tap, 0, n_taps - 1)], 0.0
        )
        return kernel.reshape(size, -1)

    def call(self, samples: tf.Tensor, hop_size: int) -> tf.Tensor:
        """Convolves the frames of a signal, each scaled to mean 0 and deviation 1.

        The sum over a frame's samples is split into blocks, whose parts are the same
        for every frame; at its ends a frame takes only the parts that lie inside.

        Args:
          samples: [(n_frames - 1) * hop_size + 1024].
          hop_size: Samples between two frames, a multiple of 4.

        Returns:
          [128 positions, n_frames, channels].
        """
        size = math.gcd(hop_size, _BLOCK)
        kernel = self._kernel if size == _BLOCK else self._shared_kernel(size)
        reach = len(self._taps) // 2 // size
        blocks = tf.reshape(samples, [-1, size])
        n_blocks = tf.shape(blocks)[0]
        parts = tf.reshape(tf.matmul(blocks, kernel), [n_blocks, 2 * reach + 1, -1])
        parts = tf.pad(parts, [[reach, reach], [0, 0], [0, 0]])
        by_offset = [parts[i : i + n_blocks, i] for i in range(2 * reach + 1)]
        until = list(itertools.accumulate(by_offset))
        since = list(itertools.accumulate(by_offset[::-1]))[::-1]

        per_frame, step = FRAME_SIZE // size, hop_size // size
        last_start = n_blocks - per_frame
        y = []
        for block in range(per_frame):
            if block < reach:
                sums = since[reach - block]
            else:
                sums = until[min(2 * reach, reach + per_frame - 1 - block)]
            y.append(sums[block : block + last_start + 1 : step])
        shape = [per_frame, -1, size // _STRIDE, self._channels]
        mean, deviation = _mean_and_deviation(
            tf.signal.frame(samples, FRAME_SIZE, hop_size)
        )
        ones = self._ones_response.reshape(shape)
        y = tf.reshape(tf.stack(y), shape)
        y = (y - mean[..., tf.newaxis] * ones) / deviation[..., tf.newaxis]
        return self._pool_positions(y)

    def frames(self, frames: tf.Tensor, pooled: bool = True) -> tf.Tensor:
        """As `call`, of frames that need not overlap: [n_frames, 1024].

        All positions of a block are one matrix product, so that the overlapping
        windows of the signal are copied once in a block.
        """
        mean, deviation = _mean_and_deviation(frames)
        n_positions = _BLOCK // _STRIDE
        window = len(self._taps) + _STRIDE * (n_positions - 1)
        kernel = np.zeros([window, n_positions, self._channels], np.float32)
        for i in range(n_positions):
            kernel[i * _STRIDE : i * _STRIDE + len(self._taps), i] = self._taps
        frames = tf.pad((frames - mean) / deviation, [[0, 0], [self._padding] * 2])
        windows = tf.transpose(tf.signal.frame(frames, window, _BLOCK), [1, 0, 2])
        y = tf.tensordot(windows, kernel.reshape(window, -1), axes=1)
        shape = [windows.shape[0], -1, n_positions, self._channels]
        y = tf.reshape(y, shape)
        if pooled:
            return self._pool_positions(y)
        y = tf.transpose(self._activate(y), [0, 2, 1, 3])
        return tf.reshape(y, [-1, tf.shape(frames)[0], self._channels])

    def _pool_positions(self, y: tf.Tensor) -> tf.Tensor:
        """[blocks, n_frames, positions, channels], pooled, positions in front."""
        n_blocks, _, n_positions, _ = y.shape
        y = tf.reshape(y, [n_blocks, -1, n_positions // 2, 2, self._channels])
        y = self._pool(y[..., 0, :], y[..., 1, :])
        y = tf.transpose(y, [0, 2, 1, 3])
        return tf.reshape(y, [n_blocks * n_positions // 2, -1, self._channels])


class _SpectralBlock(_Block):
    """A convolution over positions, computed in the frequency domain."""

    def __init__(
        self, weights: dict[str, np.ndarray], positions: int, **kwargs: Any
    ) -> None:
        super().__init__(weights, **kwargs)
        taps, self._n_in, self._n_out = weights["kernel"].shape
        self._positions = positions
        # Long enough that no output wraps around onto an input.
        size = positions + min(positions, taps // 2)
        lag = (taps - 1) // 2 - np.arange(taps)
        reached = np.abs(lag) < positions
        kernel = np.zeros([size, self._n_in, self._n_out])
        kernel[lag[reached] % size] = weights["kernel"][reached]
        response = np.fft.rfft(kernel, axis=0)
        self._n_freqs = response.shape[0]
        self._response = self._constant(
            "response", np.concatenate([response.real, response.imag], axis=-1)
        )

        angles = np.outer(np.arange(self._n_freqs), np.arange(positions))
        wave = np.exp(-2j * np.pi * angles / size)
        forward = np.stack([wave.real, wave.imag], axis=1)
        self._forward = forward.reshape(-1, positions).astype(np.float32)
        # A bin of a real transform stands for its negative frequency too, except
        # at 0 and at half the sampling rate.
        share = np.full([self._n_freqs, 1, 1], 2.0 / size)
        share[[0, -1]] = 1.0 / size
        inverse = forward * share
        self._inverse = inverse.reshape(-1, positions).T.astype(np.float32)

    def call(self, x: tf.Tensor, pooled: bool = True) -> tf.Tensor:
        """[positions, n_frames, n_in] -> [positions / 2, n_frames, n_out].

        Without pooling there remain as many positions.
        """
        n_frames = tf.shape(x)[1]
        x = tf.matmul(self._forward, tf.reshape(x, [self._positions, -1]))
        x = tf.reshape(x, [self._n_freqs, 2 * n_frames, self._n_in])
        y = tf.matmul(x, self._response)
        y = tf.reshape(y, [self._n_freqs, 2, n_frames, 2, self._n_out])
        # Axes 1 and 3 hold the real and imaginary parts of signal and response.
        real = y[:, 0, :, 0] - y[:, 1, :, 1]
        imaginary = y[:, 0, :, 1] + y[:, 1, :, 0]
        y = tf.reshape(tf.stack([real, imaginary], axis=1), [2 * self._n_freqs, -1])
        y = tf.matmul(self._inverse, y)
        if not pooled:
            y = tf.reshape(y, [self._positions, n_frames, self._n_out])
            return self._activate(y)
        y = tf.reshape(y, [self._positions // 2, 2, n_frames, self._n_out])
        return self._pool(y[:, 0], y[:, 1])


class Crepe(keras.Model):
    """The CREPE network with pretrained weights, in float32, not trainable.

    Args:
      model: Size or path, see `ddsp.pitch.find_weights`.
      **kwargs: Passed to the Keras model.

    Raises:
      FileNotFoundError: If the weights are not installed.

    Example:

    >>> from ddsp import pitch
    >>> audio = np.zeros([1, 1600], np.float32)
    >>> pitch.load("tiny").activations(audio, 160, "valid").shape[-1]
    360
    """

    def __init__(self, model: str = "tiny", **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", "trainable": False, **kwargs})
        convolutions, classifier = read_weights(find_weights(model))
        self.model = model
        self.first_block = _FirstBlock(convolutions[0], name="conv1")
        self.blocks = [
            _SpectralBlock(weights, FRAME_SIZE // _STRIDE >> i, name=f"conv{i + 1}")
            for i, weights in enumerate(convolutions[1:], start=1)
        ]
        self.classifier = keras.layers.Dense(
            N_BINS, activation="sigmoid", name="classifier", dtype="float32"
        )
        self.classifier.build([None, classifier["kernel"].shape[0]])
        self.classifier.set_weights([classifier["kernel"], classifier["bias"]])
        self.classifier.trainable = False
        self.built = True
        self._compiled: dict[int, Any] = {}

    def call(self, frames: tf.Tensor) -> tf.Tensor:
        """Returns how likely each pitch is in each frame; differentiable.

        Args:
          frames: [n_frames, 1024], samples at 16 kHz, any scale.

        Returns:
          [n_frames, 360], 0 to 1, at the pitches `ddsp.pitch.BIN_CENTS`.
        """
        return self._after_first_block(self.first_block.frames(frames))

    def layer_output(self, frames: tf.Tensor, layer: str) -> tf.Tensor:
        """What a layer makes of frames; differentiable.

        Args:
          frames: [n_frames, 1024], samples at 16 kHz, any scale.
          layer: `'conv1-BN'` to `'conv6-BN'`, after activation and normalization,
            `'conv1-maxpool'` to `'conv6-maxpool'`, after pooling, or `'classifier'`.

        Returns:
          [n_frames, positions * channels], or [n_frames, 360] of the classifier.
        """
        if layer == "classifier":
            return self(frames)
        number, kind = int(layer[4]), layer[6:]
        pooled = [kind == "maxpool" or i < number for i in range(1, number + 1)]
        x = self.first_block.frames(frames, pooled[0])
        for block, keep in zip(self.blocks, pooled[1:], strict=False):
            x = block(x, pooled=keep)
        x = tf.transpose(x, [1, 0, 2])
        return tf.reshape(x, [-1, x.shape[1] * x.shape[2]])

    def _after_first_block(self, x: tf.Tensor) -> tf.Tensor:
        for block in self.blocks:
            x = block(x)
        x = tf.transpose(x, [1, 0, 2])
        return self.classifier(tf.reshape(x, [-1, x.shape[1] * x.shape[2]]))

    def activations(
        self, audio: Any, hop_size: int, padding: str = "center"
    ) -> np.ndarray:
        """Runs the network over audio of any length in bounded memory.

        Args:
          audio: [n_samples] or [batch, n_samples], at 16 kHz.
          hop_size: Samples between two frames.
          padding: `'center'`, `'same'`, `'causal'` or `'valid'`, as in
            `ddsp.spectral_ops.get_framed_lengths`.

        Returns:
          [n_frames, 360] or [batch, n_frames, 360], float32, 0 to 1.
        """
        audio = np.asarray(audio, np.float32)
        checks.rank("audio", audio, (1, 2))
        n_frames, _ = framing.get_framed_lengths(
            audio.shape[-1], FRAME_SIZE, hop_size, padding
        )
        padded = framing.pad(audio, FRAME_SIZE, hop_size, padding, axis=-1)
        rows = [
            self._run(row, n_frames, hop_size)
            for row in padded.reshape(-1, padded.shape[-1])
        ]
        return np.stack(rows).reshape(*audio.shape[:-1], n_frames, N_BINS)

    def _run(self, samples: np.ndarray, n_frames: int, hop_size: int) -> np.ndarray:
        """Cuts into chunks of one shape, so that the network compiles once."""
        result = np.empty([n_frames, N_BINS], np.float32)
        chunk = np.empty((_CHUNK - 1) * hop_size + FRAME_SIZE, np.float32)
        for start in range(0, n_frames, _CHUNK):
            part = samples[start * hop_size :][: len(chunk)]
            chunk[: len(part)] = part
            chunk[len(part) :] = 0.0
            activations = self._chunk_network(hop_size)(tf.constant(chunk)).numpy()
            result[start : start + _CHUNK] = activations[: n_frames - start]
        return result

    def _chunk_network(self, hop_size: int) -> Any:
        if hop_size not in self._compiled:

            def run(samples: tf.Tensor) -> tf.Tensor:
                if hop_size % _MIN_BLOCK:
                    return self(tf.signal.frame(samples, FRAME_SIZE, hop_size))
                return self._after_first_block(
                    self.first_block(samples, hop_size=hop_size)
                )

            n_samples = (_CHUNK - 1) * hop_size + FRAME_SIZE
            compiled = tf.function(
                run,
                input_signature=[tf.TensorSpec([n_samples], tf.float32)],
                jit_compile=True,
                autograph=False,
            )
            # Each hop is traced once, which TensorFlow takes for a loop.
            self._compiled[hop_size] = tensorflow_internals.allow_retracing(compiled)
        return self._compiled[hop_size]


def _mean_and_deviation(frames: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """[n_frames, 1] each; the deviation is floored so that silence stays near 0.

    80 dB below a constant offset there is nothing left but its rounding errors.
    """
    mean = tf.reduce_mean(frames, axis=-1, keepdims=True)
    least = 1e-8 + 1e-4 * tf.abs(mean)
    # The root of the larger variance: that of 0 has no gradient.
    variance = tf.math.reduce_variance(frames, axis=-1, keepdims=True)
    return mean, tf.sqrt(tf.maximum(variance, least**2))


def normalize_frames(frames: Any) -> tf.Tensor:
    """Scales each frame to mean 0 and standard deviation 1; silence stays 0.

    Args:
      frames: Audio, [..., frame_size].

    Example:

    >>> from ddsp._crepe.network import normalize_frames
    >>> frames = normalize_frames(tf.random.normal([2, 1024]))
    >>> bool(tf.reduce_all(tf.abs(tf.reduce_mean(frames, axis=-1)) < 1e-5))
    True
    """
    frames = tf.convert_to_tensor(frames, tf.float32)
    mean, deviation = _mean_and_deviation(frames)
    return (frames - mean) / deviation
