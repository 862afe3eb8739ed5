"""Audio of one frame at a time, for plug-ins: see `vst`."""

import math
from typing import ClassVar

import keras
import tensorflow as tf

from ddsp import configurable, core, gin_state
from ddsp._core import checks, filter_streams
from ddsp._core.harmonic_sum import harmonic_sum
from ddsp._core.phase import frame_starts
from ddsp._core.resampling import RAMPS
from ddsp.playing import trained_model
from ddsp.playing.signatures import Forms, Specs, floats
from ddsp.playing.voice import find_voice


@configurable.layer(module="ddsp.training.inference")
class VSTSynthesize(Forms, keras.Model):
    """Audio of one frame: harmonics, and noise.

    The form 'call' takes the controls of the frame, `amps` [1], `hd` [n_harmonics],
    `f0` [1] in Hz and `noise` [n_noise], those of the frame before, `prev_amps`,
    `prev_hd` and `prev_f0`, and `prev_phase` [1]. It returns audio [hop_size] and the
    phase [1] after it, in radians, to be given to the next call. Frequency and
    amplitudes move from the frame before to this one over the hop, so that hops join
    to what `synths.Harmonic` makes of all frames, one hop late.

    'call_with_noise' also takes the `white_noise` [hop_size] to be filtered, in [-1,
    1), which 'call' draws. Each hop's noise is filtered by itself, as in the original;
    for noise without seams play the model in blocks.

    Gin's settings are as before once the module is made; it reads no variables.
    """

    output_names: ClassVar[tuple[str, ...]] = ("audio", "final_phase")

    def __init__(self, ckpt, new_hop_size=None, trusted=False, **kwargs):
        """Initializes the module.

        Args:
          ckpt: Directory of a training run, or a checkpoint in it.
          new_hop_size: Samples to render; the model's hop if None.
          trusted: Whether the model's config may import modules and name anything;
            see `models.load`.
          **kwargs: Passed on to `keras.Model`.

        Raises:
          FileNotFoundError: If the checkpoint or the operative config beside it is
            missing.
          ValueError: If the model cannot be used so.
        """
        super().__init__(**kwargs)
        if new_hop_size is not None:
            checks.positive("new_hop_size", new_hop_size)
        self.new_hop_size = new_hop_size
        self.trusted = trusted
        with gin_state.isolated():
            self.parse_gin(ckpt)
            model = trained_model.build_autoencoder()
        voice = find_voice(model)
        self.sample_rate = model.sample_rate
        self.hop_size = new_hop_size or model.hop_size
        self.n_harmonics = voice.n_harmonics
        self.n_noise = voice.n_noise
        self.resample_method = voice.harmonic.amp_resample_method
        self.window_size = voice.noise.window_size
        checks.one_of("amp_resample_method", self.resample_method, RAMPS)
        self.build_network()

    def parse_gin(self, ckpt) -> None:
        """Reads the model's operative config; see `parse_operative_config`."""
        trained_model.parse_operative_config(ckpt, self.trusted)

    def build_network(self) -> None:
        """Makes the graphs of all forms."""
        self.run_forms()

    @property
    def call_specs(self) -> dict[str, Specs]:
        specs = {
            **self._harmonic_specs(),
            "noise": floats(self.n_noise),
            "prev_phase": floats(1),
        }
        with_noise = {**specs, "white_noise": floats(self.hop_size)}
        return {"call": specs, "call_with_noise": with_noise}

    def call(
        self,
        amps,
        prev_amps,
        hd,
        prev_hd,
        f0,
        prev_f0,
        noise,
        prev_phase,
        white_noise=None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Renders a hop, see the class."""
        audio, phase = self._harmonics(
            amps, prev_amps, hd, prev_hd, f0, prev_f0, prev_phase
        )
        return audio + self._noise(noise, white_noise), phase

    def _harmonic_specs(self) -> Specs:
        return {
            "amps": floats(1),
            "prev_amps": floats(1),
            "hd": floats(self.n_harmonics),
            "prev_hd": floats(self.n_harmonics),
            "f0": floats(1),
            "prev_f0": floats(1),
        }

    def _harmonics(self, amps, prev_amps, hd, prev_hd, f0, prev_f0, prev_phase):
        """Audio [hop_size] on the way from the frame before to this, and the phase."""
        f0_hz = tf.reshape(tf.stack([prev_f0, f0]), [1, 2, 1])
        shares = core.normalize_harmonics(
            tf.stack([prev_hd, hd])[tf.newaxis], f0_hz, self.sample_rate
        )
        amplitudes = tf.reshape(tf.stack([prev_amps, amps]), [1, 2, 1]) * shares
        cycles = tf.math.floormod(prev_phase / (2.0 * math.pi), 1.0)
        cycles = tf.reshape(cycles, [1, 1, 1])
        audio = harmonic_sum(
            (tf.zeros_like(cycles), cycles),
            f0_hz[:, :1],
            amplitudes[:, :1],
            RAMPS[self.resample_method](self.hop_size),
            float(self.sample_rate),
            steps=(core.diff(f0_hz, axis=1), core.diff(amplitudes, axis=1)),
        )
        coarse, fine, _ = frame_starts(f0_hz, self.hop_size, self.sample_rate)
        passed = coarse[:, 1] + fine[:, 1]
        phase = tf.math.floormod(cycles[:, 0] + passed, 1.0) * (2.0 * math.pi)
        return audio[0], phase[0]

    def _noise(self, magnitudes, white_noise):
        """Noise [hop_size] through the filter of one frame."""
        if white_noise is None:
            white_noise = core.uniform_noise(1, self.hop_size)[0]
        # As `core.frequency_filter` filters, but without FFTs: runtimes lack them.
        sizes = self.n_noise, self.window_size
        filtered, state = filter_streams.step_fir(
            filter_streams.start_fir(1, *sizes, self.hop_size),
            white_noise[tf.newaxis],
            magnitudes[tf.newaxis, tf.newaxis],
            self.window_size,
            self.hop_size,
        )
        latency = filter_streams.fir_latency(*sizes)
        late = filter_streams.finish_fir(state, latency)
        return tf.concat([filtered, late], axis=1)[0, latency:]


@configurable.layer(module="ddsp.training.inference")
class VSTSynthesizeHarmonic(VSTSynthesize):
    """Harmonics of one frame: as `VSTSynthesize`, without `noise`."""

    @property
    def call_specs(self) -> dict[str, Specs]:
        return {"call": {**self._harmonic_specs(), "prev_phase": floats(1)}}

    def call(  # type: ignore[override]
        self, amps, prev_amps, hd, prev_hd, f0, prev_f0, prev_phase
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Renders a hop, see `VSTSynthesize`."""
        return self._harmonics(amps, prev_amps, hd, prev_hd, f0, prev_f0, prev_phase)


@configurable.layer(module="ddsp.training.inference")
class VSTSynthesizeNoise(VSTSynthesize):
    """Noise of one frame.

    The form 'call' takes the magnitudes `noise` [n_noise] and returns audio [hop_size];
    'call_with_noise' also takes the `white_noise`, see `VSTSynthesize`.
    """

    output_names = ("audio",)

    @property
    def call_specs(self) -> dict[str, Specs]:
        specs = {"noise": floats(self.n_noise)}
        with_noise = {**specs, "white_noise": floats(self.hop_size)}
        return {"call": specs, "call_with_noise": with_noise}

    def call(self, noise, white_noise=None) -> tf.Tensor:  # type: ignore[override]
        """Renders a hop, see the class."""
        return self._noise(noise, white_noise)
