"""Settings from gin and configs for Keras, by one mechanism."""

import gin
import keras
import pytest

from ddsp import core, effects, losses, processors, synths


def test_bindings_fill_what_was_not_given():
    gin.parse_config("Harmonic.n_samples = 123\nHarmonic.sample_rate = 8000")
    assert synths.Harmonic().n_samples == 123
    assert synths.Harmonic().sample_rate == 8000


def test_what_is_given_wins():
    gin.parse_config("Harmonic.n_samples = 123")
    assert synths.Harmonic(n_samples=7).n_samples == 7
    assert synths.Harmonic(8).n_samples == 8


def test_without_gin_the_defaults_hold():
    assert synths.Harmonic().n_samples == 64000
    assert synths.Harmonic(n_samples=None).n_samples is None


def test_scopes():
    gin.parse_config("Reverb.reverb_length = 10\nlong/Reverb.reverb_length = 99")
    assert effects.Reverb().get_config()["reverb_length"] == 10
    with gin.config_scope("long"):
        assert effects.Reverb().get_config()["reverb_length"] == 99


def test_a_subclass_keeps_clear_of_its_parents_bindings():
    gin.parse_config("Reverb.reverb_length = 10\nReverb.add_dry = False")
    config = effects.ExpDecayReverb().get_config()
    assert config["reverb_length"] == 48000
    assert config["add_dry"] is True


def test_what_gin_gave_is_operative():
    """Also where Python code makes the layer: the model is made again from that."""
    gin.parse_config("Harmonic.n_samples = 123\nlong/Reverb.reverb_length = 99")
    synths.Harmonic(sample_rate=8000)
    synths.FilteredNoise()
    with gin.config_scope("long"):
        effects.Reverb()
    lines = gin.operative_config_str().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == [
        "Harmonic.n_samples = 123",
        "long/Reverb.reverb_length = 99",
    ]


GROUP = """
ProcessorGroup.dag = [
  (@synths.Harmonic(), ['amps', 'harmonic_distribution', 'f0_hz']),
  (@synths.FilteredNoise(), ['magnitudes']),
  (@processors.Add(), ['harmonic/signal', 'filtered_noise/signal']),
]
Harmonic.n_samples = 320
Harmonic.scale_fn = @core.exp_sigmoid
FilteredNoise.n_samples = 320
"""


def test_a_group_is_made_from_a_parsed_config():
    gin.parse_config(GROUP)
    group = processors.ProcessorGroup()
    names = [processor.name for processor in group.processors]
    assert names == ["harmonic", "filtered_noise", "add"]
    assert group.processors[0].n_samples == 320


def test_add_is_the_processor_though_keras_layers_are_known():
    import ddsp.training  # noqa: F401

    gin.parse_config(GROUP.replace("@processors.Add()", "@Add()"))
    *_, add = processors.ProcessorGroup().processors
    assert isinstance(add, processors.Add)


def test_a_group_from_gin_survives_without_gin():
    gin.parse_config(GROUP)
    config = keras.saving.serialize_keras_object(processors.ProcessorGroup())
    gin.clear_config()
    group = keras.saving.deserialize_keras_object(config)
    assert group.processors[0].n_samples == 320
    assert group.processors[0].scale_fn(0.0) == core.exp_sigmoid(0.0)
    assert [node[0] for node in group.dag] == ["harmonic", "filtered_noise", "add"]


def test_a_layer_used_twice_stays_one_layer():
    dag = [("room", ["one"]), ("room", ["two"])]
    group = processors.ProcessorGroup(dag=dag, room=effects.Reverb(True, 10))
    copy = processors.ProcessorGroup.from_config(group.get_config())
    assert len(copy.processors) == 1
    reverb = effects.Reverb(True, 10)
    group = processors.ProcessorGroup(dag=[(reverb, ["one"]), (reverb, ["two"])])
    copy = processors.ProcessorGroup.from_config(group.get_config())
    assert len(copy.processors) == 1


def test_a_missing_argument_is_named():
    with pytest.raises(TypeError, match="dag"):
        processors.ProcessorGroup()


def test_gin_refuses_an_unknown_parameter():
    with pytest.raises(ValueError, match="n_smaples"):
        gin.parse_config("synths.Harmonic.n_smaples = 3")


def test_a_function_follows_its_bindings():
    gin.parse_config("exp_sigmoid.max_value = 5.0")
    assert abs(float(core.exp_sigmoid(100.0)) - 5.0) < 1e-5


def test_names_from_a_config_carry_over():
    loss = losses.SpectralLoss(name="mine", fft_sizes=(64,))
    copy = losses.SpectralLoss.from_config(loss.get_config())
    assert copy.name == "mine"
    assert copy.fft_sizes == (64,)
