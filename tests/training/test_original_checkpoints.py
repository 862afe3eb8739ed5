"""Checkpoints of the original library, in the Keras 2 format.

One was written by the original itself; the others are built by hand from tables of the
attributes that lead to its variables, see `keras2`.
"""

from pathlib import Path

import gin
import numpy as np
import pytest
import tensorflow as tf

from ddsp import core
from ddsp.training import models
from tests.training import keras2
from tests.training import original_layers as original

LEGACY_TINY = Path(__file__).with_name("legacy_tiny")
CONFIGS = Path(__file__).parents[2] / "configs"
CONTROLS = ("amps", "harmonic_distribution", "noise_magnitudes")


@pytest.fixture(scope="module")
def reference():
    """Returns the batch and the outputs of the original."""
    with np.load(LEGACY_TINY / "reference.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def restored(reference):
    """Returns the outputs of the restored model."""
    model = models.load(LEGACY_TINY)
    features = {key: reference[key] for key in ("audio", "f0_hz", "loudness_db")}
    return model(features, training=False)


def test_controls_of_the_original(reference, restored):
    for key in CONTROLS:
        np.testing.assert_allclose(restored[key], reference[key], atol=1e-4)
    np.testing.assert_allclose(
        restored["harmonic"]["controls"]["amplitudes"],
        reference["harmonic/controls/amplitudes"],
        atol=1e-4,
    )


def added_up(f0_hz, amplitudes, n_harmonics, dtype):
    """Returns a sum of sinusoids, with phases accumulated in the given dtype."""
    numbers = np.arange(1, n_harmonics + 1, dtype=np.float32)
    frequencies = core.resample(f0_hz * numbers, amplitudes.shape[1]).numpy()
    steps = frequencies * np.float32(2.0 * np.pi) / np.float32(16000)
    phases = np.cumsum(steps, axis=1, dtype=dtype)
    return np.sum(np.sin(phases) * amplitudes, axis=-1)


def test_harmonic_signal_of_the_original(reference, restored):
    """The original accumulates phase in float32, which drifts: 0.3 off after 4 s.

    Its signal is what the restored controls give when they are rendered so. The signal
    here is what they give without drift, which the rounding of a partial's frequency
    to float32 keeps 1e-3 off.
    """
    harmonic = restored["harmonic"]
    distribution = harmonic["controls"]["harmonic_distribution"]
    amplitudes = harmonic["controls"]["amplitudes"] * distribution
    amplitudes = core.resample(amplitudes, 64000, method="window").numpy()
    expected, exact = (
        added_up(reference["f0_hz"], amplitudes, 60, dtype)
        for dtype in (np.float32, np.float64)
    )
    np.testing.assert_allclose(reference["harmonic/signal"], expected, atol=3e-3)
    np.testing.assert_allclose(harmonic["signal"], exact, atol=3e-3)
    # Before the drift is large.
    np.testing.assert_allclose(
        harmonic["signal"][:, :2000], reference["harmonic/signal"][:, :2000], atol=3e-3
    )


def from_config(name, *bindings):
    gin.add_config_file_search_path(str(CONFIGS))
    gin.parse_config_file(name)
    gin.parse_config(
        ["RnnFcDecoder.rnn_channels = 8", "RnnFcDecoder.ch = 4", *bindings]
    )
    return models.get_model()


@pytest.mark.parametrize("rnn_type", ["gru", "lstm"])
def test_solo_instrument(tmp_path, rnn_type):
    """Dense stacks with layer normalization around a recurrent layer, and a reverb."""
    reverb = {"ir": (400,)}
    reverb["_ir"] = reverb["ir"]
    rnn = getattr(keras2, rnn_type)(8, 8)
    values = keras2.write(
        tmp_path / "ckpt-4",
        {
            "_losses_dict": {},
            "decoder": original.rnn_fc_decoder([1, 1], rnn),
            "processor_group": {"harmonic": {}, "reverb": reverb},
        },
    )
    keys = [key for key, _ in tf.train.list_variables(str(tmp_path / "ckpt-4"))]
    kernel = "layer_with_weights-0/layer_with_weights-0/kernel"
    assert any(f"decoder/input_stacks/1/{kernel}" in key for key in keys)
    model = from_config(
        "models/solo_instrument.gin",
        f"RnnFcDecoder.rnn_type = '{rnn_type}'",
        "Reverb.reverb_length = 400",
    )
    model.restore(str(tmp_path))
    ir = model.processor_group.reverb.trainable_variables[0]
    expected = [
        *original.of_decoder(model.decoder),
        (ir, "processor_group/reverb/ir"),
    ]
    original.assert_arrived(model, values, expected)


def test_autoencoder_with_latent_variable(tmp_path):
    """Normalized MFCCs, a recurrent and a dense layer before the decoder.

    The constants of the pitch tracker that a loss compares with are no part of ours.
    """
    crepe = {"_model": keras2.sequential(keras2.conv(512, 1, 1, 2))}
    values = keras2.write(
        tmp_path / "ckpt-4",
        {
            "loss_objs": keras2.listed({"pretrained_model": crepe}),
            "encoder": {
                "z_norm": original.norm(30),
                "rnn": {"rnn": keras2.gru(30, 6)},
                "dense_out": keras2.dense(6, 16),
            },
            "decoder": original.rnn_fc_decoder(
                [1, 1, 16], keras2.gru(12, 8), n_out=166
            ),
        },
    )
    model = from_config(
        "models/ae.gin", "MfccTimeDistributedRnnEncoder.rnn_channels = 6"
    )
    model.restore(str(tmp_path))
    encoder = model.encoder
    expected = [
        *original.of_norm(encoder.z_norm, "encoder/z_norm"),
        *original.of_rnn(encoder.rnn.rnn, "encoder/rnn/rnn"),
        *original.of_dense(encoder.dense_out, "encoder/dense_out"),
        *original.of_decoder(model.decoder),
    ]
    original.assert_arrived(model, values, expected)


def test_version_0(tmp_path):
    """Named stacks, an unwrapped recurrent layer, processors without an attribute."""
    reverb = {"ir": (400,)}
    chain = ({}, {}, {}, reverb)
    table = original.rnn_fc_decoder([1, 1], keras2.gru(8, 8))
    stacks = table.pop("input_stacks")
    values = keras2.write(
        tmp_path / "ckpt-4",
        {
            "decoder": {
                **table,
                "f_stack": stacks["0"],
                "l_stack": stacks["1"],
                "rnn": table["rnn"]["rnn"],
            },
            "processor_group": {
                "dag": keras2.listed(*(keras2.listed(item, {}) for item in chain)),
                "processors": keras2.listed(*chain),
            },
        },
    )
    model = from_config("models/solo_instrument.gin", "Reverb.reverb_length = 400")
    model.restore(str(tmp_path))
    decoder = model.decoder
    expected = [
        *original.of_fc_stack(decoder.input_stacks[0], "decoder/f_stack"),
        *original.of_fc_stack(decoder.input_stacks[1], "decoder/l_stack"),
        *original.of_rnn(decoder.rnn.rnn, "decoder/rnn"),
        *original.of_fc_stack(decoder.out_stack, "decoder/out_stack"),
        *original.of_dense(decoder.dense_out, "decoder/dense_out"),
        (
            model.processor_group.reverb.trainable_variables[0],
            "processor_group/processors/3/ir",
        ),
    ]
    original.assert_arrived(model, values, expected)


def changed_autoencoder(tmp_path, change):
    """Returns a model, its weights, and a checkpoint of a modified table."""
    table = {"decoder": original.rnn_fc_decoder([1, 1], keras2.gru(8, 8))}
    table["processor_group"] = {"reverb": {"ir": (400,)}}
    change(table)
    keras2.write(tmp_path / "ckpt-4", table)
    model = from_config("models/solo_instrument.gin", "Reverb.reverb_length = 400")
    model.build_variables()
    return model, model.get_weights()


def longer(table):
    table["processor_group"]["reverb"]["ir"] = (500,)


def without_reverb(table):
    del table["processor_group"]


def with_third_stack(table):
    table["decoder"]["input_stacks"]["2"] = original.fc_stack(1, 4, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            longer,
            r"'processor_group/reverb/ir' must have shape \(400,\), got \(500,\)",
        ),
        (without_reverb, r"missing \['processor_group/reverb/ir'\]"),
        (
            with_third_stack,
            r"unknown \['decoder/input_stacks/2/layer_with_weights-0/",
        ),
    ],
)
def test_a_mismatch_is_named_and_nothing_changed(tmp_path, change, message):
    model, before = changed_autoencoder(tmp_path, change)
    with pytest.raises(ValueError, match=message):
        model.restore(str(tmp_path))
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_some_parts(tmp_path):
    """The decoder of another instrument, without its reverb."""
    model, before = changed_autoencoder(tmp_path, longer)
    model.restore(str(tmp_path), restore_keys=["decoder"])
    changed = [
        not np.array_equal(a, b)
        for a, b in zip(before, model.get_weights(), strict=True)
    ]
    assert changed.count(False) == 1


def test_a_checkpoint_of_an_unknown_version_is_refused(tmp_path):
    model = from_config("models/solo_instrument.gin", "Reverb.reverb_length = 400")
    model.build_variables()
    path = str(tmp_path / "ckpt-1")
    tf.raw_ops.SaveV2(
        prefix=path,
        tensor_names=["rnn_fc_decoder/dense/kernel"],
        shape_and_slices=[""],
        tensors=[tf.zeros([2, 2])],
    )
    with pytest.raises(
        ValueError, match=r"must be written by TensorFlow 2.*'rnn_fc_decoder/dense/ker"
    ):
        model.restore(path)
    tf.train.Checkpoint(decoder=model.decoder).write(path)
    with pytest.raises(ValueError, match=r"must hold an object.*\['decoder'\]"):
        model.restore(path)
