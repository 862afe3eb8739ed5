"""Note decoders: explicit sums, streaming and errors."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddsp.training import decoders, nn
from ddsp.training.models import restoring

BATCH, TIME = 2, 13
SPLITS = (("f0_midi", 1), ("amplitudes", 1), ("magnitudes", 3))
# Summation order of some tens of float32 products of values of order 1 to 10;
# pitches are of order 10 to 100.
ATOL = 2e-5


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def notes(rng):
    notes = rng.integers(40, 90, [BATCH, TIME, 1]).astype(np.float32)
    notes[:, 3] = 0.0
    return notes


def stack(conditional=False, causal=False):
    return nn.DilatedConvStack(
        8, 2, 1, norm_type="layer", conditional=conditional, causal=causal
    )


def standardized(x, axes):
    x = x - x.mean(axes, keepdims=True)
    return x / np.sqrt(np.mean(x**2, axes, keepdims=True) + 1e-5)


@pytest.mark.parametrize(
    ("norm", "causal"), [(False, False), (True, False), (True, True)]
)
@pytest.mark.parametrize("residual", [True, False])
def test_pitch_and_loudness_are_sums(norm, causal, residual, notes, rng):
    net = keras.layers.Dense(4)
    decoder = decoders.MidiDecoder(net, residual, norm=norm, causal=causal)
    decoder(notes)
    decoder.set_weights([rng.normal(size=w.shape) for w in decoder.get_weights()])
    kernel, bias = net.get_weights()
    x = notes.astype(np.float64) @ kernel + bias
    if norm:
        scale, shift = (w[0, 0] for w in decoder.norm.get_weights())
        x = standardized(x, 2 if causal else (1, 2)) * scale + shift
    kernel, bias = decoder.dense_out.get_weights()
    f0_midi, loudness = np.split(x @ kernel + bias, 2, axis=-1)

    outputs = decoder(notes)
    assert list(outputs) == ["f0_midi", "loudness"]
    expected = f0_midi + notes if residual else f0_midi
    np.testing.assert_allclose(outputs["f0_midi"], expected, rtol=1e-5, atol=1e-4)
    expected = -70.0 + 30.0 * loudness
    np.testing.assert_allclose(outputs["loudness"], expected, rtol=1e-5, atol=3e-3)
    decoder.center_loudness = False
    np.testing.assert_allclose(
        decoder(notes)["loudness"], loudness, rtol=1e-5, atol=1e-4
    )


@pytest.mark.parametrize("zero_silence", [True, False])
def test_controls_follow_the_notes(zero_silence, notes):
    decoder = decoders.MidiToHarmonicDecoder(
        stack(), output_splits=SPLITS, midi_zero_silence=zero_silence
    )
    decoder(notes)
    # With a projection to zero, only the notes remain.
    decoder.dense_out.set_weights([np.zeros([8, 5]), np.zeros([5])])
    outputs = decoder(notes, tf.ones_like(notes))
    assert list(outputs) == ["f0_midi", "amplitudes", "magnitudes", "f0_hz"]
    assert list(outputs) == decoder.output_keys
    np.testing.assert_array_equal(outputs["f0_midi"], notes)
    hz = 440.0 * 2.0 ** ((notes.astype(np.float64) - 69.0) / 12.0)
    hz = np.where(notes == 0.0, 0.0, hz) if zero_silence else hz
    np.testing.assert_allclose(outputs["f0_hz"], hz, rtol=1e-6)
    assert outputs["magnitudes"].shape == [BATCH, TIME, 3]


@pytest.mark.parametrize("z_time", [1, TIME])
def test_latent_variables_change_the_controls(z_time, notes, rng):
    decoder = decoders.MidiToHarmonicDecoder(
        stack(conditional=True), output_splits=SPLITS
    )
    z = rng.normal(size=[BATCH, z_time, 4]).astype(np.float32)
    before = decoder(notes, None, z)["magnitudes"]
    named = decoder({"z_pitch": notes, "z_vel": notes, "z": z})["magnitudes"]
    np.testing.assert_array_equal(named, before)
    assert np.abs(decoder(notes, None, z + 1.0)["magnitudes"] - before).max() > 1e-3


def test_pitch_stays_exact_under_half_precision(notes):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        decoder = decoders.MidiDecoder(stack())
        decoder(notes)
        decoder.dense_out.set_weights([np.zeros([8, 2]), np.zeros([2])])
        outputs = decoder(notes + 0.3)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert outputs["f0_midi"].dtype == tf.float32
    np.testing.assert_array_equal(outputs["f0_midi"], notes + np.float32(0.3))


STREAMING = {
    "frames": lambda: decoders.MidiDecoder(nn.FcStackOut(8, 1, 6), causal=True),
    "stack": lambda: decoders.MidiDecoder(stack(causal=True), norm=False),
    "conditional": lambda: decoders.MidiToHarmonicDecoder(
        stack(True, True), output_splits=SPLITS, causal=True
    ),
}


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("name", STREAMING)
def test_blocks_give_the_whole(name, jit_compile, notes, rng):
    decoder = STREAMING[name]()
    inputs = {"z_pitch": notes}
    if name == "conditional":
        inputs["z"] = rng.normal(size=[BATCH, TIME, 4]).astype(np.float32)
    whole = decoder(inputs)
    step = tf.function(decoder.step, autograph=False, jit_compile=jit_compile)
    state = decoder.initial_state(BATCH)
    blocks = []
    for start, stop in [(0, 1), (1, 6), (6, 7), (7, TIME)]:
        block = {key: x[:, start:stop] for key, x in inputs.items()}
        outputs, state = step(block, state)
        blocks.append(outputs)
    for key, expected in whole.items():
        actual = np.concatenate([block[key] for block in blocks], axis=1)
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=ATOL)


def test_what_cannot_be_played_in_blocks_says_why(notes):
    with pytest.raises(ValueError, match=r"normalizes over time.*got causal=False"):
        decoders.MidiDecoder(stack(causal=True)).initial_state(1)
    decoder = decoders.MidiDecoder(stack(), causal=True)
    decoder(notes)
    with pytest.raises(ValueError, match="look ahead"):
        decoder.initial_state(1)
    decoder = decoders.MidiDecoder(nn.RnnSandwich(4, 1, 4), norm=False)
    with pytest.raises(ValueError, match=r"causal `nn.DilatedConvStack`.*RnnSandwich"):
        decoder.initial_state(1)


@pytest.mark.parametrize("name", STREAMING)
def test_config_and_checkpoint_hold_all(name, notes, rng):
    decoder = STREAMING[name]()
    inputs = {"z_pitch": notes}
    if name == "conditional":
        inputs["z"] = rng.normal(size=[BATCH, TIME, 4]).astype(np.float32)
    expected = decoder(inputs)
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(decoder)
    )
    copy(inputs)
    copy.set_weights(decoder.get_weights())
    for key, value in copy(inputs).items():
        np.testing.assert_array_equal(value, expected[key])
    variables = restoring.model_variables(decoder)
    assert {name.split("/")[0] for name in variables} <= {"net", "norm", "dense_out"}
    assert len(variables) == len(decoder.weights)


def test_bad_input_is_refused(notes):
    with pytest.raises(ValueError, match=r"requires a network.*got None"):
        decoders.MidiDecoder()
    with pytest.raises(ValueError, match=r"must include 'f0_midi'.*\('amps', 1\)"):
        decoders.MidiToHarmonicDecoder(stack(), output_splits=(("amps", 1),))
    with pytest.raises(ValueError, match=r"conditional, got conditional=True and z=N"):
        decoders.MidiDecoder(stack(conditional=True))(notes)
    with pytest.raises(ValueError, match=r"got conditional=False and z=\(2, 13, 1\)"):
        decoders.MidiDecoder(stack())(notes, None, notes)
