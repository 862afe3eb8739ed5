"""Losses, against NumPy and SciPy in float64."""

import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from ddsp import losses

RNG = np.random.default_rng(0)
TARGET, AUDIO = (0.3 * RNG.standard_normal([2, 2, 1000])).astype(np.float32)


def magnitudes(audio, size):
    hop = size // 4
    n_frames = -(-audio.shape[1] // hop)
    padded = np.pad(audio.astype(np.float64), [(0, 0), (0, size)])
    window = scipy.signal.get_window("hann", size)
    frames = [padded[:, i * hop : i * hop + size] * window for i in range(n_frames)]
    return np.abs(np.fft.rfft(np.stack(frames, axis=1)))


VIEWS = {
    "mag_weight": lambda m: m,
    "logmag_weight": np.log,
    "delta_time_weight": lambda m: np.diff(m, axis=1),
    "delta_freq_weight": lambda m: np.diff(m, axis=2),
    "cumsum_freq_weight": lambda m: np.cumsum(m, axis=2),
}


def difference(a, b, kind):
    if kind == "L1":
        return np.mean(np.abs(a - b))
    if kind == "L2":
        return np.mean((a - b) ** 2)
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.mean(1 - np.sum(a * b, axis=-1) / norms)


@pytest.mark.parametrize("kind", ["L1", "L2", "COSINE", "cosine"])
@pytest.mark.parametrize("weight", VIEWS)
def test_each_term_matches_numpy(kind, weight):
    sizes = (256, 64)
    weights = {"mag_weight": 0.0, weight: 0.7}
    loss = losses.SpectralLoss(fft_sizes=sizes, loss_type=kind, **weights)
    view = VIEWS[weight]
    expected = 0.7 * sum(
        difference(
            view(magnitudes(TARGET, s)), view(magnitudes(AUDIO, s)), kind.upper()
        )
        for s in sizes
    )
    np.testing.assert_allclose(loss(TARGET, AUDIO), expected, rtol=1e-3)


@pytest.mark.parametrize("kind", ["L1", "L2", "COSINE"])
def test_a_sound_has_no_distance_to_itself(kind):
    loss = losses.SpectralLoss((64,), kind, logmag_weight=1.0)
    assert abs(float(loss(TARGET, TARGET[..., np.newaxis]))) < 1e-5


@pytest.mark.parametrize("sample_rate", [16000, 44100, 48000])
def test_loudness_follows_the_sample_rate(sample_rate):
    """A tone twice as loud is 6 dB louder, at every rate."""
    time = np.arange(sample_rate // 2) / sample_rate
    tone = 0.2 * np.sin(2 * np.pi * 1000 * time)[np.newaxis].astype(np.float32)
    loss = losses.SpectralLoss(
        (64,), mag_weight=0.0, loudness_weight=1.0, sample_rate=sample_rate
    )
    np.testing.assert_allclose(loss(tone, 2 * tone), 20 * np.log10(2), atol=0.3)


def test_no_gradient_reaches_the_target():
    target, audio = tf.constant(TARGET), tf.constant(AUDIO)
    with tf.GradientTape() as tape:
        tape.watch([target, audio])
        loss = losses.SpectralLoss((64,))(target, audio)
    to_target, to_audio = tape.gradient(loss, [target, audio])
    assert to_target is None
    assert np.max(np.abs(to_audio)) > 0


def test_weights_multiply_the_differences():
    a, b = np.float32([[1.0, 2.0]]), np.float32([[3.0, 5.0]])
    assert losses.mean_difference(a, b, "L1", [[1.0, 0.0]]) == 1.0
    assert losses.mean_difference(a, b, "L2", [[0.0, 2.0]]) == 9.0


def test_refused_arguments():
    with pytest.raises(ValueError, match="got 'L3'"):
        losses.mean_difference(AUDIO, AUDIO, "L3")
    with pytest.raises(ValueError, match="got 'L3'"):
        losses.SpectralLoss(loss_type="L3")
    with pytest.raises(ValueError, match=r"\(1000,\)"):
        losses.SpectralLoss().call(AUDIO[0], AUDIO[0])


def test_a_group_names_its_losses():
    first = losses.SpectralLoss((64,), name="first")
    second = losses.SpectralLoss((32,), name="second")
    group = losses.LossGroup(dag=[(first, ["x", "y"]), (second, ["x", "y"])])
    got = group({"x": TARGET, "y": AUDIO})
    assert list(got) == ["first", "second"]
    np.testing.assert_allclose(got["first"], first(TARGET, AUDIO))
