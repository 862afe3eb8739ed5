"""Playing a model on features of any length, in bounded memory.

Frame-rate features of the whole performance are small; audio and the decoder's
activations are not. The recording is therefore played in blocks that join without a
seam: the decoder's recurrent state is carried from block to block, the oscillators
start each block at the phase that they would have reached, and the reverb's tail is
added to what follows.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from ddsp import effects
from ddsp._core import checks
from ddsp.training import decoders, models
from ddsp.training.data_preparation.rolling import RollingReader

BLOCK_SECS = 8.0
# Frames played before and after a block and thrown away: what interpolation and the
# noise filters reach across, and room to bring the phase to where it must be.
_LEAD_FRAMES = 25
_LAG_FRAMES = 8
# Frames around a block for decoders that cannot carry a state.
_CONTEXT_FRAMES = 250
# The tail of the reverb ends where it stays this far below the loudest sample.
_TAIL_DB = -60.0


@dataclasses.dataclass(frozen=True)
class Performance:
    """What a model is to play.

    Attributes:
      f0_hz: [n_frames], Hz.
      loudness_db: [n_frames], dB.
      gate: [n_frames], gain of the synthesisers before the reverb, 0 to 1.
      audio: Reads samples [start, stop) at the model's rate, for models with an
        encoder.
    """

    f0_hz: np.ndarray
    loudness_db: np.ndarray
    gate: np.ndarray
    audio: Callable[[int, int], np.ndarray] | None = None


def render(
    model: models.Autoencoder,
    performance: Performance,
    block_secs: float = BLOCK_SECS,
) -> Iterator[np.ndarray]:
    """Plays a performance.

    Args:
      model: Of f0 and loudness, built.
      performance: At the frame rate of the model's preprocessor.
      block_secs: Length of a block, seconds. Changes nothing but memory, time and
        the random samples of the noise.

    Yields:
      Blocks of audio, [n_samples], float32, at the model's sample rate: a hop for
      each frame, then the audible tail of a reverb at the end of the model.

    Raises:
      ValueError: If the model cannot be played from f0 and loudness, or if the
        performance is empty.
    """
    preprocessor: Any = model.preprocessor
    hop_size = checks.hop_size(preprocessor.sample_rate, preprocessor.frame_rate)
    n_frames = len(performance.f0_hz)
    if not n_frames:
        raise ValueError("A performance needs at least one frame, got none.")
    if model.encoder is not None and performance.audio is None:
        raise ValueError("A model with an encoder needs the audio of the performance.")
    block = max(_LEAD_FRAMES, round(block_secs * preprocessor.frame_rate))
    synthesizer = _Synthesizer(model, performance, hop_size, block)
    reverb = _Reverberation(synthesizer.reverb)
    gate_at = np.arange(n_frames) * hop_size
    overlap = np.zeros(0, np.float32)
    for first in range(0, n_frames, block):
        last = min(first + block, n_frames)
        dry = synthesizer.play(first, last)
        # Noise is drawn anew in every block.
        fade = np.linspace(0.0, 1.0, len(overlap), dtype=np.float32)
        dry[: len(overlap)] *= fade
        dry[: len(overlap)] += (1.0 - fade) * overlap
        n_samples = (last - first) * hop_size
        dry, overlap = dry[:n_samples], dry[n_samples:]
        at = np.arange(first * hop_size, last * hop_size)
        gate = np.interp(at, gate_at, performance.gate)
        yield reverb.add(dry * gate.astype(np.float32), synthesizer.impulse_response)
    tail = reverb.tail()
    if len(tail):
        yield tail


class _Synthesizer:
    """The model's synthesisers, played a block at a time."""

    def __init__(self, model, performance: Performance, hop_size: int, block: int):
        self.model = model
        self.performance = performance
        self.hop_size = hop_size
        self.impulse_response: tf.Tensor | None = None
        last = model.processor_group.processors[-1]
        self.reverb = last if isinstance(last, effects.Reverb) else None
        self._controls = _Controls(model, performance, hop_size, block)
        self._phase = _phase_before_frames(
            performance.f0_hz, hop_size, model.preprocessor.sample_rate
        )

    def play(self, first: int, last: int) -> np.ndarray:
        """Audio of frames [first, last), and one hop more where there is more."""
        n_frames = len(self.performance.f0_hz)
        start = max(first - _LEAD_FRAMES, 0)
        stop = min(last + _LAG_FRAMES, n_frames)
        controls = self._controls.read(start, stop)
        features = _preprocess(
            self.model,
            self._in_phase(start, first, stop),
            self.performance.loudness_db[start:stop],
        )
        outputs = self.model.processor_group(
            {**features, **controls},
            n_samples=(stop - start) * self.hop_size,
            return_outputs_dict=True,
        )
        audio = outputs["signal"]
        if self.reverb is not None:
            inputs = outputs["controls"][self.reverb.name]["controls"]
            audio, self.impulse_response = inputs["audio"], inputs["ir"]
        end = min(last + 1, stop)
        samples = slice((first - start) * self.hop_size, (end - start) * self.hop_size)
        return np.array(audio[0, samples])

    def _in_phase(self, start: int, first: int, stop: int) -> np.ndarray:
        """f0 of frames [start, stop), detuned before `first`.

        Synthesisers start at phase zero. The frames before `first`, which nobody
        hears, are detuned so that at `first` the phase is that of the whole.
        """
        f0_hz = self.performance.f0_hz[start:stop].astype(np.float64)
        lead = first - start
        if not lead:
            return f0_hz.astype(np.float32)
        rate = self.model.preprocessor.sample_rate
        reached = _phase_before_frames(f0_hz, self.hop_size, rate)[lead]
        detuned = (np.arange(len(f0_hz)) < lead).astype(np.float64)
        cycles_per_hz = np.sum(_hop_cycles(detuned, self.hop_size, rate)[:lead])
        missing = self._phase[first] - reached
        missing -= np.round(missing)
        return (f0_hz + detuned * missing / cycles_per_hz).astype(np.float32)


