"""Pitch tracking, block by block.

CREPE runs at its own frame rate, since one of its frames costs more than all the rest
of a small model, and each of its frames is held until the next.
"""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from ddsp import pitch
from ddsp._core import checks, framing
from ddsp._core.blocks import check_audio
from ddsp.playing.rate_conversion import RateConverter
from ddsp.streaming import Stream
from ddsp.types import PitchTracker, State

PADDINGS = ("causal", "center")


class PitchStream(Stream):
    """`pitch.estimate_f0`, block by block, held to another frame rate.

    Pitch frames are spaced at `pitch_rate` and aligned by `padding`. Frame i of the
    output holds

    * 'causal': the last pitch frame that ends within hop i or before;
    * 'center': the last one centered at or before the start of hop i. Its end is up to
      half a frame (32 ms) later, which adds to the latency.

    The choice depends only on i, not on the partition into blocks. Before the first
    pitch frame the pitch is that of silence. There is no Viterbi decoding, since the
    path through a frame depends on all later frames.

    Attributes:
      hop_size: Samples per output frame.
      look_ahead_samples: Look-ahead of a pitch frame, relative to its end ('causal')
        or its center ('center'), including that of the sample rate conversion.
      latency_frames: Latency in output frames.

    Example:

    >>> from ddsp.playing import PitchStream
    >>> stream = PitchStream(sample_rate=16000, frame_rate=250, pitch_rate=100)
    >>> stream.latency_frames
    0
    >>> (f0_hz, confidence), state = stream.step(
    ...     np.zeros([1, 128], np.float32), stream.initial_state(1))
    >>> f0_hz.shape
    (1, 2)
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        frame_rate: int = 250,
        pitch_rate: int = 100,
        padding: str = "causal",
        crepe_model: str = "tiny",
        latency_frames: int | None = None,
        viterbi: bool = False,
    ):
        """Initializes the stream and loads the tracker.

        Args:
          sample_rate: Samples per second of the audio.
          frame_rate: Frames per second of the output; must divide the sample rate.
          pitch_rate: Frame rate of the tracker; must divide 16000.
          padding: How pitch frames lie, `'causal'` or `'center'`.
          crepe_model: `'tiny'`, `'full'` or another model of `pitch.find_weights`.
          latency_frames: Latency in frames, to match another stream. By default as
            low as the padding allows.
          viterbi: Must be false.

        Raises:
          FileNotFoundError: If the tracker's weights are not installed.
          ValueError: If a rate does not divide, the padding is unknown, the latency is
            too low, or Viterbi decoding is asked for.
        """
        if viterbi:
            raise ValueError(
                "Viterbi decoding needs the future: the most likely path through a "
                "frame depends on all that follow. A stream reads each frame on its "
                "own; got viterbi=True."
            )
        checks.one_of("padding", padding, PADDINGS)
        self.sample_rate = sample_rate
        self.frame_rate = frame_rate
        self.pitch_rate = pitch_rate
        self.padding = padding
        self.crepe_model = crepe_model
        self.hop_size = checks.hop_size(sample_rate, frame_rate)
        self._pitch_hop = checks.hop_size(pitch.SAMPLE_RATE, pitch_rate)
        self._before = framing.samples_before(
            pitch.FRAME_SIZE, self._pitch_hop, padding
        )
        self._converter = RateConverter(sample_rate, pitch.SAMPLE_RATE)
        half = 0 if padding == "causal" else pitch.FRAME_SIZE // 2
        self.look_ahead_samples = (
            -(-half * sample_rate // pitch.SAMPLE_RATE) + self._converter.delay_samples
        )
        shortest = self._minimum_latency()
        self.latency_frames = shortest if latency_frames is None else latency_frames
        if self.latency_frames < shortest:
            raise ValueError(
                f"With padding='{padding}' at {sample_rate} Hz the latency is at least "
                f"{shortest} frames, got {latency_frames}."
            )
        self._track = _compiled(crepe_model)

    @property
    def latency_samples(self) -> int:
        """Latency of f0 in samples."""
        return self.latency_frames * self.hop_size

    def input_specs(
        self, n_frames: int, batch_size: int = 1
    ) -> dict[str, tf.TensorSpec]:
        """Returns the shape of a block of audio."""
        return {"audio": tf.TensorSpec([batch_size, n_frames * self.hop_size])}

    def pitch_frames(self, n_frames: int, first: int = 0) -> np.ndarray:
        """Returns the pitch frame that each output frame holds.

        Args:
          n_frames: Frames of the output.
          first: The first of them.

        Returns:
          [n_frames], non-decreasing integers from -1 (none yet).
        """
        frames = np.arange(first, first + n_frames)
        if self.padding == "causal":
            joined = self._converter.known((frames + 1) * self.hop_size)
            held = joined // self._pitch_hop - 1
        else:
            held = frames * self.pitch_rate // self.frame_rate
        return np.maximum(held, -1)

    def _minimum_latency(self) -> int:
        # After this many frames both grids meet again.
        period = self.frame_rate // math.gcd(self.frame_rate, self.pitch_rate)
        ends = self._start(self.pitch_frames(period)) + pitch.FRAME_SIZE
        hops = -(-self._converter.needed(ends) // self.hop_size)
        return int(max(np.max(hops - 1 - np.arange(period)), 0))

    def _start(self, pitch_frame: Any) -> Any:
        """The first sample, at 16 kHz, of a pitch frame."""
        return pitch_frame * self._pitch_hop - self._before

    def initial_state(self, batch_size: int = 1) -> State:
        """The state before the first block: silence."""
        silence = np.zeros([batch_size, pitch.FRAME_SIZE], np.float32)
        f0_hz, confidence = self._track(silence)
        return {
            "converter": self._converter.initial_state(batch_size),
            "audio": silence,  # at 16 kHz, what the next pitch frames need
            "hop": 0,
            "pitch_frame": -1,
            "f0_hz": f0_hz,
            "f0_confidence": confidence,
        }

    def step(
        self, audio: Any, state: State
    ) -> tuple[tuple[np.ndarray, np.ndarray], State]:
        """Tracks the next block.

        Args:
          audio: [batch, n_frames * hop_size], float32.
          state: From `initial_state` or the step before. It is left as it is.

        Returns:
          (f0_hz, f0_confidence), [batch, n_frames] each, in Hz and from 0 to 1; and
          the new state. The first `latency_frames` of a stream precede its start.

        Raises:
          TypeError: If the audio is not float32.
          ValueError: If it has another rank or batch size, or is not of whole hops.
        """
        batch_size = len(state["f0_hz"])
        audio = check_audio(audio, self.hop_size, batch_size).numpy()
        resampled, converter = self._converter.step(audio, state["converter"])
        joined = np.concatenate([state["audio"], resampled], axis=1)
        offset = converter["n_out"] - joined.shape[1]  # the first of them, counted
        n_frames = audio.shape[1] // self.hop_size
        first = state["hop"] - self.latency_frames
        held, f0_hz, confidence = (
            state[key] for key in ("pitch_frame", "f0_hz", "f0_confidence")
        )
        f0, confidences = [], []
        for frame in self.pitch_frames(n_frames, first):
            if frame > held:
                held, start = int(frame), self._start(int(frame)) - offset
                f0_hz, confidence = self._track(
                    joined[:, start : start + pitch.FRAME_SIZE]
                )
            f0.append(f0_hz)
            confidences.append(confidence)
        following = self.pitch_frames(1, first + n_frames)[0]
        unneeded = max(self._start(int(following)) - offset, 0)
        state = {
            "converter": converter,
            "audio": joined[:, unneeded:].copy(),
            "hop": state["hop"] + n_frames,
            "pitch_frame": held,
            "f0_hz": f0_hz,
            "f0_confidence": confidence,
        }
        return (np.stack(f0, axis=1), np.stack(confidences, axis=1)), state

    def flush(self, state: State) -> tuple[np.ndarray, np.ndarray]:
        """Returns the remaining frames, [batch, latency_frames] each."""
        batch_size = len(state["f0_hz"])
        if not self.latency_frames:
            empty = np.zeros([batch_size, 0], np.float32)
            return empty, empty
        n_samples = self.latency_frames * self.hop_size
        return self.step(np.zeros([batch_size, n_samples], np.float32), state)[0]

    def whole(self, audio: Any) -> tuple[np.ndarray, np.ndarray]:
        """Returns the same for a whole recording, without latency.

        Args:
          audio: [batch, n_frames * hop_size], float32.

        Returns:
          (f0_hz, f0_confidence), [batch, n_frames] each.
        """
        audio = check_audio(audio, self.hop_size).numpy()
        held = self.pitch_frames(audio.shape[1] // self.hop_size) + 1
        silence = self.initial_state(len(audio))
        # The last frames reach past the end, where the resampling filter rings.
        audio = np.pad(audio, [(0, 0), (0, self.latency_frames * self.hop_size)])
        activations = pitch.load(self.crepe_model).activations(
            self._converter.whole(audio), self._pitch_hop, self.padding
        )
        tracked = pitch.decode(activations, viterbi=False)
        f0_hz, confidence = (
            np.concatenate([before[:, np.newaxis], values], axis=1)[:, held]
            for before, values in zip(
                (silence["f0_hz"], silence["f0_confidence"]), tracked, strict=True
            )
        )
        return f0_hz, confidence


def _compiled(model: str) -> PitchTracker:
    """Returns the tracker of frames of 1024 samples, compiled with XLA.

    For one frame it takes half the time of the tracker without XLA.
    """
    crepe = pitch.load(model)

    @tf.function(jit_compile=True, autograph=False)
    def track(frames: tf.Tensor) -> tf.Tensor:
        activations = crepe(frames)
        f0_hz = pitch.cents_to_hz(pitch.activations_to_cents(activations))
        return tf.stack([f0_hz, tf.reduce_max(activations, axis=-1)])

    def run(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        f0_hz, confidence = track(tf.constant(frames)).numpy()
        return f0_hz, confidence

    return run
