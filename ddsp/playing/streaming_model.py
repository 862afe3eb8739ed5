"""A trained model that listens and plays at the same time."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from ddsp._core import checks
from ddsp.playing.latency import Latency
from ddsp.playing.model_features import level_stream, scaled_features
from ddsp.playing.packed_state import KeptState
from ddsp.playing.pitch_stream import PitchStream
from ddsp.training import models

# How far each may go, up and down: semitones, dB and dB.
_SETTINGS = {"pitch_shift": 120.0, "loudness_shift": 240.0, "gain": 240.0}

_FLOAT_MAX = float(np.finfo(np.float32).max)

# So many hops at a time, then one by one, where blocks may be of any size.
_MANY_HOPS = 16


class StreamingModel:
    """Plays audio with a model, block by block, in real time.

    A block goes in, and a block of the same size comes out, `latency_samples` later.
    Once these are taken off, what was played is what the model makes of the whole
    recording, given features of the same form.

    Attributes:
      hop_size: Samples a frame.
      sample_rate: Samples a second.
      latency: Where the latency comes from, a `Latency`.
      pitch_shift: Semitones that pitch is shifted by, up to 120; may be changed at any
        time.
      loudness_shift: dB added to the loudness that the model is given, up to 240; the
        same.
      gain: dB by which the output is amplified, up to 240; the same.
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
        """Initializer. Compiles, which takes some seconds.

        Args:
          model: An autoencoder without encoder, built.
          block_size: Samples of every block; None for blocks of any size, for which
            up to a hop has to be buffered.
          crepe_model: Pitch tracker, `'tiny'`, `'full'` or another of
            `pitch.find_weights`; None to give the pitch with every block.
          pitch_rate: Frames a second that are tracked.
          pitch_padding: `'causal'`, or `'center'` for pitch that is in time with the
            sound, 32 ms later; see `PitchStream`.
          sample_rate: That of the blocks, to have it checked.
          jit_compile: Whether to compile with XLA.

        Raises:
          ValueError: If the model cannot be played in blocks, with the reason, or has
            another sample rate.
        """
        self._model = model
        preprocessor = model.preprocessor
        if model.encoder is not None or preprocessor is None:
            raise ValueError(
                "Only models of pitch and loudness can listen block by block, without "
                f"an encoder and with a preprocessor, got encoder={model.encoder!r}, "
                f"preprocessor={preprocessor!r}."
            )
        self.sample_rate = model.sample_rate
        self._check_rate(sample_rate)
        self.hop_size = model.hop_size
        model.processor_group.hop_size = self.hop_size
        if block_size is not None:
            checks.positive("block_size", block_size)
        self._block_size = block_size
        self._level = level_stream(model)
        self._pitch: PitchStream | None = None
        lag = self._level.lag_frames
        if crepe_model is not None:
            rates = self.sample_rate, preprocessor.frame_rate, pitch_rate
            self._pitch = PitchStream(*rates, pitch_padding, crepe_model)
            lag = max(lag, self._pitch.lag_frames)
            self._pitch = PitchStream(*rates, pitch_padding, crepe_model, lag)
            self._level = level_stream(model, lag)
        self.latency = Latency(
            synthesis=model.processor_group.latency_samples,
            features=lag * self.hop_size,
            buffering=self.hop_size - math.gcd(self.hop_size, block_size or 1),
            sample_rate=self.sample_rate,
        )
        self.pitch_shift = self.loudness_shift = self.gain = 0.0
        start = {
            "level": self._level.initial_state(1),
            "decoder": model.decoder.initial_state(1),
            "synthesis": model.processor_group.initial_state(1),
        }
        self._kept = KeptState(start)
        self._heard = self._played = self._f0_line = np.zeros(0, np.float32)
        self._pitch_state: Any = None
        self._last_f0, self._n_unheard = 0.0, 0
        self._functions: dict[tuple[str, int], Any] = {}
        self._jit_compile = jit_compile
        n_hops = _MANY_HOPS
        if block_size is not None:
            n_hops = max(block_size // self.hop_size, 1)
        # Hops at a time; a stream begins with single ones.
        self._sizes = (n_hops, 1) if lag or self.latency.buffering else (n_hops,)
        self._warm_up()
        self.reset()

    def _warm_up(self) -> None:
        """Compiles all that a stream will need."""
        self.reset()
        for n_unheard in (1, 0):
            for n_hops in self._sizes:
                self._n_unheard = n_unheard * n_hops
                self._play_hops(
                    np.zeros(n_hops * self.hop_size, np.float32),
                    np.zeros(n_hops, np.float32),
                )

    @property
    def latency_samples(self) -> int:
        """Samples by which what is played comes after what is heard."""
        return self.latency.samples

    @property
    def latency_ms(self) -> float:
        """The same in milliseconds."""
        return self.latency.ms(self.latency.samples)

    def process(
        self, audio: Any, f0_hz: Any = None, sample_rate: int | None = None
    ) -> np.ndarray:
        """Listens to a block and plays one.

        Args:
          audio: [n_samples], float32, of any length or of `block_size`.
          f0_hz: The pitch, Hz, where it is not tracked: one number, or one for each
            hop that the block completes.
          sample_rate: That of the block, to have it checked.

        Returns:
          [n_samples], float32.

        Raises:
          TypeError: If the audio is not float32.
          ValueError: If it has another rank or size, samples that are NaN or above
            1e12 in magnitude, or another rate; if the pitch is missing or given though
            it is tracked; if a setting is out of range. The stream is as it was and
            can go on.
        """
        self._check_rate(sample_rate)
        audio = self._checked(audio)
        heard = np.concatenate([self._heard, audio])
        # Nothing is kept before all is checked: what is refused was not heard.
        self._settings()
        f0 = self._pitch_of(len(heard) // self.hop_size, f0_hz)
        self._heard = heard
        self._played = np.concatenate([self._played, *self._play_heard(f0)])
        played = self._played[: len(audio)]
        self._played = self._played[len(audio) :].copy()
        return played

    def _play_heard(self, f0_hz: np.ndarray | None) -> list[np.ndarray]:
        """What the whole hops that were heard make."""
        n_hops = len(self._heard) // self.hop_size
        played = []
        done = 0
        while done < n_hops:
            sizes = self._sizes if self._n_unheard == 0 else (1,)
            size = next(n for n in sizes if n <= n_hops - done)
            samples = slice(done * self.hop_size, (done + size) * self.hop_size)
            given = None if f0_hz is None else f0_hz[done : done + size]
            played.append(self._play_hops(self._heard[samples], given))
            done += size
        self._heard = self._heard[n_hops * self.hop_size :].copy()
        return played

    def flush(self) -> np.ndarray:
        """Plays what is owed when the recording ends, [latency_samples].

        The last hop is filled with silence, the last frame is held. The stream has to
        be `reset` after it.
        """
        missing = -len(self._heard) % self.hop_size + self.latency.features
        self._heard = np.pad(self._heard, (0, missing))
        n_hops = len(self._heard) // self.hop_size
        held = np.full(n_hops, self._last_f0, np.float32)
        played = self._play_heard(None if self._pitch is not None else held)
        state = self._kept.read()["synthesis"]
        last = self._model.processor_group.flush(state)[0].numpy()
        last *= np.float32(10.0 ** (self.gain / 20.0))
        return np.concatenate([self._played, *played, last])[: self.latency_samples]

    def reset(self) -> None:
        """Forgets what was heard; the next block is the first."""
        self._kept.write(self._kept.start)
        self._pitch_state = None if self._pitch is None else self._pitch.initial_state()
        self._f0_line = np.zeros(self._level.lag_frames, np.float32)
        self._n_unheard = self._level.lag_frames
        self._last_f0 = 0.0
        self._heard = np.zeros(0, np.float32)
        self._played = np.zeros(self.latency.buffering, np.float32)

    def state(self) -> dict[str, Any]:
        """All that the next blocks depend on, a nest of arrays and numbers."""
        return {
            "latency": dataclasses.astuple(self.latency),
            "model": tf.nest.map_structure(np.array, self._kept.read()),
            "pitch": tf.nest.map_structure(_copied, self._pitch_state),
            "f0_line": self._f0_line.copy(),
            "n_unheard": self._n_unheard,
            "last_f0": self._last_f0,
            "heard": self._heard.copy(),
            "played": self._played.copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from a state that `state` returned.

        Raises:
          ValueError: If it is of another model or other settings.
        """
        try:
            tf.nest.assert_same_structure(state["model"], self._kept.start)
            latency = tuple(state["latency"])
            tracked = state["pitch"] is not None
            shapes = [
                (np.shape(new), tuple(old.shape))
                for new, old in zip(
                    tf.nest.flatten(state["model"]),
                    tf.nest.flatten(self._kept.start),
                    strict=True,
                )
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"This is no state of this stream, got {error}."
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
        self._kept.write(state["model"])
        self._pitch_state = tf.nest.map_structure(_copied, state["pitch"])
        self._f0_line = state["f0_line"].copy()
        self._n_unheard = state["n_unheard"]
        self._last_f0 = state["last_f0"]
        self._heard, self._played = state["heard"].copy(), state["played"].copy()

    def _form(self) -> tuple[tuple[int, ...], bool]:
        """What a state must have in common with this stream."""
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
        # What is no number would stay in the recurrent state for good.
        checks.bounded("audio", audio)
        return audio

    def _check_rate(self, sample_rate: int | None) -> None:
        if sample_rate is not None and sample_rate != self.sample_rate:
            raise ValueError(
                f"The model plays at {self.sample_rate} samples a second; resample "
                f"what it hears, got sample_rate={sample_rate}."
            )

    def _pitch_of(self, n_hops: int, f0_hz: Any) -> np.ndarray | None:
        """The pitch of each hop as it was given, or None where it is tracked."""
        if (f0_hz is None) != (self._pitch is not None):
            raise ValueError(
                "The pitch must be given with each block where it is not tracked, and "
                f"there alone, got f0_hz={f0_hz!r}."
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

    def _play_hops(self, audio: np.ndarray, given: np.ndarray | None) -> np.ndarray:
        """[n_hops * hop_size] of as much audio; `given` is the pitch, [n_hops]."""
        n_hops = len(audio) // self.hop_size
        if self._pitch is not None:
            block = audio[np.newaxis]
            (f0, _), self._pitch_state = self._pitch.step(block, self._pitch_state)
            f0_hz = f0[0]
        else:
            joined = np.concatenate([self._f0_line, given])  # type: ignore[list-item]
            f0_hz, self._f0_line = joined[:n_hops], joined[n_hops:]
        if self._n_unheard:
            # The features are of a time before the beginning.
            self._n_unheard -= n_hops
            self._compiled(self._listen_only, len(audio))(tf.constant(audio))
            return np.zeros_like(audio)
        row = np.concatenate([audio, f0_hz, self._settings()], dtype=np.float32)
        return self._compiled(self._play, len(row))(tf.constant(row)).numpy()

    def _compiled(self, function: Callable[..., Any], size: int) -> Any:
        """A method for rows of one size; a call of it costs least when concrete."""
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

    def _play(self, given: tf.Tensor) -> tf.Tensor:
        """The whole chain but for the pitch, over the state that is kept.

        Args:
          given: Audio, pitch and settings one after the other: one tensor goes in
            faster than three.
        """
        sizes = [self.hop_size, 1]
        n_hops = (given.shape[0] - len(_SETTINGS)) // sum(sizes)
        audio, f0_hz, settings = tf.split(
            given, [n_hops * size for size in sizes] + [len(_SETTINGS)]
        )
        state = self._kept.read()
        pitch_shift, loudness_shift, gain = tf.unstack(settings)
        level, level_state = self._level.step(audio[tf.newaxis], state["level"])
        f0_hz = f0_hz * 2.0 ** (pitch_shift / 12.0)
        features = scaled_features(
            self._level,
            f0_hz[tf.newaxis, :, tf.newaxis],
            (level + loudness_shift)[:, :, tf.newaxis],
        )
        controls, decoder_state = self._model.decoder.step(features, state["decoder"])
        played, synthesis_state = self._model.processor_group.step(
            {**features, **controls}, state["synthesis"]
        )
        new_state = {
            "level": level_state,
            "decoder": decoder_state,
            "synthesis": synthesis_state,
        }
        self._kept.write(new_state, state)
        return played[0] * 10.0 ** (gain / 20.0)

    def _listen_only(self, audio: tf.Tensor) -> None:
        state = self._kept.read()
        level_state = self._level.step(audio[tf.newaxis], state["level"])[1]
        self._kept.write({**state, "level": level_state}, state)


def _copied(x: Any) -> Any:
    return x.copy() if isinstance(x, np.ndarray) else x