def _hop_cycles(f0_hz: np.ndarray, hop_size: int, sample_rate: int) -> np.ndarray:
    """Cycles of each hop, of a frequency interpolated linearly between frames."""
    following = np.append(f0_hz[1:], f0_hz[-1:])
    return ((hop_size + 1) * f0_hz + (hop_size - 1) * following) / (2.0 * sample_rate)


def _phase_before_frames(f0_hz, hop_size: int, sample_rate: int) -> np.ndarray:
    """Cycles before each frame, [n_frames].

    float64 holds an hour at 1 kHz to 1e-9 cycles.
    """
    cycles = _hop_cycles(np.asarray(f0_hz, np.float64), hop_size, sample_rate)
    return np.cumsum(cycles) - cycles


def _preprocess(model, f0_hz: np.ndarray, loudness_db: np.ndarray) -> dict[str, Any]:
    features = {
        "f0_hz": tf.constant(f0_hz[np.newaxis, :, np.newaxis]),
        "loudness_db": tf.constant(loudness_db[np.newaxis, :, np.newaxis]),
    }
    scaled = model.preprocessor(features, time_steps=len(f0_hz))
    if "loudness_db" not in scaled:
        raise ValueError(
            "Only models of f0 and loudness can be played from a recording's features;"
            f" this one's preprocessor is {type(model.preprocessor).__name__}."
        )
    return {**features, **scaled}


class _Controls:
    """What the decoder says, read forwards."""

    def __init__(self, model, performance: Performance, hop_size: int, block: int):
        self._model = model
        self._performance = performance
        self._hop_size = hop_size
        self._block = block
        self._sizes = dict(model.decoder.output_splits)
        self._reader = RollingReader(self._blocks(), (sum(self._sizes.values()),))

    def read(self, start: int, stop: int) -> dict[str, tf.Tensor]:
        """{name: [1, stop - start, channels]}."""
        rows = self._reader.read(start, stop)[np.newaxis]
        ends = np.cumsum(list(self._sizes.values()))[:-1]
        return dict(
            zip(self._sizes, map(tf.constant, np.split(rows, ends, -1)), strict=True)
        )

    def _blocks(self) -> Iterator[np.ndarray]:
        n_frames = len(self._performance.f0_hz)
        stateful = _with_state(self._model.decoder, self._features(0, 1))
        state = None if stateful is None else _initial_state(stateful)
        context = _CONTEXT_FRAMES if state is None else 0
        decode = tf.function(stateful or self._model.decoder, reduce_retracing=True)
        for first in range(0, n_frames, self._block):
            last = min(first + self._block, n_frames)
            start, stop = max(first - context, 0), min(last + context, n_frames)
            features = self._features(start, stop)
            if state is not None:
                features["state"] = state
            outputs = decode(features)
            state = outputs.get("state")
            rows = np.concatenate([outputs[name] for name in self._sizes], axis=-1)
            yield rows[0, first - start : last - start]

    def _features(self, start: int, stop: int) -> dict[str, Any]:
        performance = self._performance
        features = _preprocess(
            self._model,
            performance.f0_hz[start:stop],
            performance.loudness_db[start:stop],
        )
        if self._model.encoder is not None and performance.audio is not None:
            audio = performance.audio(start * self._hop_size, stop * self._hop_size)
            features["audio"] = tf.constant(audio[np.newaxis])
            features.update(self._model.encoder(features))
        return features


def _with_state(decoder, features: dict[str, Any]) -> Any:
    """The decoder with its recurrent state as an input; None if it cannot have one."""
    if not isinstance(decoder, decoders.RnnFcDecoder):
        return None
    if decoder.stateless:
        return decoder
    twin = type(decoder).from_config({**decoder.get_config(), "stateless": True})
    moment = {key: features[key][:, :1] for key in decoder.input_keys}
    twin({**moment, "state": _initial_state(twin)})
    twin.set_weights(decoder.get_weights())
    return twin


def _initial_state(decoder: decoders.RnnFcDecoder) -> tf.Tensor:
    return tf.zeros([1, decoder.rnn.n_states * decoder.rnn.rnn.units])


class _Reverberation:
    """A reverb over blocks: what rings on is added to the next."""

    def __init__(self, reverb: effects.Reverb | None):
        self._reverb = reverb
        self._ringing = np.zeros(0, np.float32)
        self._peak = 0.0

    def add(self, dry: np.ndarray, impulse_response: Any) -> np.ndarray:
        """The block with its reverb and that of the blocks before."""
        if self._reverb is None:
            return dry
        length = int(tf.reshape(impulse_response, [-1]).shape[0])
        padded = np.pad(dry, (0, length))[np.newaxis]
        wet = np.array(self._reverb.get_signal(tf.constant(padded), impulse_response))
        wet = wet[0]
        wet[: len(self._ringing)] += self._ringing[: len(wet)]
        audio, self._ringing = wet[: len(dry)], wet[len(dry) :]
        self._peak = max(self._peak, float(np.max(np.abs(audio))))
        return audio

    def tail(self) -> np.ndarray:
        """What rings on after the last block, as far as it can be heard."""
        threshold = self._peak * 10.0 ** (_TAIL_DB / 20.0)
        audible = np.flatnonzero(np.abs(self._ringing) > threshold)
        return self._ringing[: audible[-1] + 1 if audible.size else 0]
