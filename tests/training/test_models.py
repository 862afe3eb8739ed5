"""Autoencoder: composition by gin, parameter counts, restoring, any length."""

import json
from pathlib import Path

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from ddsp import effects, losses, processors, synths
from ddsp.training import decoders, models, preprocessing

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(autouse=True)
def config_root():
    gin.add_config_file_search_path(str(CONFIGS))


def small(rnn_channels=8, n_harmonics=4, n_samples=2560):
    """An autoencoder of a few hundred parameters."""
    return models.Autoencoder(
        preprocessor=preprocessing.F0LoudnessPreprocessor(time_steps=n_samples // 64),
        decoder=decoders.RnnFcDecoder(
            rnn_channels,
            layers_per_stack=0,
            input_keys=("ld_scaled", "f0_scaled"),
            output_splits=(
                ("amps", 1),
                ("harmonic_distribution", n_harmonics),
                ("noise_magnitudes", 5),
            ),
        ),
        processor_group=processors.ProcessorGroup(
            dag=[
                (
                    synths.Harmonic(n_samples=n_samples),
                    ["amps", "harmonic_distribution", "f0_hz"],
                ),
                (
                    synths.FilteredNoise(n_samples=n_samples, window_size=0),
                    ["noise_magnitudes"],
                ),
                (processors.Add(), ["filtered_noise/signal", "harmonic/signal"]),
                (effects.Reverb(trainable=True, reverb_length=400), ["add/signal"]),
            ]
        ),
        losses=[losses.SpectralLoss(fft_sizes=(256, 64), logmag_weight=1.0)],
    )


def batch(n_frames, seed=0):
    rng = np.random.default_rng(seed)
    features = {
        "audio": rng.normal(scale=0.1, size=[2, n_frames * 64]),
        "f0_hz": rng.uniform(200, 400, size=[2, n_frames]),
        "loudness_db": rng.uniform(-60, -10, size=[2, n_frames]),
    }
    return {k: v.astype(np.float32) for k, v in features.items()}


def n_trainable(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        # Counts of the models of the original, with a reverb of 48,000 samples.
        ("models/solo_instrument.gin", 4_849_150),
        ("papers/iclr2020/tiny_instrument.gin", 280_314),
        ("models/ae.gin", 7_251_186),
    ],
)
def test_configs_have_the_original_number_of_parameters(config, expected):
    gin.parse_config_file(config)
    model = models.get_model()
    model.build_variables()
    assert n_trainable(model) == expected


def test_outputs_and_losses():
    model = small()
    features = batch(40)
    outputs, losses_dict = model(features, return_losses=True, training=True)
    assert model.get_audio_from_outputs(outputs).shape == [2, 2560]
    assert outputs["harmonic"]["signal"].shape == [2, 2560]
    assert outputs["amps"].shape == [2, 40, 1]
    assert set(losses_dict) == {"spectral_loss", "total_loss"}
    np.testing.assert_allclose(losses_dict["total_loss"], losses_dict["spectral_loss"])
    total = model.sum_losses({"a": tf.constant(1.0), "b": tf.constant(2.5)})
    assert float(total) == 3.5
    assert float(model.sum_losses({})) == 0.0


def test_call_leaves_the_batch_alone():
    features = batch(40)
    before = dict(features)
    small()(features, training=False)
    assert features == before


def test_lists_in_a_batch_are_arrays():
    model, features = small(), batch(40)
    listed = {**features, "f0_hz": features["f0_hz"].tolist()}
    expected = model(features, training=False)["harmonic"]["signal"]
    got = model(listed, training=False)["harmonic"]["signal"]
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_every_variable_has_a_finite_gradient():
    model = small()
    features = batch(40)
    with tf.GradientTape() as tape:
        _, losses_dict = model(features, return_losses=True, training=True)
    variables = [v.value for v in model.trainable_variables]
    for gradient in tape.gradient(losses_dict["total_loss"], variables):
        assert np.all(np.isfinite(gradient)) and np.any(gradient)


@pytest.mark.parametrize("n_frames", [10, 75])
def test_any_length(n_frames):
    model = small()
    model(batch(40), training=False)
    features = batch(n_frames)
    outputs = model(features, training=False, n_samples=n_frames * 64)
    assert outputs["audio_synth"].shape == [2, n_frames * 64]
    assert outputs["amps"].shape == [2, n_frames, 1]
    encoded = model.encode(features, training=False, n_samples=n_frames * 64)
    decoded = model.decode(encoded, training=False, n_samples=n_frames * 64)
    assert decoded.shape == [2, n_frames * 64]


def test_a_length_between_frames_is_refused():
    with pytest.raises(ValueError, match="multiple of 64"):
        small()(batch(10), training=False, n_samples=650)


def test_config_round_trip():
    model = small()
    copy = keras.saving.deserialize_keras_object(
        json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    )
    model.build_variables()
    copy.build_variables()
    copy.set_weights(model.get_weights())
    features = batch(40)
    # Not the sum: the noise differs between calls.
    expected = model(features, training=False)["harmonic"]["signal"]
    actual = copy(features, training=False)["harmonic"]["signal"]
    np.testing.assert_array_equal(actual, expected)


