"""Tables of the variable paths of the layers of the original, see `keras2`.

Each table comes with pairs of a variable of this library and the path of the
corresponding variable of the original.
"""

import numpy as np

from ddsp.training import models
from tests.training import keras2


class Holder(models.Model):
    """A model of one layer."""

    def __init__(self, net, *inputs):
        super().__init__()
        self.net = net
        self(*inputs)

    def call(self, *inputs, training=False):
        return {"out": self.net(*inputs)}


def assert_arrived(model, values, expected):
    """Asserts that each variable has the value of its path, and that none is left."""
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


def norm(n):
    """`nn.Normalize`."""
    return {"scale": (1, 1, 1, n), "shift": (1, 1, 1, n)}


def of_norm(layer, path):
    return [(layer.scale, f"{path}/scale"), (layer.shift, f"{path}/shift")]


def fc_stack(n_in, ch, n_layers):
    """`nn.FcStack`: each layer dense, normalization and nonlinearity."""
    sizes = [n_in, *[ch] * n_layers]
    return keras2.sequential(
        *(
            keras2.sequential(keras2.dense(n, ch), keras2.layer_norm(ch), {})
            for n in sizes[:-1]
        )
    )


def of_fc_stack(stack, path):
    expected = []
    for i, fc in enumerate(stack.layers):
        dense, norm, _ = fc.layers
        within = f"{path}/layer_with_weights-{i}/layer_with_weights"
        expected += of_dense(dense, f"{within}-0")
        expected += [(norm.gamma, f"{within}-1/gamma"), (norm.beta, f"{within}-1/beta")]
    return expected


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


def spectrally_normalized(layer):
    """The wrapper of the original, with two names for each variable."""
    u = (1, layer["kernel"][-1])
    return {"layer": layer, "w": layer["kernel"], "u": u, "sn_u": u}


def of_conv(layer, path):
    if hasattr(layer, "vector_u"):
        return [*of_dense(layer.layer, f"{path}/layer"), (layer.vector_u, f"{path}/u")]
    return of_dense(layer, path)


def film(n_z, n):
    """`nn.ConditionalNorm`."""
    return {"conditional_scale_and_shift": {"dense": keras2.dense(n_z, 2 * n)}}


def of_any_norm(layer, path):
    if not hasattr(layer, "conditional_scale_and_shift"):
        return of_norm(layer, path)
    dense = layer.conditional_scale_and_shift.dense
    return of_dense(dense, f"{path}/conditional_scale_and_shift/dense")


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


def of_conv_stack(stack, path):
    expected = of_conv(stack.conv_in, f"{path}/conv_in")
    for i, layer in enumerate(stack.layers):
        expected += of_conv(layer.layers[1], f"{path}/layers/{i}/layer-1")
    for i, layer in enumerate(stack.norms):
        expected += of_any_norm(layer, f"{path}/norms/{i}")
    for i, layer in enumerate(stack.resample_layers):
        expected += of_conv(layer, f"{path}/resample_layers/{i}")
    return expected


def norm_relu_conv(n_in, n_out, k):
    """`nn.NormReluConv`."""
    return keras2.sequential(norm(n_in), {}, keras2.conv(k, k, n_in, n_out))


def of_norm_relu_conv(layer, path):
    first, _, conv = layer.layers
    return [*of_norm(first, f"{path}/layer-0"), *of_dense(conv, f"{path}/layer-2")]


def residual_layer(n_in, ch, first, n_z):
    """`nn.ResidualLayer`."""
    table = {
        "norm_input": film(n_z, n_in) if n_z else norm(n_in),
        "bottleneck": keras2.sequential(
            keras2.conv(1, 1, n_in, ch),
            norm_relu_conv(ch, ch, 3),
            norm_relu_conv(ch, 4 * ch, 1),
        ),
    }
    if first:
        table["conv_proj"] = keras2.conv(1, 1, n_in, 4 * ch)
    return table


def of_residual_layer(layer, path):
    expected = of_any_norm(layer.norm_input, f"{path}/norm_input")
    conv, *others = layer.bottleneck.layers
    expected += of_dense(conv, f"{path}/bottleneck/layer-0")
    for i, other in enumerate(others, 1):
        expected += of_norm_relu_conv(other, f"{path}/bottleneck/layer-{i}")
    if layer.shortcut:
        expected += of_dense(layer.conv_proj, f"{path}/conv_proj")
    return expected


def residual_stack(n_in, filters, block_sizes, n_z):
    """`nn.ResidualStack`."""
    layers = []
    for ch, n_layers in zip(filters, block_sizes, strict=True):
        for i in range(n_layers):
            layers.append(residual_layer(n_in, ch, i == 0, n_z))
            n_in = 4 * ch
    return {"layers": keras2.listed(*layers, norm(n_in), {})}


def of_residual_stack(stack, path):
    *layers, last, _ = stack.layers
    expected = of_norm(last, f"{path}/layers/{len(layers)}")
    for i, layer in enumerate(layers):
        expected += of_residual_layer(layer, f"{path}/layers/{i}")
    return expected


def resnet(n_in, ch, block_sizes, n_z=0):
    """`nn.ResNet`."""
    filters = [ch, 2 * ch, 4 * ch]
    return {
        "layers": keras2.listed(
            keras2.conv(7, 7, n_in, 64),
            {},
            residual_stack(64, filters, block_sizes, n_z),
            residual_stack(16 * ch, [8 * ch], [3], n_z),
        )
    }


def of_resnet(net, path):
    conv, _, *stacks = net.layers
    expected = of_dense(conv, f"{path}/layers/0")
    for i, stack in enumerate(stacks, 2):
        expected += of_residual_stack(stack, f"{path}/layers/{i}")
    return expected
