"""Losses of parameters and sinusoids, against scipy, closed forms and real pitch."""

import itertools

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from ddsp import losses, pitch, spectral_ops
from ddsp._losses.hidden_markov import HiddenMarkovModel


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def sinusoids(rng, n):
    """Amplitudes and frequencies, [2, 3, n]."""
    amps = rng.uniform(0.1, 1.0, [2, 3, n]).astype(np.float32)
    return amps, rng.uniform(100.0, 4000.0, [2, 3, n]).astype(np.float32)


def semitones(hz):
    return 12.0 * np.log2(hz / 440.0) + 69.0


def test_wasserstein_distance_is_scipys(rng):
    amps_a, freqs_a = sinusoids(rng, 7)
    amps_b, freqs_b = sinusoids(rng, 4)
    got = losses.wasserstein_distance(freqs_a, freqs_b, amps_a, amps_b)
    square = losses.wasserstein_distance(freqs_a, freqs_b, None, None, p=2.0)
    for at in np.ndindex(2, 3):
        expected = scipy.stats.wasserstein_distance(
            freqs_a[at], freqs_b[at], amps_a[at], amps_b[at]
        )
        # Float32 over distances of thousands.
        np.testing.assert_allclose(got[at], expected, rtol=1e-4)
        # scipy's is the square root of twice the squared norm.
        energy = scipy.stats.energy_distance(freqs_a[at], freqs_b[at])
        np.testing.assert_allclose(np.sqrt(2.0) * square[at], energy, rtol=1e-4)


def test_wasserstein_loss_is_the_interval_between_two_tones(rng):
    loss = losses.WassersteinConsistencyLoss(weight=0.5)
    amps = np.full([1, 5, 1], 0.3, np.float32)
    octave = loss(amps, 220.0 * np.ones_like(amps), 7 * amps, np.full_like(amps, 440))
    # Half of 12 semitones, however loud.
    np.testing.assert_allclose(octave, 6.0, rtol=1e-5)
    amps, freqs = sinusoids(rng, 6)
    order = rng.permutation(6)
    assert loss(amps, freqs, amps[..., order], freqs[..., order]) < 1e-4
    assert loss(0 * amps, freqs, 0 * amps, freqs) == 0.0
    with pytest.raises(ValueError, match=r"at least 1, got 0\.5"):
        losses.wasserstein_distance(freqs, freqs, amps, amps, p=0.5)


def test_density_of_sinusoids_is_a_mixture(rng):
    amps, freqs = sinusoids(rng, 5)
    others = sinusoids(rng, 3)
    loss = losses.KDEConsistencyLoss()
    got = loss.nll(*others, amps, freqs, 0.7)
    weights = amps / amps.sum(axis=-1, keepdims=True)
    for at in np.ndindex(2, 3):
        parts = scipy.stats.norm.logpdf(
            semitones(others[1][at])[:, np.newaxis], semitones(freqs[at]), 0.7
        )
        log_prob = scipy.special.logsumexp(parts, b=weights[at], axis=1)
        share = others[0][at] / others[0][at].sum()
        # Far from every sinusoid the logarithm is -1000 and more.
        np.testing.assert_allclose(got[at], -np.mean(log_prob * share), rtol=1e-4)
    with pytest.raises(ValueError, match="of one shape, got"):
        loss(amps, freqs, amps, others[1])
    with pytest.raises(ValueError, match="scale_a"):
        losses.KDEConsistencyLoss(scale_a=0.0)


def test_two_way_mismatch_finds_a_pitch(rng):
    n_frames = 4
    f0 = np.array([110.0, 220.0, 331.0, 500.0], np.float32)
    numbers = np.arange(1, 9)
    freqs = f0[np.newaxis, :, np.newaxis] * numbers
    freqs = (freqs * 2 ** (rng.normal(size=freqs.shape) * 0.1 / 12)).astype(np.float32)
    amps = np.broadcast_to(1.0 / numbers, freqs.shape).astype(np.float32)
    # An octave below and above, a fifth, and the pitch itself.
    ratios = np.array([0.5, 1.0, 1.5, 2.0, 3.0], np.float32)
    candidates = f0[np.newaxis, :, np.newaxis] * ratios
    loss = losses.TWMLoss()
    found = loss.predict_f0(candidates, freqs, amps)
    assert found.shape == (1, n_frames, 1)
    np.testing.assert_array_equal(found[0, :, 0], f0)
    good, bad = (loss(candidates[..., i : i + 1], freqs, amps) for i in (1, 2))
    assert good < bad
    with pytest.raises(ValueError, match="of one shape, got"):
        loss(candidates, freqs, amps[..., :3])
    with pytest.raises(ValueError, match="softmin_temperature"):
        losses.TWMLoss(softmin_temperature=0.0)


