"""Playing a model on features of any length, in bounded memory.

Frame-rate features of the whole performance are small; audio and the decoder's
activations are not. The recording is therefore played in blocks that join without a
seam: decoder and synthesisers carry their state from block to block, and the reverb's
tail is added to what follows.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from ddsp import effects, processors
from ddsp._compat import tensorflow_internals
from ddsp.recordings.rolling import RollingReader
from ddsp.training import models

BLOCK_SECS = 8.0
# Frames around a block for decoders that cannot be played in blocks.
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
      block_secs: Length of a block, seconds. Changes nothing but memory and time.

    Yields:
      Blocks of audio, [n_samples], float32, at the model's sample rate: a hop for
      each frame, then the audible tail of a reverb at the end of the model.

    Raises:
      ValueError: If the model cannot be played from f0 and loudness or in blocks, or
        if the performance is empty.
    """
    hop_size = model.hop_size
    n_frames = len(performance.f0_hz)
    if not n_frames:
        raise ValueError("A performance needs at least one frame, got none.")
    if model.encoder is not None and performance.audio is None:
        raise ValueError("A model with an encoder needs the audio of the performance.")
    model.processor_group.hop_size = hop_size
    dry, reverb = _without_last_reverb(model.processor_group)
    reverberation = _Reverberation(reverb)
    gate_at = np.arange(n_frames) * hop_size
    first = 0
    for signal in _play(model, dry, performance, hop_size, block_secs):
        at = np.arange(first, first + len(signal))
        gate = np.interp(at, gate_at, performance.gate)
        yield reverberation.add(signal * gate.astype(np.float32))
        first += len(signal)
    tail = reverberation.tail()
    if len(tail):
        yield tail


def _without_last_reverb(
    group: processors.ProcessorGroup,
) -> tuple[processors.ProcessorGroup, effects.Reverb | None]:
    """The group up to a trained reverb at its end, and that reverb.

    What is dry can be gated, and the tail may ring on, as far as it is heard.
    """
    last = group.processors[-1]
    if not isinstance(last, effects.Reverb) or len(group.dag) == 1:
        return group, None
    *nodes, (_, keys, *_) = group.dag
    previous = nodes[-1][0]
    if tuple(keys) != (f"{previous}/signal",):
        return group, None
    dag = [(getattr(group, name), node_keys) for name, node_keys, *_ in nodes]
    dry = processors.ProcessorGroup(dag, name=f"{group.name}_dry")
    return dry, last


def _play(
    model: models.Autoencoder,
    group: processors.ProcessorGroup,
    performance: Performance,
    hop_size: int,
    block_secs: float,
) -> Iterator[np.ndarray]:
    """Audio of a group, a hop for each frame, in blocks; see `render`."""
    n_frames = len(performance.f0_hz)
    # The last frame is held until all that came before it is out.
    n_late = group.latency_samples // hop_size
    wanted = round(block_secs * model.preprocessor.frame_rate)
    block = max(min(wanted, n_frames + n_late), 1)
    controls = _Controls(model, performance, hop_size, block)
    state = group.initial_state(1)
    early, left = n_late * hop_size, n_frames * hop_size
    for first in range(0, n_frames + n_late, block):
        signal, state = group.step(controls.read(first, first + block), state)
        audio = signal.numpy()[0]
        skipped = min(early, len(audio))
        audio = audio[skipped : skipped + left]
        early, left = early - skipped, left - len(audio)
        yield audio


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
    """What the model's synthesisers are given, read forwards in blocks."""

    def __init__(self, model, performance: Performance, hop_size: int, block: int):
        self._model = model
        self._performance = performance
        self._hop_size = hop_size
        self._block = block
        self._sizes = dict(model.decoder.output_splits)
        self._reader = RollingReader(self._blocks(), (sum(self._sizes.values()),))

    def read(self, start: int, stop: int) -> dict[str, tf.Tensor]:
        """{name: [1, stop - start, channels]}; the last frame is held."""
        n_frames = len(self._performance.f0_hz)
        rows = self._reader.read(min(start, n_frames - 1), min(stop, n_frames))
        frames = np.clip(np.arange(start, stop), 0, n_frames - 1)
        rows = rows[frames - min(start, n_frames - 1)]
        ends = np.cumsum(list(self._sizes.values()))[:-1]
        controls = dict(
            zip(self._sizes, np.split(rows[np.newaxis], ends, -1), strict=True)
        )
        features = _preprocess(
            self._model,
            self._performance.f0_hz[frames],
            self._performance.loudness_db[frames],
        )
        return {**features, **controls}

    def _blocks(self) -> Iterator[np.ndarray]:
        """The decoder's outputs."""
        n_frames = len(self._performance.f0_hz)
        decoder = self._model.decoder
        try:
            state = decoder.initial_state(1)
        except ValueError:
            # It looks at what is around a frame.
            state = None
        context = _CONTEXT_FRAMES if state is None else 0
        # One for each performance, which TensorFlow takes for a loop.
        decode = tensorflow_internals.allow_retracing(
            tf.function(decoder if state is None else decoder.step)
        )
        for first in range(0, n_frames, self._block):
            last = min(first + self._block, n_frames)
            start, stop = max(first - context, 0), min(last + context, n_frames)
            features = self._features(start, stop)
            if state is None:
                outputs = decode(features)
            else:
                outputs, state = decode(features, state)
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
        return {key: features[key] for key in self._model.decoder.input_keys}


class _Reverberation:
    """A reverb over blocks: what rings on is added to the next."""

    def __init__(self, reverb: effects.Reverb | None):
        self._reverb = reverb
        # A response that is drawn is the same for all blocks.
        self._ir: Any = None
        if reverb is not None:
            self._ir = reverb.get_controls(tf.zeros([1, 1]))["ir"]
        self._ringing = np.zeros(0, np.float32)
        self._peak = 0.0

    def add(self, dry: np.ndarray) -> np.ndarray:
        """The block with its reverb and that of the blocks before."""
        if self._reverb is None:
            return dry
        length = int(tf.reshape(self._ir, [-1]).shape[0])
        padded = np.pad(dry, (0, length))[np.newaxis]
        wet = np.array(self._reverb.get_signal(tf.constant(padded), self._ir))
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
