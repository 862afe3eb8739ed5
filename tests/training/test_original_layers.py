"""Single layers of the original in its checkpoints."""

import pytest
import tensorflow as tf

from ddsp.training import decoders, nn
from tests.training import keras2
from tests.training import original_layers as original


@pytest.mark.parametrize("causal", [False, True])
def test_convolutions(tmp_path, causal):
    table = original.dilated_conv_stack(n_in=2, ch=4, n_layers=6)
    values = keras2.write(tmp_path / "ckpt-4", {"net": table})
    net = nn.DilatedConvStack(
        ch=4, layers_per_stack=3, stacks=2, norm_type="layer", causal=causal
    )
    model = original.Holder(net, tf.zeros([1, 8, 2]))
    model.restore(str(tmp_path))
    original.assert_arrived(model, values, original.of_conv_stack(net, "net"))


def test_conditional_convolutions_with_spectral_norm(tmp_path):
    table = original.dilated_conv_stack(
        2, 4, 4, n_resampling=2, n_z=3, wrap=original.spectrally_normalized
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
    model = original.Holder(net, [tf.zeros([1, 8, 2]), tf.zeros([1, 1, 3])])
    model.restore(str(tmp_path))
    original.assert_arrived(model, values, original.of_conv_stack(net, "net"))


def test_convolutional_decoder(tmp_path):
    """The latent variable has its own stack."""
    stack = {
        "stack": original.fc_stack(3, 5, 1),
        "dense_out": keras2.dense(5, 2),
    }
    table = {
        "precondition_stack": stack,
        "dilated_conv_stack": original.dilated_conv_stack(2, 4, 2, n_z=2),
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
    model = original.Holder(
        net, {"ld_scaled": x, "f0_scaled": x, "z": tf.zeros([1, 8, 3])}
    )
    model.restore(str(tmp_path))
    expected = [
        *original.of_fc_stack(
            net.precondition_stack.stack, "net/precondition_stack/stack"
        ),
        *original.of_dense(
            net.precondition_stack.dense_out, "net/precondition_stack/dense_out"
        ),
        *original.of_conv_stack(net.dilated_conv_stack, "net/dilated_conv_stack"),
        *original.of_dense(net.dense_out, "net/dense_out"),
    ]
    original.assert_arrived(model, values, expected)


def test_recurrent_layer_in_both_directions(tmp_path):
    rnn = {"forward_layer": keras2.gru(3, 4), "backward_layer": keras2.gru(3, 4)}
    values = keras2.write(tmp_path / "ckpt-4", {"net": {"rnn": rnn}})
    net = nn.Rnn(4, "gru", bidir=True)
    model = original.Holder(net, tf.zeros([1, 8, 3]))
    model.restore(str(tmp_path))
    expected = [
        *original.of_rnn(net.rnn.forward_layer, "net/rnn/forward_layer"),
        *original.of_rnn(net.rnn.backward_layer, "net/rnn/backward_layer"),
    ]
    original.assert_arrived(model, values, expected)


@pytest.mark.parametrize("conditional", [False, True])
def test_resnet(tmp_path, conditional):
    n_z = 3 if conditional else 0
    values = keras2.write(
        tmp_path / "ckpt-4", {"net": original.resnet(1, 16, [2, 2, 2], n_z)}
    )
    net = nn.ResNet("tiny", conditional=conditional)
    x = tf.zeros([1, 2, 64, 1])
    model = original.Holder(net, [x, tf.zeros([1, 1, n_z])] if n_z else x)
    model.restore(str(tmp_path))
    expected = original.of_resnet(net, "net")
    original.assert_arrived(model, values, expected)


def test_vector_quantization(tmp_path):
    values = keras2.write(
        tmp_path / "ckpt-4", {"net": {"counts": (5,), "sums": (5, 4)}}
    )
    net = nn.VectorQuantization(k=5)
    model = original.Holder(net, tf.zeros([1, 8, 4]))
    model.restore(str(tmp_path))
    expected = [(net.counts, "net/counts"), (net.sums, "net/sums")]
    original.assert_arrived(model, values, expected)
