"""Processors, groups of them, and graphs of layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddsp import dags, effects, losses, processors, synths

AUDIO = np.random.default_rng(0).standard_normal([2, 2, 64]).astype(np.float32)


def test_mix_keeps_the_power():
    one, two = AUDIO
    mix = processors.Mix()
    for level in (0.0, 0.25, 0.5, 1.0):
        got = mix.get_signal(one, two, np.full([2, 64, 1], level, np.float32))
        expected = np.sqrt(level) * one + np.sqrt(1 - level) * two
        np.testing.assert_allclose(got, expected, atol=1e-5)


def test_the_ends_of_a_mix_have_finite_gradients():
    for end in (0.0, 1.0):
        level = tf.fill([2, 64, 1], end)
        with tf.GradientTape() as tape:
            tape.watch(level)
            y = processors.Mix().get_signal(*AUDIO, level)
        assert np.all(np.isfinite(tape.gradient(y, level)))


def test_the_level_is_a_sigmoid_at_the_sample_rate():
    nn_out = np.array([[[-1.0], [2.0]]] * 2, np.float32)
    controls = processors.Mix().get_controls(*AUDIO, nn_out)
    sigmoid = 1 / (1 + np.exp(-nn_out[0, :, 0].astype(np.float64)))
    expected = np.interp(np.arange(64) / 32, [0, 1], sigmoid)
    np.testing.assert_allclose(controls["mix_level"][0, :, 0], expected, atol=1e-6)


def test_add():
    np.testing.assert_array_equal(processors.Add()(*AUDIO), AUDIO[0] + AUDIO[1])


@pytest.mark.parametrize("shape", [(2, 64), (2, 64, 3), (2, 64, 3, 2)])
def test_signals_of_any_rank(shape):
    rng = np.random.default_rng(1)
    one, two = rng.standard_normal([2, *shape]).astype(np.float32)
    np.testing.assert_array_equal(processors.Add()(one, two), one + two)
    nn_out = rng.standard_normal([2, 64, 1]).astype(np.float32)
    level = 1 / (1 + np.exp(-nn_out.astype(np.float64)))
    level = level.reshape([2, 64] + [1] * (len(shape) - 2))
    expected = np.sqrt(level) * one + np.sqrt(1 - level) * two
    np.testing.assert_allclose(
        processors.Mix()(one, two, nn_out), expected, rtol=1e-5, atol=1e-5
    )


def test_channels_are_mixed_in_blocks():
    rng = np.random.default_rng(1)
    one, two = rng.standard_normal([2, 1, 64, 3]).astype(np.float32)
    nn_out = rng.standard_normal([1, 8, 1]).astype(np.float32)
    mix = processors.Mix(hop_size=8)
    whole = mix(one, two, nn_out)
    state, parts = mix.initial_state(1), []
    for i in range(0, 8, 4):
        block = {
            "signal_one": one[:, 8 * i : 8 * (i + 4)],
            "signal_two": two[:, 8 * i : 8 * (i + 4)],
            "nn_out_mix_level": nn_out[:, i : i + 4],
        }
        audio, state = mix.step(block, state)
        parts.append(audio)
    played = np.concatenate([*parts, mix.flush(state)], axis=1)[:, 8:]
    np.testing.assert_allclose(played, whole, atol=1e-5)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [(([2, 64], [2, 63]), "one shape, got shape"), (([64], [64]), "2 or 3 or 4 axes")],
)
def test_signals_must_have_one_shape(shapes, message):
    signals = [np.zeros(shape, np.float32) for shape in shapes]
    with pytest.raises(ValueError, match=message):
        processors.Add().get_controls(*signals)
    with pytest.raises(ValueError, match=message):
        processors.Mix().get_controls(*signals, np.zeros([2, 1, 1]))


def test_lists_are_arrays():
    audio = AUDIO[0]
    reverb = effects.ExpDecayReverb(reverb_length=100, seed=0)
    expected = reverb(audio, np.array([[-2.0]] * 2), np.array([[2.0]] * 2))
    got = reverb(audio, [[-2.0]] * 2, [[2.0]] * 2)
    np.testing.assert_array_equal(got, expected)

    harmonic = synths.Harmonic(n_samples=80, sample_rate=16000)
    f0_hz = [[[440.0]] * 5]
    inputs = np.ones([1, 5, 1]), np.ones([1, 5, 3])
    expected = harmonic(*inputs, np.array(f0_hz))
    np.testing.assert_array_equal(harmonic(*inputs, f0_hz), expected)
    np.testing.assert_array_equal(harmonic(*inputs, f0_hz=f0_hz), expected)
    listed = [x.tolist() for x in inputs]
    np.testing.assert_array_equal(harmonic(*listed, f0_hz), expected)

    np.testing.assert_array_equal(
        processors.Add()(audio, audio.tolist()), audio + audio
    )
    group = processors.ProcessorGroup([(processors.Add(), ["a", "b"])])
    np.testing.assert_array_equal(
        group({"a": audio, "b": audio.tolist()}), audio + audio
    )
    assert losses.SpectralLoss()(audio, audio.tolist()) == 0.0


def test_keys_of_inputs_may_say_so():
    group = processors.ProcessorGroup(
        [
            (processors.Add(name="first"), ["inputs/a", "b"]),
            (processors.Add(name="second"), ["first/signal", "inputs/b"]),
        ]
    )
    a, b = AUDIO
    outputs = group.get_controls({"a": a, "b": b})
    np.testing.assert_array_equal(outputs["inputs"]["a"], a)
    np.testing.assert_array_equal(outputs["a"], a)
    np.testing.assert_allclose(outputs["out"]["signal"], a + 2 * b, atol=1e-6)
    assert group.module_names == group.processor_names == ["first", "second"]
    group.hop_size = 8
    played, _ = group.step({"a": a, "b": b}, group.initial_state(2))
    np.testing.assert_allclose(played, a + 2 * b, atol=1e-6)


def test_names_of_losses():
    group = losses.LossGroup(
        dag=[("spectral", ["a", "b"])], spectral=losses.SpectralLoss(name="loss")
    )
    assert group.loss_names == ["spectral"]
    assert [loss.name for loss in group.losses] == ["loss"]
    assert list(group({"a": AUDIO[0], "b": AUDIO[1]})) == ["loss"]


def test_crop():
    audio = AUDIO[0]
    np.testing.assert_array_equal(processors.Crop(10)(audio), audio[:, :-10])
    np.testing.assert_array_equal(processors.Crop(10, "front")(audio), audio[:, 10:])
    np.testing.assert_array_equal(processors.Crop(0)(audio), audio)


def test_refused_crops():
    with pytest.raises(ValueError, match="got 'middle'"):
        processors.Crop(10, "middle")
    with pytest.raises(ValueError, match="got -1"):
        processors.Crop(-1)
    with pytest.raises(ValueError, match=r"\(2, 64\)"):
        processors.Crop(65).get_signal(AUDIO[0])


def group():
    add, crop = processors.Add(name="add"), processors.Crop(4, name="crop")
    dag = [(add, ["one", "nested/two"]), (crop, ["add/signal"])]
    return processors.ProcessorGroup(dag=dag, name="all")


INPUTS = {"one": AUDIO[0], "nested": {"two": AUDIO[1]}}


def test_a_group_wires_by_keys():
    got = group()(INPUTS)
    np.testing.assert_allclose(got, (AUDIO[0] + AUDIO[1])[:, :-4])


def test_a_group_returns_every_output():
    outputs = group()(INPUTS, return_outputs_dict=True)
    controls = outputs["controls"]
    assert {"one", "nested", "add", "crop", "out"} <= set(controls)
    np.testing.assert_array_equal(controls["out"]["signal"], outputs["signal"])
    np.testing.assert_array_equal(controls["crop"]["signal"], outputs["signal"])
    np.testing.assert_array_equal(controls["add"]["controls"]["signal_one"], AUDIO[0])
    assert [p.name for p in group().processors] == ["add", "crop"]


def test_a_missing_key_is_named_with_those_there_are():
    with pytest.raises(KeyError, match=r"nested/two.*one"):
        group().get_controls({"one": AUDIO[0]})


def test_a_graph_may_hold_any_layer():
    dag = [("dense", ["x"], ["samples"]), ("audio", ["dense/samples"])]
    graph = processors.ProcessorGroup(
        dag=dag,
        dense=keras.layers.Dense(1, kernel_initializer="ones"),
        audio=synths.TensorToAudio(),
    )
    x = np.ones([2, 5, 3], np.float32)
    np.testing.assert_allclose(graph({"x": x}), np.full([2, 5], 3.0))


@pytest.mark.parametrize(
    ("dag", "kwargs", "error", "message"),
    [
        ([("add", ["a"])], {}, ValueError, "got 'add'"),
        ([("add",)], {}, ValueError, r"got \('add',\)"),
        (["add"], {}, ValueError, "got 'add'"),
        ([], {"add": 3}, TypeError, "got 3"),
        (
            [(processors.Add("x"), ["a"]), (processors.Add("x"), ["a"])],
            {},
            ValueError,
            "named 'x'",
        ),
    ],
)
def test_malformed_graphs(dag, kwargs, error, message):
    with pytest.raises(error, match=message):
        dags.DAGLayer(dag, **kwargs)


def test_what_counts_as_what():
    assert dags.is_module(keras.layers.Dense(1))
    assert not dags.is_module(len)
    assert dags.is_processor(processors.Add())
    assert not dags.is_processor(keras.layers.Dense(1))
    assert dags.filter_by_value({"a": 1, "b": 2}, lambda v: v > 1) == {"b": 2}
    own, rest = dags.split_keras_kwargs({"name": "x", "dtype": "float32", "add": 1})
    assert (set(own), set(rest)) == ({"name", "dtype"}, {"add"})
