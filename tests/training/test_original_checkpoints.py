"""Checkpoints of the original library, which Keras 2 wrote.

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

LEGACY_TINY = Path(__file__).with_name("legacy_tiny")
CONFIGS = Path(__file__).parents[2] / "configs"
CONTROLS = ("amps", "harmonic_distribution", "noise_magnitudes")


@pytest.fixture(scope="module")
def reference():
    """The batch that the original was fed, and what it made of that."""
    with np.load(LEGACY_TINY / "reference.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def restored(reference):
    """What the restored model makes of the batch."""
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
    """The sum of sinusoids whose phases are added up in a precision."""
    numbers = np.arange(1, n_harmonics + 1, dtype=np.float32)
    frequencies = core.resample(f0_hz * numbers, amplitudes.shape[1]).numpy()
    steps = frequencies * np.float32(2.0 * np.pi) / np.float32(16000)
    phases = np.cumsum(steps, axis=1, dtype=dtype)
    return np.sum(np.sin(phases) * amplitudes, axis=-1)


def test_harmonic_signal_of_the_original(reference, restored):
    """The original adds up phases in float32, which drift: 0.3 off after 4 s.

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
    # Before there is much to drift.
    np.testing.assert_allclose(
        harmonic["signal"][:, :2000], reference["harmonic/signal"][:, :2000], atol=3e-3
    )


def assert_arrived(model, values, expected):
    """Each variable has the value of its path, and no other is left."""
    assert len(expected) == len(model.weights)
    assert len({id(variable) for variable, _ in expected}) == len(model.weights)
    for variable, path in expected:
        np.testing.assert_array_equal(variable, values[path], err_msg=path)


def of_dense(layer, path):
    return [(layer.kernel, f"{path}/kernel"), (layer.bias, f"{path}/bias")]


def of_rnn(layer, path):
    cell = layer.cell
    return [
        (cell.kernel, f"{path}/cell/kernel"),
        (cell.recurrent_kernel, f"{path}/cell/recurrent_kernel"),
        (cell.bias, f"{path}/cell/bias"),
    ]


def of_fc_stack(stack, path):
    expected = []
    for i, fc in enumerate(stack.layers):
        dense, norm, _ = fc.layers
        within = f"{path}/layer_with_weights-{i}/layer_with_weights"
        expected += of_dense(dense, f"{within}-0")
        expected += [(norm.gamma, f"{within}-1/gamma"), (norm.beta, f"{within}-1/beta")]
    return expected


def of_norm(layer, path):
    return [(layer.scale, f"{path}/scale"), (layer.shift, f"{path}/shift")]


def fc_stack(n_in, ch, n_layers):
    """`nn.FcStack`: each layer a dense one, a normalisation and a nonlinearity."""
    sizes = [n_in, *[ch] * n_layers]
    return keras2.sequential(
        *(
            keras2.sequential(keras2.dense(n, ch), keras2.layer_norm(ch), {})
            for n in sizes[:-1]
        )
    )


def norm(n):
    """`nn.Normalize`."""
    return {"scale": (1, 1, 1, n), "shift": (1, 1, 1, n)}


def rnn_fc_decoder(n_inputs, rnn, n_layers=3, n_out=126):
    """`RnnFcDecoder` with 4 channels and 8 units."""
    stacks = [fc_stack(n, 4, n_layers) for n in n_inputs]
    return {
        "input_stacks": keras2.listed(*stacks),
        "rnn": {"rnn": rnn},
        "out_stack": fc_stack(4 * len(stacks) + 8, 4, n_layers),
        "dense_out": keras2.dense(4, n_out),
    }


def of_decoder(decoder, path="decoder"):
    expected = of_rnn(decoder.rnn.rnn, f"{path}/rnn/rnn")
    for i, stack in enumerate(decoder.input_stacks):
        expected += of_fc_stack(stack, f"{path}/input_stacks/{i}")
    expected += of_fc_stack(decoder.out_stack, f"{path}/out_stack")
    return expected + of_dense(decoder.dense_out, f"{path}/dense_out")


def from_config(name, *bindings):
    gin.add_config_file_search_path(str(CONFIGS))
    gin.parse_config_file(name)
    gin.parse_config(
        ["RnnFcDecoder.rnn_channels = 8", "RnnFcDecoder.ch = 4", *bindings]
    )
    return models.get_model()


@pytest.mark.parametrize("rnn_type", ["gru", "lstm"])
def test_solo_instrument(tmp_path, rnn_type):
    """Dense stacks with layer normalisation around a recurrent layer, a reverb."""
    reverb = {"ir": (400,)}
    reverb["_ir"] = reverb["ir"]
    rnn = getattr(keras2, rnn_type)(8, 8)
    values = keras2.write(
        tmp_path / "ckpt-4",
        {
            "_losses_dict": {},
            "decoder": rnn_fc_decoder([1, 1], rnn),
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
    expected = [*of_decoder(model.decoder), (ir, "processor_group/reverb/ir")]
    assert_arrived(model, values, expected)


def test_autoencoder_with_latent_variable(tmp_path):
    """A normalisation of MFCCs, a recurrent and a dense layer before the decoder."""
    values = keras2.write(
        tmp_path / "ckpt-4",
        {
            "encoder": {
                "z_norm": norm(30),
                "rnn": {"rnn": keras2.gru(30, 6)},
                "dense_out": keras2.dense(6, 16),
            },
            "decoder": rnn_fc_decoder([1, 1, 16], keras2.gru(12, 8), n_out=166),
        },
    )
    model = from_config(
        "models/ae.gin", "MfccTimeDistributedRnnEncoder.rnn_channels = 6"
    )
    model.restore(str(tmp_path))
    encoder = model.encoder
    expected = [
        *of_norm(encoder.z_norm, "encoder/z_norm"),
        *of_rnn(encoder.rnn.rnn, "encoder/rnn/rnn"),
        *of_dense(encoder.dense_out, "encoder/dense_out"),
        *of_decoder(model.decoder),
    ]
    assert_arrived(model, values, expected)
