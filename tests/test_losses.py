"""Losses, against NumPy and SciPy in float64."""

import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from ddsp import losses
from ddsp._core.compilation import uncompiled

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
    with uncompiled():
        actual = loss(TARGET, AUDIO)
    np.testing.assert_allclose(actual, expected, rtol=1e-3)


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


def reference(target, audio, sizes, weights, kind):
    """The loss in float64, from its definition, with TensorFlow's own gradient."""
    views = {**VIEWS, "logmag_weight": tf.math.log}
    views["cumsum_freq_weight"] = lambda m: tf.cumsum(m, axis=2)
    views["delta_time_weight"] = lambda m: m[:, 1:] - m[:, :-1]
    views["delta_freq_weight"] = lambda m: m[:, :, 1:] - m[:, :, :-1]
    loss = 0.0
    for size in sizes:
        starts = np.arange(0, audio.shape[1], size // 4)
        where = starts[:, np.newaxis] + np.arange(size)
        window = scipy.signal.get_window("hann", size)
        a, b = (
            tf.abs(
                tf.signal.rfft(
                    tf.gather(tf.pad(x, [[0, 0], [0, size]]), where, axis=1) * window
                )
            )
            for x in (target, audio)
        )
        for name, weight in weights.items():
            x, y = views[name](a), views[name](b)
            if kind == "L1":
                difference = tf.abs(x - y)
            elif kind == "L2":
                difference = (x - y) ** 2
            else:
                difference = 1 + tf.keras.losses.cosine_similarity(x, y)
            loss += weight * tf.reduce_mean(difference)
    return loss


@pytest.mark.parametrize("kind", ["L1", "L2", "COSINE"])
def test_gradient_matches_float64(kind):
    """1e-3 of its norm: a logarithm's slope is steep where a bin is nearly silent."""
    weights = {name: 0.5 + 0.1 * i for i, name in enumerate(VIEWS)}
    sizes = (256, 64)
    target, audio = tf.constant(TARGET, tf.float64), tf.constant(AUDIO, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(audio)
        expected = reference(target, audio, sizes, weights, kind)
    gradient = tape.gradient(expected, audio).numpy()
    audio = tf.constant(AUDIO)
    with tf.GradientTape() as tape:
        tape.watch(audio)
        loss = 3.0 * losses.SpectralLoss(sizes, kind, **weights)(TARGET, audio)
    np.testing.assert_allclose(loss, 3.0 * expected, rtol=1e-4)
    error = np.linalg.norm(tape.gradient(loss, audio) - 3.0 * gradient)
    assert error < 1e-3 * np.linalg.norm(3.0 * gradient)


def test_silence_has_no_slope():
    """The modulus has none at 0, and the logarithm is constant there."""
    audio = tf.zeros([2, 1000])
    with tf.GradientTape() as tape:
        tape.watch(audio)
        loss = losses.SpectralLoss((256, 64), logmag_weight=1.0)(TARGET, audio)
    assert np.isfinite(loss)
    np.testing.assert_array_equal(tape.gradient(loss, audio), 0.0)


def test_only_slopes_are_kept_for_the_gradient():
    """Out of a kernel come its value, a slope, and at most the audio once more.

    Spectra are over four times as large as the audio each, at every size.
    """
    audio = tf.TensorSpec([16, 64000])
    n_samples = audio.shape.num_elements()
    loss = losses.SpectralLoss(logmag_weight=1.0)

    @tf.function
    def gradient(target, audio):
        with tf.GradientTape() as tape:
            tape.watch(audio)
            value = loss(target, audio)
        return tape.gradient(value, audio)

    graph = gradient.get_concrete_function(audio, audio).graph
    calls = [op for op in graph.get_operations() if "PartitionedCall" in op.type]
    assert len(calls) >= 2 * len(loss.fft_sizes)
    for op in graph.get_operations():
        kept = sum(y.shape.num_elements() or 0 for y in op.outputs if y.dtype.size)
        assert kept <= 2 * n_samples + 1, op.name


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
