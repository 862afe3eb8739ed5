"""Decoders block by block: equal to offline for any partition, or an error."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddsp._core import compilation
from ddsp.training import decoders, nn
from ddsp.training.models import restoring

BATCH, TIME = 2, 23
CHANNELS = {"ld_scaled": 1, "f0_scaled": 1, "z": 4}
SPLITS = (("amps", 1), ("harmonic_distribution", 6))
# Summation order of some tens of float32 products of values of order 1 to 10.
ATOL = 1e-5

rnn = functools.partial(decoders.RnnFcDecoder, 16, ch=8, output_splits=SPLITS)
conv = functools.partial(
    decoders.DilatedConvDecoder,
    ch=32,
    layers_per_stack=3,
    output_splits=SPLITS,
    causal=True,
)
MAKERS = {
    "gru": lambda: rnn("gru", layers_per_stack=1),
    "gru, no stacks": lambda: rnn("gru", layers_per_stack=0),
    "lstm": lambda: rnn("lstm", layers_per_stack=2),
    "stateless gru": lambda: rnn("gru", layers_per_stack=0, stateless=True),
    "stateless lstm": lambda: rnn("lstm", layers_per_stack=0, stateless=True),
    "conv": conv,
    "conv, groups": lambda: conv(norm_type="group", dilation=-2, kernel_size=2),
    "conv, unconditional": lambda: conv(norm_type=None, conditioning_keys=None),
    "conv, all options": lambda: conv(
        kernel_size=1,
        stacks=1,
        conditioning_keys=("z", "f0_scaled"),
        input_keys=("ld_scaled",),
        precondition_stack=nn.FcStackOut(8, 1, 5),
        spectral_norm=True,
        ortho_init=True,
    ),
}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def features(rng):
    return {
        key: rng.normal(size=[BATCH, TIME, n]).astype(np.float32)
        for key, n in CHANNELS.items()
    }


def called(maker, features):
    """Returns a decoder and its offline outputs, without the state."""
    decoder = maker()
    state = {}
    if getattr(decoder, "stateless", False):
        n_states = 2 if "lstm" in decoder.rnn.rnn.name else 1
        state = {"state": tf.zeros([BATCH, 16 * n_states])}
    outputs = decoder({**features, **state})
    return decoder, {name: outputs[name] for name, _ in SPLITS}


def in_blocks(decoder, features, cuts, step=None):
    state = decoder.initial_state(BATCH)
    blocks = []
    for start, stop in itertools.pairwise([0, *cuts, TIME]):
        block = {key: x[:, start:stop] for key, x in features.items()}
        outputs, state = (step or decoder.step)(block, state)
        blocks.append(outputs)
    return {
        name: np.concatenate([block[name] for block in blocks], axis=1)
        for name in blocks[0]
    }


def assert_equal(actual, expected):
    assert list(actual) == list(expected)
    for name in expected:
        np.testing.assert_allclose(actual[name], expected[name], rtol=0, atol=ATOL)


@pytest.mark.parametrize("name", MAKERS)
def test_any_partition_gives_the_whole(name, features, rng):
    decoder, whole = called(MAKERS[name], features)
    for n_cuts in (0, 3, TIME - 1):
        cuts = sorted(rng.choice(np.arange(1, TIME), n_cuts, replace=False))
        assert_equal(in_blocks(decoder, features, cuts), whole)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("name", ["gru", "stateless lstm", "conv", "conv, groups"])
def test_a_compiled_step_gives_the_whole(name, jit_compile, features):
    decoder, whole = called(MAKERS[name], features)
    step = tf.function(decoder.step, autograph=False, jit_compile=jit_compile)
    # 11 frames exceed the limit of unrolled steps.
    assert_equal(in_blocks(decoder, features, [1, 2, 13, 22], step), whole)


@pytest.mark.parametrize("name", MAKERS)
def test_a_step_of_one_frame_is_plain_operations_for_exports(name, features):
    decoder, _ = called(MAKERS[name], features)
    inputs = {key: tf.TensorSpec([1, 1, n]) for key, n in CHANNELS.items()}
    state = tf.nest.map_structure(tf.type_spec_from_value, decoder.initial_state(1))
    with compilation.uncompiled():
        graph = (
            tf.function(decoder.step, autograph=False)
            .get_concrete_function(inputs, state)
            .graph.as_graph_def()
        )
    assert not graph.library.function
    assert not {"While", "StatelessWhile"} & {node.op for node in graph.node}


@pytest.mark.parametrize("name", MAKERS)
def test_the_future_does_not_change_the_past(name, features):
    decoder, before = called(MAKERS[name], features)
    changed = {key: x + (np.arange(TIME) >= 10)[:, None] for key, x in features.items()}
    extra = (
        {"state": tf.zeros_like(decoder.initial_state(BATCH)["rnn"])}
        if ("state" in decoder.input_keys)
        else {}
    )
    after = decoder({**changed, **extra})
    for key, expected in before.items():
        np.testing.assert_allclose(after[key][:, :10], expected[:, :10], atol=ATOL)
        assert np.abs(after[key][:, 10:] - expected[:, 10:]).max() > 1e-3


def test_the_original_form_looks_ahead(features):
    decoder, before = called(lambda: conv(causal=False), features)
    features["ld_scaled"][:, 10:] += 1.0
    assert np.abs(decoder(features)["amps"] - before["amps"])[:, :5].max() > 1e-3


@pytest.mark.parametrize("causal", [True, False])
def test_a_stack_is_sums_over_taps_and_moments(causal, rng):
    x = rng.normal(size=[BATCH, TIME, 5])
    z = rng.normal(size=[BATCH, TIME, 3])
    inputs = [tf.constant(x, tf.float32), tf.constant(z, tf.float32)]
    stack = nn.DilatedConvStack(4, 2, 1, 3, 3, "layer", conditional=True, causal=causal)
    stack(inputs)
    stack.set_weights([rng.normal(size=w.shape) for w in stack.get_weights()])

    def convolved(x, layer, dilation):
        kernel, bias = (w.astype(np.float64) for w in layer.get_weights())
        y = np.zeros([BATCH, TIME, 4]) + bias
        for t, k in itertools.product(range(TIME), range(3)):
            source = t + (k - (2 if causal else 1)) * dilation
            if 0 <= source < TIME:
                y[:, t] += x[:, source] @ kernel[k, 0]
        return y

    axes = 2 if causal else (1, 2)
    y = convolved(x, stack.conv_in, 1)
    for layer, norm, dilation in zip(stack.layers, stack.norms, [1, 3], strict=True):
        inner = convolved(np.maximum(y, 0.0), layer, dilation)
        inner -= inner.mean(axes, keepdims=True)
        inner /= np.sqrt(np.mean(inner**2, axes, keepdims=True) + 1e-5)
        kernel, bias = norm.get_weights()
        scale, shift = np.split(z @ kernel + bias, 2, axis=-1)
        y = y + inner * scale + shift
    # With weights of unit variance, outputs are of order 10 to 100.
    np.testing.assert_allclose(stack(inputs), y, atol=1e-5 * np.abs(y).max())


@pytest.mark.parametrize(
    ("resample_type", "after", "n_frames"),
    [("upsample", True, 36), ("upsample", False, 36), ("downsample", True, 3)],
)
def test_resampling_changes_the_number_of_frames(resample_type, after, n_frames):
    stack = nn.DilatedConvStack(
        4,
        2,
        4,
        resample_type=resample_type,
        resample_stride=2 if resample_type == "downsample" else 3,
        stacks_per_resample=2 if resample_type == "downsample" else 4,
        resample_after_convolve=after,
    )
    assert stack(tf.ones([2, 12, 3])).shape == (2, n_frames, 4)


def test_gradients_reach_every_weight(features):
    for causal in (True, False):
        decoder = conv(causal=causal)
        with tf.GradientTape() as tape:
            outputs = decoder(features)
            loss = tf.add_n([tf.reduce_sum(tf.sin(y)) for y in outputs.values()])
        for gradient in tape.gradient(loss, decoder.trainable_weights):
            assert np.all(np.isfinite(gradient)) and np.any(gradient != 0.0)


def test_spectral_norm_bounds_the_kernels_while_training(features):
    stack = nn.DilatedConvStack(8, 1, 1, spectral_norm=True, causal=True)
    for _ in range(50):
        stack(features["z"], training=True)
    kernel = stack.conv_in.layer.kernel
    largest = np.linalg.svd(np.reshape(kernel, [-1, 8]), compute_uv=False)[0]
    # Power iteration converges from below, so the remaining norm is above 1.
    assert 0.99 < largest < 1.05


@pytest.mark.parametrize("name", ["conv, groups", "conv, all options"])
def test_config_and_weights_make_an_equal_decoder(name, features):
    decoder, whole = called(MAKERS[name], features)
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(decoder)
    )
    copy(features)
    copy.set_weights(decoder.get_weights())
    assert_equal(in_blocks(copy, features, [5, 6]), whole)


def test_checkpoints_hold_every_weight(features):
    decoder, _ = called(MAKERS["conv, all options"], features)
    # Raises if a weight is missing.
    assert len(restoring.model_variables(decoder)) >= len(decoder.weights)


@pytest.mark.parametrize("name", ["gru", "conv"])
def test_refused_blocks(name, features):
    decoder, _ = called(MAKERS[name], features)
    state = decoder.initial_state(BATCH)
    block = {key: x[:, :2] for key, x in features.items()}
    with pytest.raises(ValueError, match=r"\['z'\] are missing, got"):
        decoder.step({k: v for k, v in block.items() if k != "z"}, state)
    with pytest.raises(ValueError, match=r"`z` must have 3 axes, got shape"):
        decoder.step({**block, "z": block["z"][:, 0]}, state)
    with pytest.raises(ValueError, match="one length"):
        decoder.step({**block, "z": block["z"][:, :1]}, state)
    with pytest.raises(ValueError, match="batch size of the state"):
        decoder.step({key: x[:1] for key, x in block.items()}, state)
    with pytest.raises(ValueError, match="`batch_size` must be positive, got 0"):
        decoder.initial_state(0)


def test_what_cannot_be_played_in_blocks_says_why(features):
    decoder = conv(causal=False)
    with pytest.raises(ValueError, match=r"look ahead.*`causal=True`.*got"):
        decoder.initial_state(1)
    decoder = decoders.DilatedConvDecoder(8, resample_stride=2)
    with pytest.raises(ValueError, match="its resampling and its normalization"):
        decoder.initial_state(1)
    with pytest.raises(ValueError, match="called once"):
        conv().initial_state(1)
    decoder = conv(precondition_stack=nn.RnnSandwich(4, 1, 4))
    with pytest.raises(ValueError, match=r"each frame independ.*got a RnnSandwich"):
        decoder.initial_state(1)
    decoder = MAKERS["lstm"]()
    decoder.rnn = nn.Rnn(8, "lstm", bidir=True)
    decoder(features)
    with pytest.raises(ValueError, match="runs backward cannot run block"):
        decoder.initial_state(1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resample_stride": 2}, "cannot resample"),
        ({"norm_type": "instance"}, "set `norm_type`.*got 'instance'"),
        ({"dilation": 0}, "must be positive, got 0"),
        (
            {"conditioning_keys": None, "precondition_stack": nn.FcStack(4, 1)},
            "requires `conditioning_keys`",
        ),
        (
            {"causal": False, "resample_stride": 2, "stacks_per_resample": 3},
            "multiple of `stacks_per_resample`, got 2 and 3",
        ),
    ],
)
def test_refused_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        conv(**settings)
