"""Controls of the synthesizers, as compared in the losses of MIDI autoencoders."""

import tensorflow as tf

from ddsp import core
from ddsp.types import Outputs


def extract_harm_controls(
    synth_params: Outputs,
    log_scale: bool = True,
    stop_gradient: bool = False,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Extracts the controls of the synthesizers.

    Args:
      synth_params: Outputs of the processors.
      log_scale: Whether to convert amplitudes and magnitudes to dB.
      stop_gradient: Whether to stop gradients.

    Returns:
      Amplitudes, [batch, n_frames, 1], harmonic distribution, [batch, n_frames,
      n_harmonics], and noise magnitudes, [batch, n_frames, n_bands].

    Example:

    >>> from ddsp.training import models
    >>> controls = {"amplitudes": [[[1.0]]], "harmonic_distribution": [[[0.5, 0.5]]]}
    >>> amps, hd, noise = models.MidiAutoencoder.extract_harm_controls({
    ...     "harmonic": {"controls": controls},
    ...     "filtered_noise": {"controls": {"magnitudes": [[[0.1]]]}},
    ... })
    >>> float(amps[0, 0, 0]), float(noise[0, 0, 0])
    (0.0, -20.0)
    """
    harmonic = synth_params["harmonic"]["controls"]
    amps, hd = harmonic["amplitudes"], harmonic["harmonic_distribution"]
    noise = synth_params["filtered_noise"]["controls"]["magnitudes"]
    if log_scale:
        amps, noise = core.amplitude_to_db(amps), core.amplitude_to_db(noise)
    if stop_gradient:
        amps, hd, noise = map(tf.stop_gradient, (amps, hd, noise))
    return amps, hd, noise
