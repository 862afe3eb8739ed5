"""Real-time synthesis with a trained model."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from ddsp._core import checks
from ddsp.playing.latency import Latency
from ddsp.playing.packed_state import PackedState
from ddsp.playing.pitch_stream import PitchStream
from ddsp.training import models
from ddsp.training.models.audio_stream import AudioStream

# Bounds of the settings, in either direction: semitones, dB and dB.
_SETTINGS = {"pitch_shift": 120.0, "loudness_shift": 240.0, "gain": 240.0}

_FLOAT_MAX = float(np.finfo(np.float32).max)

# Hops per call of a compiled function where blocks may have any size.
_MANY_HOPS = 16


class StreamingModel:
    """Timbre transfer block by block, in real time.

    Each call of `process` takes a block and returns one of the same size. Without its
    first `latency_samples` the output equals what the model synthesizes from the whole
    recording, given features of the same form.

    Attributes:
      hop_size: Samples per frame.
      sample_rate: Samples per second.
      latency: The parts of the latency, a `Latency`.
      pitch_shift: Shift of f0 in semitones, at most ±120. The settings may change
        between blocks.
      loudness_shift: Added to the measured loudness or power, dB, at most ±240.
      gain: Gain of the output, dB, at most ±240.

    Example:

    >>> from ddsp.playing import StreamingModel
    >>> model = ddsp.testing.tiny_autoencoder()
    >>> stream = StreamingModel(model, 64, crepe_model=None, jit_compile=False)
    >>> stream.process(np.zeros(64, np.float32), f0_hz=440.0).shape
    (64,)
    >>> stream.latency_samples
    64
    """

    def __init__(
        self,
        model: models.Autoencoder,
        block_size: int | None = None,
        crepe_model: str | None = "tiny",
        pitch_rate: int = 100,
        pitch_padding: str = "causal",
        sample_rate: int | None = None,
        jit_compile: bool = True,
    ):
        """Initializes the stream and compiles it, which takes some seconds.

        Args:
          model: A built autoencoder without encoder.
          block_size: Samples per block. None allows blocks of any size and buffers up
            to a hop.
          crepe_model: Pitch tracker, `'tiny'`, `'full'` or another name that
            `pitch.find_weights` knows. None takes f0 with every block instead.
          pitch_rate: Frame rate of the pitch tracker.
          pitch_padding: `'causal'`, or `'center'` for f0 aligned with the audio at 32
            ms more latency; see `PitchStream`.
          sample_rate: Sample rate of the blocks, only checked.
          jit_compile: Whether to compile with XLA.

        Raises:
          ValueError: If the model does not run block by block, with the reason, or
            has another sample rate.
        """
        model.check_streams()
        self.sample_rate = model.sample_rate
        self._check_rate(sample_rate)
        self.hop_size = model.hop_size
        if block_size is not None:
            checks.positive("block_size", block_size)
        self._block_size = block_size
        self._stream = AudioStream(model)
        self._pitch: PitchStream | None = None
        n_ahead = self._stream.latency_frames
        if crepe_model is not None:
            rates = self.sample_rate, model.preprocessor.frame_rate, pitch_rate
            self._pitch = PitchStream(*rates, pitch_padding, crepe_model)
            n_ahead = max(n_ahead, self._pitch.latency_frames)
            self._pitch = PitchStream(*rates, pitch_padding, crepe_model, n_ahead)
            self._stream = AudioStream(model, n_ahead)
        self.latency = Latency(
            synthesis=model.latency_samples,
            features=n_ahead * self.hop_size,
            buffering=self.hop_size - math.gcd(self.hop_size, block_size or 1),
            sample_rate=self.sample_rate,
        )
        self.pitch_shift = self.loudness_shift = self.gain = 0.0
        self._state = PackedState(self._stream.initial_state(1))
        self._input = self._output = self._f0_delay = np.zeros(0, np.float32)
        self._pitch_state: Any = None
        self._last_f0, self._n_skipped = 0.0, 0
        self._functions: dict[tuple[str, int], Any] = {}
        self._jit_compile = jit_compile
        n_hops = _MANY_HOPS
        if block_size is not None:
            n_hops = max(block_size // self.hop_size, 1)
        # Hops per call; the start of a stream takes single hops.
        self._sizes = (n_hops, 1) if n_ahead or self.latency.buffering else (n_hops,)
        self._warm_up()
        self.reset()

    def _warm_up(self) -> None:
        """Compiles the functions for every block size."""
        self.reset()
        for n_skipped in (1, 0):
            for n_hops in self._sizes:
                self._n_skipped = n_skipped * n_hops
                self._process_hops(
                    np.zeros(n_hops * self.hop_size, np.float32),
                    np.zeros(n_hops, np.float32),
                )

    @property
    def latency_samples(self) -> int:
        """Latency from input to output, in samples."""
        return self.latency.samples

    @property
    def latency_ms(self) -> float:
        """Latency from input to output, in milliseconds."""
        return self.latency.ms(self.latency.samples)

    def process(
        self, audio: Any, f0_hz: Any = None, sample_rate: int | None = None
    ) -> np.ndarray:
        """Processes a block.

        Args:
          audio: Input, [n_samples], float32, of `block_size` if that was set.
          f0_hz: Fundamental frequency in Hz if it is not tracked: one number, or one
            for each hop that the block completes.
          sample_rate: Sample rate of the block, only checked.

        Returns:
          Output, [n_samples], float32.

        Raises:
          TypeError: If the audio is not float32.
          ValueError: If the audio has another rank, size or rate, or samples that are
            NaN or above 1e12 in magnitude; if f0 is missing, or passed though it is
            tracked; if a setting is out of range. The stream is unchanged and can
            continue.
        """
        self._check_rate(sample_rate)
        audio = self._checked(audio)
        joined = np.concatenate([self._input, audio])
        # Check everything before the state changes.
        self._settings()
        f0 = self._given_f0(len(joined) // self.hop_size, f0_hz)
        self._input = joined
        self._output = np.concatenate([self._output, *self._process_input(f0)])
        output = self._output[: len(audio)]
        self._output = self._output[len(audio) :].copy()
        return output

    def _process_input(self, f0_hz: np.ndarray | None) -> list[np.ndarray]:
        """Processes the whole hops of the buffered input."""
        n_hops = len(self._input) // self.hop_size
        outputs = []
        done = 0
        while done < n_hops:
            sizes = self._sizes if self._n_skipped == 0 else (1,)
            size = next(n for n in sizes if n <= n_hops - done)
            samples = slice(done * self.hop_size, (done + size) * self.hop_size)
            given = None if f0_hz is None else f0_hz[done : done + size]
            outputs.append(self._process_hops(self._input[samples], given))
            done += size
        self._input = self._input[n_hops * self.hop_size :].copy()
        return outputs

    def flush(self) -> np.ndarray:
        """Returns the remaining output at the end of the input, [latency_samples].

        The last hop is padded with zeros, and the last frame is held. Call `reset`
        before the next recording.
        """
        missing = -len(self._input) % self.hop_size + self.latency.features
        self._input = np.pad(self._input, (0, missing))
        n_hops = len(self._input) // self.hop_size
        held = np.full(n_hops, self._last_f0, np.float32)
        outputs = self._process_input(None if self._pitch is not None else held)
        last = self._stream.flush(self._state.read())[0].numpy()
        last *= np.float32(10.0 ** (self.gain / 20.0))
        return np.concatenate([self._output, *outputs, last])[: self.latency_samples]

    def reset(self) -> None:
        """Resets the stream: the next block is the first."""
        self._state.write(self._state.start)
        self._pitch_state = None if self._pitch is None else self._pitch.initial_state()
        self._f0_delay = np.zeros(self._stream.latency_frames, np.float32)
        self._n_skipped = self._stream.latency_frames
        self._last_f0 = 0.0
        self._input = np.zeros(0, np.float32)
        self._output = np.zeros(self.latency.buffering, np.float32)

    def state(self) -> dict[str, Any]:
        """Returns the state of the stream, a nest of arrays and numbers."""
        return {
            "latency": dataclasses.astuple(self.latency),
            "model": tf.nest.map_structure(np.array, self._state.read()),
            "pitch": tf.nest.map_structure(_copied, self._pitch_state),
            "f0_delay": self._f0_delay.copy(),
            "n_skipped": self._n_skipped,
            "last_f0": self._last_f0,
            "input": self._input.copy(),
            "output": self._output.copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from a state that `state` returned.

        Raises:
          ValueError: If the state belongs to another model or other settings.
        """
        try:
            tf.nest.assert_same_structure(state["model"], self._state.start)
            latency = tuple(state["latency"])
            tracked = state["pitch"] is not None
            shapes = [
                (np.shape(new), tuple(old.shape))
                for new, old in zip(
                    tf.nest.flatten(state["model"]),
                    tf.nest.flatten(self._state.start),
                    strict=True,
                )
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"The state does not fit this stream, got {error}."
            ) from error
        for x in tf.nest.flatten(state["model"]):
            if np.asarray(x).dtype.kind == "f":
                checks.bounded("state", x, -_FLOAT_MAX, _FLOAT_MAX)
        if (latency, tracked) != self._form():
            raise ValueError(
                "This is a state of a stream with other settings: its latency and "
                f"whether it tracks pitch, {self._form()} here, got "
                f"{(latency, tracked)}."
            )
        if different := [pair for pair in shapes if pair[0] != pair[1]]:
            raise ValueError(
                "This is a state of another model: its shapes, and those here, got "
                f"{different}."
            )
        self._state.write(state["model"])
        self._pitch_state = tf.nest.map_structure(_copied, state["pitch"])
        self._f0_delay = state["f0_delay"].copy()
        self._n_skipped = state["n_skipped"]
        self._last_f0 = state["last_f0"]
        self._input, self._output = state["input"].copy(), state["output"].copy()

    def _form(self) -> tuple[tuple[int, ...], bool]:
        """What a state must share with this stream."""
        return dataclasses.astuple(self.latency), self._pitch is not None

    def _checked(self, audio: Any) -> np.ndarray:
        audio = np.asarray(audio)
        if audio.dtype != np.float32:
            raise TypeError(f"A block must be float32, got {audio.dtype}.")
        if audio.ndim != 1:
            raise ValueError(f"A block must be [n_samples], got shape {audio.shape}.")
        if self._block_size is not None and len(audio) != self._block_size:
            raise ValueError(
                f"Blocks must be of {self._block_size} samples, got {len(audio)}."
            )
        # A NaN would stay in the recurrent state forever.
        checks.bounded("audio", audio)
        return audio

    def _check_rate(self, sample_rate: int | None) -> None:
        if sample_rate is not None and sample_rate != self.sample_rate:
            raise ValueError(
                f"Resample the input to the model's {self.sample_rate} Hz, got "
                f"sample_rate={sample_rate}."
            )

    def _given_f0(self, n_hops: int, f0_hz: Any) -> np.ndarray | None:
        """Returns the given f0 of each hop, or None where f0 is tracked."""
        if (f0_hz is None) != (self._pitch is not None):
            raise ValueError(
                "Pass `f0_hz` with each block unless a pitch tracker runs, got "
                f"f0_hz={f0_hz!r}."
            )
        if f0_hz is None:
            return None
        f0 = np.asarray(f0_hz, np.float32)
        if f0.ndim and f0.shape != (n_hops,):
            raise ValueError(
                "`f0_hz` must be a number, or one for each hop that a block completes, "
                f"here {n_hops}, got shape {f0.shape}."
            )
        checks.bounded("f0_hz", f0, low=0.0)
        f0 = np.broadcast_to(f0, [n_hops])
        if n_hops:
            self._last_f0 = float(f0[-1])
        return f0

    def _process_hops(self, audio: np.ndarray, given: np.ndarray | None) -> np.ndarray:
        """Processes [n_hops * hop_size] samples; `given` is their f0, [n_hops]."""
        n_hops = len(audio) // self.hop_size
        if self._pitch is not None:
            block = audio[np.newaxis]
            (f0, _), self._pitch_state = self._pitch.step(block, self._pitch_state)
            f0_hz = f0[0]
        else:
            joined = np.concatenate([self._f0_delay, given])
            f0_hz, self._f0_delay = joined[:n_hops], joined[n_hops:]
        if self._n_skipped:
            # These features describe times before the start of the input.
            self._n_skipped -= n_hops
            self._compiled(self._skip, len(audio))(tf.constant(audio))
            return np.zeros_like(audio)
        row = np.concatenate([audio, f0_hz, self._settings()], dtype=np.float32)
        return self._compiled(self._process, len(row))(tf.constant(row)).numpy()

    def _compiled(self, function: Callable[..., Any], size: int) -> Any:
        """Returns a method compiled for one input size."""
        key = (function.__name__, size)
        if key not in self._functions:
            compiled = tf.function(
                function, jit_compile=self._jit_compile, autograph=False
            )
            self._functions[key] = compiled.get_concrete_function(
                tf.TensorSpec([size], tf.float32)
            )
        return self._functions[key]

    def _settings(self) -> tuple[float, float, float]:
        for name, limit in _SETTINGS.items():
            checks.bounded(name, getattr(self, name), -limit, limit)
        return self.pitch_shift, self.loudness_shift, self.gain

    def _process(self, given: tf.Tensor) -> tf.Tensor:
        """Processes a block, all but pitch tracking.

        Args:
          given: Audio, f0 and settings in one tensor, which passes faster than three.
        """
        sizes = [self.hop_size, 1]
        n_hops = (given.shape[0] - len(_SETTINGS)) // sum(sizes)
        audio, f0_hz, settings = tf.split(
            given, [n_hops * size for size in sizes] + [len(_SETTINGS)]
        )
        state = self._state.read()
        pitch_shift, loudness_shift, gain = tf.unstack(settings)
        f0_hz = f0_hz * 2.0 ** (pitch_shift / 12.0)
        inputs = {
            "audio": audio[tf.newaxis],
            "f0_hz": f0_hz[tf.newaxis, :, tf.newaxis],
        }
        output, new_state = self._stream.step(inputs, state, loudness_shift)
        self._state.write(new_state, state)
        return output[0] * 10.0 ** (gain / 20.0)

    def _skip(self, audio: tf.Tensor) -> None:
        state = self._state.read()
        self._state.write(self._stream.skip(audio[tf.newaxis], state), state)


def _copied(x: Any) -> Any:
    return x.copy() if isinstance(x, np.ndarray) else x
