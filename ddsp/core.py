"""Differentiable signal processing functions.

The functions are defined in `ddsp._core`, one topic per file. This module exports them
and registers their gin names, such as `@core.exp_sigmoid` or
`oscillator_bank.sum_sinusoids = True`.
"""

from collections.abc import Callable

import gin
import keras

from ddsp._core import (
    damped,
    delays,
    filters,
    harmonics,
    noise,
    oscillators,
    resampling,
    safety,
    scaling,
    sinusoids,
    tensors,
    units,
    wavetables,
)


def _configurable(function: Callable) -> Callable:
    configured = gin.configurable(function, module="ddsp.core")
    configured.__module__ = "ddsp.core"
    # Lets Keras restore layers that have this function as an argument.
    return keras.saving.register_keras_serializable(package="ddsp")(configured)


# Tensors and nested dictionaries.
tf_float32 = tensors.tf_float32
make_iterable = tensors.make_iterable
to_dict = tensors.to_dict
copy_if_tf_function = tensors.copy_if_tf_function
nested_keys = tensors.nested_keys
nested_lookup = tensors.nested_lookup
leaf_key = tensors.leaf_key
map_shape = tensors.map_shape
pad_axis = tensors.pad_axis
diff = tensors.diff

# Numerical safety.
nan_to_num = safety.nan_to_num
safe_divide = safety.safe_divide
safe_log = safety.safe_log
safe_sqrt = safety.safe_sqrt
logb = safety.logb
log10 = safety.log10
gradient_reversal = safety.gradient_reversal

# Units.
DB_RANGE = units.DB_RANGE
amplitude_to_db = units.amplitude_to_db
power_to_db = units.power_to_db
db_to_amplitude = units.db_to_amplitude
db_to_power = units.db_to_power
midi_to_hz = units.midi_to_hz
hz_to_midi = units.hz_to_midi
unit_to_midi = units.unit_to_midi
midi_to_unit = units.midi_to_unit
unit_to_hz = units.unit_to_hz
hz_to_unit = units.hz_to_unit
hz_to_bark = units.hz_to_bark
bark_to_hz = units.bark_to_hz
hz_to_mel = units.hz_to_mel
mel_to_hz = units.mel_to_hz
hz_to_erb = units.hz_to_erb

# Scaling of network outputs to amplitudes and frequencies.
exp_sigmoid = _configurable(scaling.exp_sigmoid)
sym_exp_sigmoid = _configurable(scaling.sym_exp_sigmoid)
log_scale = scaling.log_scale
soft_limit = scaling.soft_limit
frequencies_softmax = _configurable(scaling.frequencies_softmax)
frequencies_sigmoid = _configurable(scaling.frequencies_sigmoid)
frequencies_critical_bands = _configurable(scaling.frequencies_critical_bands)

# Resampling.
resample = resampling.resample
upsample_with_windows = resampling.upsample_with_windows
center_crop = resampling.center_crop

# Harmonics and oscillators.
get_harmonic_frequencies = harmonics.get_harmonic_frequencies
remove_above_nyquist = harmonics.remove_above_nyquist
normalize_harmonics = harmonics.normalize_harmonics
harmonic_to_sinusoidal = harmonics.harmonic_to_sinusoidal
sinusoidal_to_harmonic = harmonics.sinusoidal_to_harmonic
angular_cumsum = oscillators.angular_cumsum
oscillator_bank = _configurable(sinusoids.oscillator_bank)
harmonic_oscillator_bank = _configurable(oscillators.harmonic_oscillator_bank)
sinusoidal_synthesis = sinusoids.sinusoidal_synthesis
harmonic_synthesis = oscillators.harmonic_synthesis
streaming_harmonic_synthesis = oscillators.streaming_harmonic_synthesis

# Damped sinusoids with learnable frequencies.
damped_sinusoids = damped.damped_sinusoids
damped_residual = damped.damped_residual
hz_to_poles = damped.hz_to_poles
poles_to_hz = damped.poles_to_hz

# Noise, wavetables and delays.
uniform_noise = noise.uniform_noise
linear_lookup = wavetables.linear_lookup
harmonic_distribution_to_wavetable = wavetables.harmonic_distribution_to_wavetable
wavetable_synthesis = wavetables.wavetable_synthesis
variable_length_delay = delays.variable_length_delay

# Filters.
get_fft_size = filters.get_fft_size
crop_and_compensate_delay = filters.crop_and_compensate_delay
fft_convolve = filters.fft_convolve
apply_window_to_impulse_response = filters.apply_window_to_impulse_response
frequency_impulse_response = filters.frequency_impulse_response
sinc = filters.sinc
sinc_impulse_response = filters.sinc_impulse_response
frequency_filter = filters.frequency_filter
sinc_filter = filters.sinc_filter