@pytest.mark.parametrize("kind", ["wasserstein", "kde", "twm"])
def test_gradients_of_sinusoids_are_finite(kind, rng):
    amps, freqs = sinusoids(rng, 5)
    others = sinusoids(rng, 4)
    loss = {
        "wasserstein": losses.WassersteinConsistencyLoss(),
        "kde": losses.KDEConsistencyLoss(),
        "twm": losses.TWMLoss(),
    }[kind]
    for scale in (1.0, 0.0):
        given = [tf.constant(scale * amps), tf.constant(scale * freqs)]
        with tf.GradientTape() as tape:
            tape.watch(given)
            if kind == "twm":
                value = loss(freqs, given[1], given[0])
            else:
                value = loss(*given, *others)
        gradients = tape.gradient(value, given)
        assert np.isfinite(value)
        assert all(np.isfinite(gradient).all() for gradient in gradients)
        if scale:
            assert all(np.any(gradient != 0.0) for gradient in gradients)


def test_sinusoidal_losses_compile(rng):
    amps, freqs = sinusoids(rng, 5)
    for loss in (losses.WassersteinConsistencyLoss(), losses.KDEConsistencyLoss()):
        compiled = tf.function(loss, jit_compile=True)
        got = compiled(amps, freqs, amps[..., :3], freqs[..., :3])
        expected = loss(amps, freqs, amps[..., :3], freqs[..., :3])
        np.testing.assert_allclose(got, expected, rtol=1e-4)
    loss = losses.TWMLoss()
    compiled = tf.function(loss, jit_compile=True)
    np.testing.assert_allclose(
        compiled(freqs, freqs, amps), loss(freqs, freqs, amps), rtol=1e-4
    )


def test_logarithmic_amplitudes_have_a_floor():
    amps = [np.array([[1e-9, 0.1]]), np.array([[1e-7, 1.0]])]
    # Both of the first are the floor; the second are one decade apart.
    got = losses.amp_loss(*amps, log=True, amin=1e-5)
    np.testing.assert_allclose(got, 0.5, rtol=1e-5)
    with pytest.raises(ValueError, match="amin"):
        losses.amp_loss(*amps, log=True, amin=0.0)


def test_only_what_sounds_has_a_pitch_to_miss():
    amp = np.array([[[0.5], [0.0]]], np.float32)
    dist = np.ones([1, 2, 3], np.float32)
    f0 = np.array([[[440.0], [100.0]]], np.float32)
    group = losses.HarmonicConsistencyLoss(f0_weight=2.0)
    values = group.get_losses_dict(amp, amp, dist, dist, 2.0 * f0, f0)
    # Twice 12 semitones, in one of two frames.
    np.testing.assert_allclose(values["f0_hz_loss"], 12.0, rtol=1e-5)
    assert values["harm_amp_loss"] == values["harm_dist_loss"] == 0.0


def test_crepe_hears_pitch_and_not_level(rng):
    time = np.arange(8192) / 16000.0
    tone = np.sin(2 * np.pi * 440.0 * time)[np.newaxis].astype(np.float32)
    other = np.sin(2 * np.pi * 330.0 * time)[np.newaxis].astype(np.float32)
    loss = losses.PretrainedCREPEEmbeddingLoss()
    quieter = loss(tone, 0.5 * tone)
    assert loss(tone, tone) == 0.0
    assert quieter < 0.05 * loss(tone, other)
    audio = tf.constant(other)
    with tf.GradientTape() as tape:
        tape.watch(audio)
        value = loss(tone, audio)
    gradient = tape.gradient(value, audio)
    assert np.isfinite(gradient).all() and np.any(gradient != 0.0)
    with pytest.raises(ValueError, match="needs a network"):
        losses.EmbeddingLoss()(tone, tone)


