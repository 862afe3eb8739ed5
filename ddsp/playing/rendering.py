"""Rendering features of any length with a model, in bounded memory.

Frame-rate features are small; audio and the decoder's activations are not. Audio is
therefore rendered block by block: decoder, synthesizers and reverb carry their state
from one block to the next.
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
# Frames of context around a block, for decoders that cannot run block by block.
_CONTEXT_FRAMES = 250
# The reverb's tail ends where it stays this far below the peak of the audio.
_TAIL_DB = -60.0


@dataclasses.dataclass(frozen=True)
class Performance:
    """Features to render.

    Attributes:
      f0_hz: Fundamental frequency in Hz, [n_frames].
      loudness_db: Loudness in dB, [n_frames].
      gate: Gain before the reverb, 0 to 1, [n_frames].
      audio: Reads samples [start, stop) at the model's rate, for models with an
        encoder.

    Example:

    >>> from ddsp.playing.rendering import Performance
    >>> Performance(np.full(4, 440.0), np.full(4, -30.0), np.ones(4)).audio is None
    True
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
    """Renders a performance.

    Args:
      model: A built autoencoder of f0 and loudness.
      performance: Features at the frame rate of the model's preprocessor.
      block_secs: Length of a block in seconds; affects only memory and time.

    Yields:
      Blocks of audio, [n_samples], float32, at the model's sample rate: a hop per
      frame, then the audible tail of a reverb at the end of the model.

    Raises:
      ValueError: If the model is not driven by f0 and loudness, cannot run block by
        block, or the performance is empty.

    Example:

    >>> from ddsp.playing import rendering
    >>> model = ddsp.testing.tiny_autoencoder()
    >>> ones = np.ones(10, np.float32)
    >>> performance = rendering.Performance(440.0 * ones, -30.0 * ones, ones)
    >>> audio = np.concatenate(list(rendering.render(model, performance)))
    >>> len(audio) >= 10 * model.hop_size
    True
    """
    hop_size = model.hop_size
    n_frames = len(performance.f0_hz)
    if not n_frames:
        raise ValueError("A performance needs at least one frame, got none.")
    if model.encoder is not None and performance.audio is None:
        raise ValueError("A model with an encoder needs the audio of the performance.")
    dry, reverb = _without_last_reverb(model)
    gate_times = np.arange(n_frames) * hop_size
    reverb_state = {} if reverb is None else reverb.initial_state(1)
    first, peak = 0, 0.0
    for signal in _render_dry(dry, performance, block_secs):
        times = np.arange(first, first + len(signal))
        gate = np.interp(times, gate_times, performance.gate)
        audio = signal * gate.astype(np.float32)
        first += len(audio)
        if reverb is not None and len(audio):
            block = {"audio": tf.constant(audio[np.newaxis])}
            wet, reverb_state = reverb.step(block, reverb_state)
            audio = wet.numpy()[0]
            peak = max(peak, float(np.max(np.abs(audio))))
        yield audio
    if reverb is not None:
        tail = reverb.flush(reverb_state, tail=True).numpy()[0]
        audible = np.flatnonzero(np.abs(tail) > peak * 10.0 ** (_TAIL_DB / 20.0))
        if audible.size:
            yield tail[: audible[-1] + 1]


def _without_last_reverb(
    model: models.Autoencoder,
) -> tuple[models.Autoencoder, effects.Reverb | None]:
    """Splits off a trained reverb at the end of a model.

    The gate applies before the reverb, so that the tail rings on.
    """
    group = model.processor_group
    last = group.processors[-1]
    if not isinstance(last, effects.Reverb) or len(group.dag) == 1:
        return model, None
    *nodes, (_, keys, *_) = group.dag
    previous = nodes[-1][0]
    if tuple(keys) != (f"{previous}/signal",):
        return model, None
    dag = [(getattr(group, name), node_keys) for name, node_keys, *_ in nodes]
    dry = models.Autoencoder(
        preprocessor=model.preprocessor,
        encoder=model.encoder,
        decoder=model.decoder,
        processor_group=processors.ProcessorGroup(dag, name=f"{group.name}_dry"),
    )
    return dry, last


def _render_dry(
    model: models.Autoencoder, performance: Performance, block_secs: float
) -> Iterator[np.ndarray]:
    """Renders a hop of audio for each frame, in blocks; see `render`."""
    n_frames, hop_size = len(performance.f0_hz), model.hop_size
    # The last frame is held until the latency is over.
    n_late = model.latency_samples // hop_size
    wanted = round(block_secs * model.preprocessor.frame_rate)
    block = max(min(wanted, n_frames + n_late), 1)
    controls = _Controls(model, performance, block)
    state = model.initial_state(1, decoding=False)
    early, left = n_late * hop_size, n_frames * hop_size
    for first in range(0, n_frames + n_late, block):
        signal, state = model.render_step(controls.read(first, first + block), state)
        audio = signal.numpy()[0]
        skipped = min(early, len(audio))
        audio = audio[skipped : skipped + left]
        early, left = early - skipped, left - len(audio)
        yield audio


def _scale(
    model: models.Autoencoder, f0_hz: np.ndarray, loudness_db: np.ndarray
) -> dict[str, tf.Tensor]:
    if model.level_name != "loudness_db":
        raise ValueError(
            "Only models of f0 and loudness are driven by a recording's features, got "
            f"a model of {model.level_name}."
        )
    return model.preprocessor.scale(
        tf.constant(f0_hz[np.newaxis, :, np.newaxis]),
        tf.constant(loudness_db[np.newaxis, :, np.newaxis]),
    )


class _Controls:
    """Controls of the synthesizers, read in order, block by block."""

    def __init__(self, model: models.Autoencoder, performance: Performance, block: int):
        self._model = model
        self._performance = performance
        self._block = block
        self._sizes = dict(model.decoder.output_splits)
        self._reader = RollingReader(self._blocks(), (sum(self._sizes.values()),))

    def read(self, start: int, stop: int) -> dict[str, tf.Tensor]:
        """Returns {name: [1, stop - start, channels]}; the last frame is held."""
        n_frames = len(self._performance.f0_hz)
        rows = self._reader.read(min(start, n_frames - 1), min(stop, n_frames))
        frames = np.clip(np.arange(start, stop), 0, n_frames - 1)
        rows = rows[frames - min(start, n_frames - 1)]
        ends = np.cumsum(list(self._sizes.values()))[:-1]
        controls = dict(
            zip(self._sizes, np.split(rows[np.newaxis], ends, -1), strict=True)
        )
        features = _scale(
            self._model,
            self._performance.f0_hz[frames],
            self._performance.loudness_db[frames],
        )
        return {**features, **controls}

    def _blocks(self) -> Iterator[np.ndarray]:
        """Yields the decoder's outputs."""
        n_frames = len(self._performance.f0_hz)
        decoder = self._model.decoder
        try:
            state = decoder.initial_state(1)
        except ValueError:
            # It needs context around each frame.
            state = None
        context = _CONTEXT_FRAMES if state is None else 0
        # One graph per performance; TensorFlow would warn of a loop.
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
        features = _scale(
            self._model,
            performance.f0_hz[start:stop],
            performance.loudness_db[start:stop],
        )
        if self._model.encoder is not None and performance.audio is not None:
            hop_size = self._model.hop_size
            audio = performance.audio(start * hop_size, stop * hop_size)
            features["audio"] = tf.constant(audio[np.newaxis])
            features.update(self._model.encoder(features))
        return {key: features[key] for key in self._model.decoder.input_keys}
