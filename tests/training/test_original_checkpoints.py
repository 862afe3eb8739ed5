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
from ddsp.training import decoders, models, nn
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


class Holder(models.Model):
    """A model of one layer."""

    def __init__(self, net, *inputs):
        super().__init__()
        self.net = net
        self(*inputs)

    def call(self, *inputs, training=False):
        return {"out": self.net(*inputs)}


def spectrally_normalized(layer):
    """The original's own wrapper, which has two names for each variable."""
    u = (1, layer["kernel"][-1])
    return {"layer": layer, "w": layer["kernel"], "u": u, "sn_u": u}


def film(n_z, n):
    """`nn.ConditionalNorm`."""
    return {"conditional_scale_and_shift": {"dense": keras2.dense(n_z, 2 * n)}}


def dilated_conv_stack(n_in, ch, n_layers, n_resampling=0, n_z=0, wrap=dict):
    """`nn.DilatedConvStack` with kernels of three taps, upsampling by two."""
    convs = [wrap(keras2.conv(3, 1, ch, ch)) for _ in range(n_layers)]
    norms = [film(n_z, ch) if n_z else norm(ch) for _ in range(n_layers)]
    resampling = [
        wrap(keras2.conv_transpose(4, 1, ch, ch)) for _ in range(n_resampling)
    ]
    return {
        "conv_in": wrap(keras2.conv(3, 1, n_in, ch)),
        "layers": keras2.listed(*(keras2.sequential({}, conv) for conv in convs)),
        "norms": keras2.listed(*norms),
        "resample_layers": keras2.listed(*resampling),
    }


def of_conv(layer, path):
    if hasattr(layer, "vector_u"):
        return [*of_dense(layer.layer, f"{path}/layer"), (layer.vector_u, f"{path}/u")]
    return of_dense(layer, path)


def of_conv_stack(stack, path):
    expected = of_conv(stack.conv_in, f"{path}/conv_in")
    for i, layer in enumerate(stack.layers):
        expected += of_conv(layer.layers[1], f"{path}/layers/{i}/layer-1")
    for i, layer in enumerate(stack.norms):
        within = f"{path}/norms/{i}"
        if stack.conditional:
            within += "/conditional_scale_and_shift"
            dense = layer.conditional_scale_and_shift.dense
            expected += of_dense(dense, f"{within}/dense")
        else:
            expected += of_norm(layer, within)
    for i, layer in enumerate(stack.resample_layers):
        expected += of_conv(layer, f"{path}/resample_layers/{i}")
    return expected


@pytest.mark.parametrize("causal", [False, True])
def test_convolutions(tmp_path, causal):
    table = dilated_conv_stack(n_in=2, ch=4, n_layers=6)
    values = keras2.write(tmp_path / "ckpt-4", {"net": table})
    net = nn.DilatedConvStack(
        ch=4, layers_per_stack=3, stacks=2, norm_type="layer", causal=causal
    )
    model = Holder(net, tf.zeros([1, 8, 2]))
    model.restore(str(tmp_path))
    assert_arrived(model, values, of_conv_stack(net, "net"))


def test_conditional_convolutions_with_spectral_norm(tmp_path):
    table = dilated_conv_stack(
        2, 4, 4, n_resampling=2, n_z=3, wrap=spectrally_normalized
    )
    values = keras2.write(tmp_path / "ckpt-4", {"net": table})
    net = nn.DilatedConvStack(
        ch=4,
        layers_per_stack=2,
        stacks=2,
        resample_type="upsample",
        resample_stride=2,
        spectral_norm=True,
        conditional=True,
    )
    model = Holder(net, [tf.zeros([1, 8, 2]), tf.zeros([1, 1, 3])])
    model.restore(str(tmp_path))
    assert_arrived(model, values, of_conv_stack(net, "net"))


