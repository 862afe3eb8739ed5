"""Configs with the names of earlier versions."""

import gin
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import flagsaver

from ddsp import synths
from ddsp.commands import ddsp_run
from ddsp.training import decoders, models, preprocessing
from ddsp.training.models import older_configs

# Operative config of version 0.2.
VERSION_0 = r"""
import ddsp
import ddsp.training

# Macros:
# ==============================================================================
batch_size = 32

# Parameters for Add:
# ==============================================================================
Add.name = 'add'

# Parameters for Additive:
# ==============================================================================
Additive.n_samples = 64000
Additive.name = 'additive'
Additive.scale_fn = @core.exp_sigmoid

Autoencoder.decoder = @decoders.RnnFcDecoder()
Autoencoder.encoder = None
Autoencoder.losses = [@losses.SpectralLoss()]
Autoencoder.name = 'autoencoder'
Autoencoder.preprocessor = @preprocessing.DefaultPreprocessor()
Autoencoder.processor_group = @processors.ProcessorGroup()

cumsum.exclusive = False
cumsum.use_tpu = False

DefaultPreprocessor.time_steps = 1000

FilteredNoise.initial_bias = -5.0
FilteredNoise.n_samples = 64000
FilteredNoise.name = 'filtered_noise'

get_model.model = @models.Autoencoder()

ProcessorGroup.dag = \
    [(@synths.Additive(), ['amps', 'harmonic_distribution', 'f0_hz']),
     (@synths.FilteredNoise(), ['noise_magnitudes']),
     (@processors.Add(), ['filtered_noise/signal', 'additive/signal']),
     (@effects.Reverb(), ['add/signal'])]
ProcessorGroup.name = 'processor_group'

Reverb.add_dry = True
Reverb.name = 'reverb'
Reverb.reverb_length = 400
Reverb.trainable = True

RnnFcDecoder.ch = 4
RnnFcDecoder.layers_per_stack = 3
RnnFcDecoder.name = 'rnn_fc_decoder'
RnnFcDecoder.output_splits = \
    (('amps', 1), ('harmonic_distribution', 60), ('noise_magnitudes', 65))
RnnFcDecoder.rnn_channels = 8

SoloViolin.file_pattern = None

SpectralLoss.delta_delta_freq_weight = 0.0
SpectralLoss.delta_delta_time_weight = 0.0
SpectralLoss.mag_weight = 1.0

train.batch_size = %batch_size
train.data_provider = @data.SoloViolin()
"""


def settings(text):
    """Returns {binding: value} of a config with current names."""
    with gin.unlock_config():
        gin.clear_config()
        gin.parse_config(older_configs.updated(text), skip_unknown=True)
    return gin.query_parameter


def test_model_of_version_0(tmp_path):
    path = tmp_path / "operative_config-0.gin"
    path.write_text(VERSION_0)
    model = models.loading.from_config(str(path))
    assert isinstance(model.preprocessor, preprocessing.F0LoudnessPreprocessor)
    assert isinstance(model.decoder, decoders.RnnFcDecoder)
    assert model.decoder.input_keys == ["f0_scaled", "ld_scaled"]
    harmonic = model.processor_group.processors[0]
    assert isinstance(harmonic, synths.Harmonic)
    assert harmonic.name == "harmonic"
    model.build_variables()
    frames = tf.fill([1, 1000, 1], -60.0)
    outputs = model({"loudness_db": frames, "f0_hz": -4.0 * frames}, training=False)
    assert outputs["harmonic"]["signal"].shape == [1, 64000]
    np.testing.assert_allclose(outputs["ld_scaled"], 0.5, atol=1e-6)


def test_todays_names_stay():
    text = (
        "Harmonic.name = 'additive'\nRnnFcDecoder.ch = 8\n"
        "processors.Add.name = 'Add'\nSinusoidal.amp_scale_fn = @core.exp_sigmoid\n"
    )
    assert older_configs.updated(text) == text


@pytest.mark.parametrize(
    ("text", "binding", "value"),
    [
        ("Additive.amp_scale_fn = None", "Harmonic.scale_fn", None),
        ("a/b/synths.Additive.n_samples = 8", "a/b/synths.Harmonic.n_samples", 8),
        ("FilteredNoise.amp_scale_fn = None", "FilteredNoise.scale_fn", None),
        ("TrainableReverb.reverb_length = 8", "Reverb.reverb_length", 8),
        ("TrainableReverb.reverb_length = 8", "Reverb.trainable", True),
        ("TrainableReverb.reverb_only = True", "Reverb.add_dry", False),
        ("Reverb.reverb_only = False", "Reverb.add_dry", True),
        (
            "ZRnnFcDecoder.append_f0_loudness = True",
            "RnnFcDecoder.input_keys",
            ("f0_scaled", "ld_scaled", "z"),
        ),
        (
            "DefaultPreprocessor.time_steps = 8\nRnnFcDecoder.input_keys = ('z',)",
            "RnnFcDecoder.input_keys",
            ("z",),
        ),
        (
            "DilatedConvDecoder.resample = [\n  1,\n]\nDilatedConvDecoder.ch = 8",
            "DilatedConvDecoder.ch",
            8,
        ),
    ],
)
def test_names(text, binding, value):
    assert settings(text)(binding) == value


def test_what_cannot_be_any_more_is_named(tmp_path):
    path = tmp_path / "operative_config-0.gin"
    path.write_text("ZRnnFcDecoder.append_f0_loudness = False\n")
    with pytest.raises(ValueError, match=r"config-0.*append_f0_loudness.*got False"):
        models.loading.from_config(str(path))
    path.write_text("get_model.model = @models.TranscribingAutoencoder()\n")
    with pytest.raises(ValueError, match="TranscribingAutoencoder"):
        models.loading.from_config(str(path))


def test_fine_tuning_starts_from_todays_names(tmp_path):
    (tmp_path / "operative_config-0.gin").write_text(VERSION_0)
    with flagsaver.flagsaver():
        # The class of its data was removed.
        provider = "--gin_param=train.data_provider=@data.TFRecordProvider()"
        ddsp_run.FLAGS(["ddsp_run", "--gin_param=RnnFcDecoder.ch=5", provider])
        ddsp_run.parse_gin(str(tmp_path))
    assert gin.query_parameter("Harmonic.n_samples") == 64000
    assert gin.query_parameter("RnnFcDecoder.ch") == 5
