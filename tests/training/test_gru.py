"""The GRU, compared with that of Keras with the same variables."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddsp.training import nn
from ddsp.training.nn import gru

BATCH, TIME, CHANNELS, UNITS = 3, 23, 5, 8


def _pair(**kwargs):
    """Returns the layer of Keras and ours, with the same random weights."""
    rng = np.random.default_rng(1)
    layers = [cls(UNITS, **kwargs) for cls in (keras.layers.GRU, gru.GRU)]
    for layer in layers:
        layer.build((BATCH, TIME, CHANNELS))
    weights = [0.5 * rng.normal(size=w.shape) for w in layers[0].get_weights()]
    for layer in layers:
        layer.set_weights(weights)
    return layers


def _inputs(time=TIME):
    rng = np.random.default_rng(2)
    x = rng.normal(size=[BATCH, time, CHANNELS]).astype(np.float32)
    return tf.constant(x), tf.constant(rng.normal(size=[BATCH, UNITS]), tf.float32)


def _run(layer, x, state):
    """Returns all outputs, and the gradients of a weighted sum of them."""
    with tf.GradientTape() as tape:
        tape.watch([x, state])
        outputs = tf.nest.flatten(layer(x, initial_state=[state]))
        total = tf.add_n([tf.reduce_sum(tf.sin(3.0 * y)) for y in outputs])
    sources = [x, state, *(w.value for w in layer.trainable_weights)]
    return outputs, tape.gradient(total, sources)


def _assert_equal(actual, expected):
    for a, b in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
        # Summation order in float32 over 23 steps, relative to the maximum.
        scale = max(1.0, np.abs(b).max())
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-5 * scale)


@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("backwards", [True, False])
@pytest.mark.parametrize("time", [1, TIME])
def test_values_and_gradients_are_those_of_keras(sequences, backwards, time):
    theirs, ours = _pair(
        return_sequences=sequences, return_state=True, go_backwards=backwards
    )
    _assert_equal(_run(ours, *_inputs(time)), _run(theirs, *_inputs(time)))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_in_a_graph_of_unknown_shape(jit_compile):
    theirs, ours = _pair(return_sequences=True, return_state=True)
    signature = [
        tf.TensorSpec([None, None, CHANNELS]),
        tf.TensorSpec([None, UNITS]),
    ]
    run = tf.function(
        lambda x, state: _run(ours, x, state),
        input_signature=signature,
        jit_compile=jit_compile,
    )
    for time in (TIME, 4):
        _assert_equal(run(*_inputs(time)), _run(theirs, *_inputs(time)))


def test_state_of_a_known_batch_with_inputs_of_an_unknown_one():
    theirs, ours = _pair(return_sequences=True)
    x, state = _inputs()
    run = tf.function(
        lambda x: ours(x, initial_state=[state[:1]]),
        input_signature=[tf.TensorSpec([None, None, CHANNELS])],
    )
    _assert_equal(run(x[:1]), theirs(x[:1], initial_state=[state[:1]]))


def test_gradients_against_finite_differences():
    rng = np.random.default_rng(3)
    sizes = ([5, 2, 9], [2, 3], [3, 9], [9])
    arguments = [tf.constant(rng.normal(size=size)) for size in sizes]
    analytic, numeric = tf.test.compute_gradient(
        lambda *x: tf.sin(gru.recur(*x)), arguments, delta=1e-6
    )
    for a, b in zip(analytic, numeric, strict=True):
        # Central differences in float64: 1e-6 squared, and rounding over 1e-6.
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"reset_after": False},
        {"use_bias": False},
        {"activation": "relu"},
        {"recurrent_activation": "hard_sigmoid"},
        {"unroll": True},
    ],
    ids=str,
)
def test_other_cells_run_as_keras_runs_them(kwargs):
    theirs, ours = _pair(return_sequences=True, **kwargs)
    _assert_equal(_run(ours, *_inputs()), _run(theirs, *_inputs()))


def test_masks_and_dropout_run_as_keras_runs_them():
    theirs, ours = _pair(return_sequences=True)
    x, _ = _inputs()
    mask = tf.sequence_mask([TIME, 4, 9], TIME)
    _assert_equal(ours(x, mask=mask), theirs(x, mask=mask))

    _, dropping = _pair(return_sequences=True, dropout=0.5)
    assert np.any(dropping(x, training=True) != dropping(x, training=True))


def test_stateful():
    kwargs = {"return_sequences": True, "stateful": True}
    theirs, ours = _pair(**kwargs)
    x, _ = _inputs()
    for _ in range(2):
        _assert_equal(ours(x), theirs(x))


def test_bidirectional():
    x, _ = _inputs()
    ours = nn.Rnn(UNITS, "gru", bidir=True)
    theirs = keras.layers.Bidirectional(keras.layers.GRU(UNITS, return_sequences=True))
    actual, _ = ours(x), theirs(x)
    theirs.set_weights(ours.get_weights())
    _assert_equal(actual, theirs(x))


def test_checkpoints_are_interchangeable_with_keras(tmp_path):
    theirs, ours = _pair(return_sequences=True, name="rnn")
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    path = tf.train.Checkpoint(rnn=theirs).write(str(tmp_path / "ckpt"))
    fresh = gru.GRU(UNITS, return_sequences=True)
    fresh.build((BATCH, TIME, CHANNELS))
    tf.train.Checkpoint(rnn=fresh).read(path).assert_consumed()
    x, _ = _inputs()
    np.testing.assert_array_equal(fresh(x), ours(x))


def test_mixed_precision():
    """Computes in bfloat16, close to float32; variables stay float32."""
    _, ours = _pair(return_sequences=True)
    _, mixed = _pair(return_sequences=True, dtype="mixed_bfloat16")
    x, state = _inputs()
    (actual,), gradients = _run(mixed, x, state)
    (expected,), exact = _run(ours, x, state)
    assert actual.dtype == tf.bfloat16
    # bfloat16 rounds to 2**-9; errors accumulate over a few steps.
    np.testing.assert_allclose(tf.cast(actual, tf.float32), expected, atol=0.05)
    for gradient, other in zip(gradients, exact, strict=True):
        assert gradient.dtype == tf.float32
        cosine = (
            np.sum(gradient * other) / np.linalg.norm(gradient) / np.linalg.norm(other)
        )
        assert cosine > 0.99


@pytest.mark.parametrize("chunk_size", [1, 5, TIME, 100])
def test_the_gradient_does_not_depend_on_the_chunk_size(monkeypatch, chunk_size):
    """The last chunk is shorter where the length is not a multiple."""
    monkeypatch.setattr(gru, "_CHUNK_SIZE", chunk_size)
    theirs, ours = _pair(return_sequences=True)
    _assert_equal(_run(ours, *_inputs()), _run(theirs, *_inputs()))


def test_nothing_but_states_is_kept_for_the_gradient():
    """Keeps 4 values per unit and step: the projection and the state."""
    layer = gru.GRU(UNITS, return_sequences=True)
    forward = tf.function(layer).get_concrete_function(
        tf.TensorSpec([BATCH, TIME, CHANNELS])
    )
    per_step = [
        int(np.prod(output.shape))
        for op in forward.graph.get_operations()
        for output in op.outputs
        if output.shape.rank == 3 and TIME in output.shape
    ]
    assert max(per_step) <= BATCH * TIME * 3 * UNITS