def test_convolutional_decoder(tmp_path):
    """Its latent variable passes a stack of its own."""
    stack = {"stack": fc_stack(3, 5, 1), "dense_out": keras2.dense(5, 2)}
    table = {
        "precondition_stack": stack,
        "dilated_conv_stack": dilated_conv_stack(2, 4, 2, n_z=2),
        "dense_out": keras2.dense(4, 7),
    }
    values = keras2.write(tmp_path / "ckpt-4", {"net": table})
    net = decoders.DilatedConvDecoder(
        ch=4,
        layers_per_stack=2,
        stacks=1,
        conditioning_keys=("z",),
        output_splits=(("amps", 1), ("harmonic_distribution", 6)),
        precondition_stack=nn.FcStackOut(ch=5, layers=1, n_out=2),
    )
    x = tf.zeros([1, 8, 1])
    model = Holder(net, {"ld_scaled": x, "f0_scaled": x, "z": tf.zeros([1, 8, 3])})
    model.restore(str(tmp_path))
    expected = [
        *of_fc_stack(net.precondition_stack.stack, "net/precondition_stack/stack"),
        *of_dense(net.precondition_stack.dense_out, "net/precondition_stack/dense_out"),
        *of_conv_stack(net.dilated_conv_stack, "net/dilated_conv_stack"),
        *of_dense(net.dense_out, "net/dense_out"),
    ]
    assert_arrived(model, values, expected)


def test_recurrent_layer_in_both_directions(tmp_path):
    rnn = {"forward_layer": keras2.gru(3, 4), "backward_layer": keras2.gru(3, 4)}
    values = keras2.write(tmp_path / "ckpt-4", {"net": {"rnn": rnn}})
    net = nn.Rnn(4, "gru", bidir=True)
    model = Holder(net, tf.zeros([1, 8, 3]))
    model.restore(str(tmp_path))
    expected = [
        *of_rnn(net.rnn.forward_layer, "net/rnn/forward_layer"),
        *of_rnn(net.rnn.backward_layer, "net/rnn/backward_layer"),
    ]
    assert_arrived(model, values, expected)


def test_version_0(tmp_path):
    """Stacks had names, the recurrent layer no wrapper, processors no attribute."""
    reverb = {"ir": (400,)}
    chain = ({}, {}, {}, reverb)
    table = rnn_fc_decoder([1, 1], keras2.gru(8, 8))
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
        *of_fc_stack(decoder.input_stacks[0], "decoder/f_stack"),
        *of_fc_stack(decoder.input_stacks[1], "decoder/l_stack"),
        *of_rnn(decoder.rnn.rnn, "decoder/rnn"),
        *of_fc_stack(decoder.out_stack, "decoder/out_stack"),
        *of_dense(decoder.dense_out, "decoder/dense_out"),
        (
            model.processor_group.reverb.trainable_variables[0],
            "processor_group/processors/3/ir",
        ),
    ]
    assert_arrived(model, values, expected)


def changed_autoencoder(tmp_path, change):
    """A model, its weights, and the checkpoint of a table that was changed."""
    table = {"decoder": rnn_fc_decoder([1, 1], keras2.gru(8, 8))}
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
    table["decoder"]["input_stacks"]["2"] = fc_stack(1, 4, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            longer,
            r"'processor_group/reverb/ir' has shape \(400,\) in the model, received "
            r"\(500,\)",
        ),
        (without_reverb, r"that it lacks: \['processor_group/reverb/ir'\]"),
        (
            with_third_stack,
            r"the model lacks: \['decoder/input_stacks/2/layer_with_weights-0/",
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
    """Another instrument's decoder without its reverb."""
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
    with pytest.raises(ValueError, match=r"unknown version.*'rnn_fc_decoder/dense/ker"):
        model.restore(path)
    tf.train.Checkpoint(decoder=model.decoder).write(path)
    with pytest.raises(ValueError, match=r"unknown version.*\['decoder'\]"):
        model.restore(path)