def test_gin_model_round_trips_through_its_config():
    gin.parse_config_file("papers/iclr2020/tiny_instrument.gin")
    model = models.get_model()
    config = keras.saving.serialize_keras_object(model)
    gin.clear_config()
    copy = keras.saving.deserialize_keras_object(config)
    copy.build_variables()
    assert n_trainable(copy) == 280_314


def saved(model, folder):
    model.build_variables()
    return tf.train.Checkpoint(model=model).write(str(folder / "ckpt-3"))


def test_restore(tmp_path):
    model, other = small(), small()
    path = saved(model, tmp_path)
    other.restore(path)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_restore_layers_in_lists(tmp_path):
    """The input stacks of the decoder, which Keras does not track."""
    gin.parse_config_file("models/solo_instrument.gin")
    gin.parse_config(
        """
        RnnFcDecoder.rnn_channels = 8
        RnnFcDecoder.ch = 4
        Reverb.reverb_length = 400
        """
    )
    model, other = models.get_model(), models.get_model()
    path = saved(model, tmp_path)
    other.restore(path)
    assert len(model.get_weights()) > 40
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    keys = [key for key, _ in tf.train.list_variables(path)]
    assert any(key.startswith("model/decoder/input_stacks/1/") for key in keys)


def test_weights_that_no_attribute_leads_to_are_named(tmp_path):
    path = saved(small(), tmp_path)
    model = small()
    # Checkpoints only find lists in public attributes.
    model._hidden = [keras.layers.Dense(1)]
    model._hidden[0].build([1, 2])
    with pytest.raises(ValueError, match=r"got \['.*kernel', '.*bias'\]"):
        model.restore(path)


def test_restore_some_keys(tmp_path):
    model, other = small(), small()
    path = saved(model, tmp_path)
    other.build_variables()
    before = other.processor_group.reverb.get_weights()
    other.restore(path, restore_keys=["decoder"])
    for a, b in zip(
        model.decoder.get_weights(), other.decoder.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(before, other.processor_group.reverb.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="'decodr'"):
        other.restore(path, restore_keys=["decodr"])


def test_restore_names_the_first_difference_and_changes_nothing(tmp_path):
    path = saved(small(rnn_channels=8), tmp_path)
    other = small(rnn_channels=6)
    other.build_variables()
    before = other.get_weights()
    shapes = r"'decoder/.*' must have shape \(.*\), got \(.*\)"
    with pytest.raises(ValueError, match=shapes):
        other.restore(path)
    for a, b in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_restore_names_missing_and_unknown_variables(tmp_path):
    model = small()
    path = saved(model, tmp_path)
    other = small()
    other.extra = keras.Variable([1.0], name="extra")
    with pytest.raises(ValueError, match=r"missing \['extra'\]"):
        other.restore(path)
    path = saved(other, tmp_path)
    with pytest.raises(ValueError, match=r"unknown \['extra'\]"):
        model.restore(path)


def test_a_message_names_some_of_many_variables(tmp_path):
    path = saved(small(), tmp_path)
    other = small()
    for i in range(7):
        setattr(other, f"extra_{i}", keras.Variable([1.0]))
    with pytest.raises(ValueError, match=r"'extra_4'\] and 2 more and "):
        other.restore(path)


def test_restore_refuses_missing_and_damaged_checkpoints(tmp_path):
    model = small()
    with pytest.raises(FileNotFoundError):
        model.restore(str(tmp_path / "ckpt-9"))
    path = saved(model, tmp_path)
    data = Path(f"{path}.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(ValueError, match="cannot be read"):
        model.restore(path)


def test_load(tmp_path):
    gin.parse_config_file("papers/iclr2020/tiny_instrument.gin")
    gin.bind_parameter("RnnFcDecoder.rnn_channels", 8)
    gin.bind_parameter("Reverb.reverb_length", 400)
    (tmp_path / "operative_config-3.gin").write_text(gin.config_str())
    (tmp_path / "operative_config-0.gin").write_text("")
    model = models.get_model()
    saved(model, tmp_path)

    loaded = models.load(tmp_path)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    outputs = loaded(batch(10), training=False, n_samples=640)
    assert outputs["audio_synth"].shape == [2, 640]


def test_load_says_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        models.load(tmp_path)
    saved(small(), tmp_path)
    with pytest.raises(FileNotFoundError, match="operative_config"):
        models.load(tmp_path)
    for config in ("", "get_model.model = @models.HmmMidiAutoencoder()"):
        (tmp_path / "operative_config-3.gin").write_text(config)
        with pytest.raises(ValueError, match="gin' does not describe a model"):
            models.load(tmp_path)


def test_a_model_without_variables_says_so():
    with pytest.raises(ValueError, match="call it on a batch first"):
        models.Model().restore("nowhere")


def test_mixed_precision_keeps_audio_in_float32():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = small()
        outputs, losses_dict = model(batch(40), return_losses=True, training=True)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert outputs["audio_synth"].dtype == tf.float32
    assert np.isfinite(losses_dict["total_loss"])