def test_layers_of_crepe_follow_one_another(rng):
    """Pooling what is not pooled, and the classifier over the last layer."""
    frames = rng.normal(size=[3, 1024]).astype(np.float32)
    network = pitch.load("tiny")
    for number in (1, 2, 6):
        raw = network.layer_output(frames, f"conv{number}-BN").numpy()
        pooled = network.layer_output(frames, f"conv{number}-maxpool").numpy()
        channels = network.blocks[0]._bias.shape[0] if number > 1 else None
        channels = channels or network.first_block._bias.shape[0]
        if number == 6:
            channels = network.blocks[-1]._bias.shape[0]
        pairs = raw.reshape(3, -1, 2, channels)
        np.testing.assert_allclose(
            pooled.reshape(3, -1, channels), pairs.max(axis=2), atol=1e-6
        )
    kernel, bias = network.classifier.get_weights()
    logits = pooled @ kernel + bias
    np.testing.assert_allclose(
        network.layer_output(frames, "classifier"),
        scipy.special.expit(logits),
        atol=1e-5,
    )
    layer = losses.PretrainedCREPE(activation_layer="conv5-maxpool")
    audio = rng.normal(size=[2, 4096]).astype(np.float32)
    assert layer(audio).shape[:2] == layer.frame_audio(audio).shape[:2] == (2, 5)
    with pytest.raises(ValueError, match="got 'conv7-BN'"):
        losses.PretrainedCREPE(activation_layer="conv7-BN")
    assert layer.frame_length == spectral_ops.CREPE_FRAME_SIZE
    assert not layer.weights  # no part of a model's checkpoint


def test_hidden_states_against_all_their_sequences(rng):
    loc, scale = [[0.0], [1.0], [3.0]], [[0.5], [1.0], [0.7]]
    model = HiddenMarkovModel(loc, scale, avg_length=4)
    heard = rng.normal(1.0, 1.5, size=[5, 6, 1])
    density = scipy.stats.norm.logpdf(heard, np.ravel(loc), np.ravel(scale))
    move = np.log(np.where(np.eye(3), 1.0 - 1.0 / 4, 1.0 / 4 / 2))
    sequences = np.array(list(itertools.product(range(3), repeat=6)))
    chain = -np.log(3.0) + move[sequences[:, :-1], sequences[:, 1:]].sum(axis=1)
    joint = chain + density[:, np.arange(6), sequences].sum(axis=-1)
    # Sums of six float32 logarithms.
    np.testing.assert_allclose(
        model.log_prob(heard), scipy.special.logsumexp(joint, axis=1), rtol=1e-5
    )
    np.testing.assert_array_equal(
        model.posterior_mode(heard), sequences[joint.argmax(axis=1)]
    )


def test_transcriber_finds_notes():
    n = 40
    truth = np.zeros([1, n, 1], np.float32)
    truth[:, 5:20], truth[:, 25:] = 60.0, 64.0
    rng = np.random.default_rng(1)
    heard = truth + rng.normal(size=truth.shape) * 0.3
    heard[truth == 0.0] = rng.uniform(30.0, 90.0, size=int((truth == 0.0).sum()))
    amps = np.where(truth > 0.0, 1.4, 0.05) + 0.02 * rng.normal(size=truth.shape)
    model = losses.HmmTranscriber(avg_length=10, n_timesteps=n)
    notes = model.predict_midi(heard, amps)
    np.testing.assert_array_equal(notes, truth)
    assert model.predict_midi(heard, amps, channel_dim=False).shape == (1, n)
    likely = model.nll(heard, amps)
    # A pitch that jumps about is less likely.
    jumping = np.where(truth > 0.0, rng.uniform(30.0, 90.0, truth.shape), heard)
    assert likely < model.nll(jumping, amps)
    assert model.nll(heard, amps, per_example_loss=True).shape == (1,)
    with pytest.raises(ValueError, match="`avg_length` must be above"):
        losses.HmmTranscriber(avg_length=1)
    with pytest.raises(ValueError, match="one channel"):
        model.nll(np.concatenate([heard, heard], axis=-1), amps)
