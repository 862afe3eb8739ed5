"""Metrics, compared with closed forms."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddsp import spectral_ops
from ddsp.training import metrics

RATE, FRAMES = 16000, 250


def _tone(f0_hz, amplitude=0.5, secs=0.5):
    time = np.arange(int(secs * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * f0_hz * k * time) / k for k in (1, 2, 3))
    return np.float32(amplitude * tone)[np.newaxis]


def test_squeeze():
    assert metrics.squeeze(np.ones([1, 5, 1])).shape == (5,)
    assert metrics.squeeze(np.ones([1, 1])).shape == (1,)
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        metrics.squeeze(np.ones([2, 3]))


def test_l1_distance_to_the_shorter_end():
    distance = metrics.l1_distance([[1.0, 2.0, 5.0]], [0.0, 4.0])
    np.testing.assert_array_equal(distance, [1.0, 2.0])


def test_outlier():
    assert metrics.is_outlier([0.1, 0.84])
    assert not metrics.is_outlier([[0.1], [0.85]])


def test_f0_distance_in_confident_frames():
    f0_hz = np.array([100.0, 200.0, 300.0])
    f0_hz_gen = f0_hz * 2.0 ** (np.array([1.0, -3.0, 12.0]) / 12)
    distance = metrics.f0_dist_conf_thresh(f0_hz, f0_hz_gen, [0.9, 0.85, 0.5])
    assert distance == pytest.approx(2.0, rel=1e-4)  # Mean of 1 and 3 semitones.
    assert np.isnan(metrics.f0_dist_conf_thresh(f0_hz, f0_hz_gen, [0.0, 0.0, 0.0]))


def test_audio_features():
    audio = _tone(220.0)
    features = metrics.compute_audio_features(audio, FRAMES)
    assert features["audio"] is audio
    assert {
        len(features[key]) for key in ("loudness_db", "f0_hz", "f0_confidence")
    } == {126}
    # Accuracy of the tracker: a quarter of a semitone, away from the edges.
    np.testing.assert_allclose(features["f0_hz"][30:-30], 220.0, rtol=0.015)


def test_loudness_of_a_softer_copy():
    measure = metrics.LoudnessMetrics(RATE, FRAMES)
    audio = tf.constant(np.concatenate([_tone(220.0), _tone(330.0)]))
    measure.update_state({"audio": audio}, audio * 10 ** (-6 / 20))
    # 6 dB softer, except for edge frames at the floor.
    assert measure.flush(0) == {
        "metrics/loudness/loudness_db": pytest.approx(6.0, abs=0.1)
    }
    assert measure.flush(1) == {}


def test_pitch_of_a_transposed_copy():
    """Four recordings: two semitones off, one silent, one too high, one unpitched."""
    original = _tone(220.0)
    f0_hz, confidence = spectral_ops.compute_f0(original, FRAMES)
    n_frames = f0_hz.shape[1]
    batch = {
        "f0_hz": np.repeat(f0_hz, 4, axis=0),
        "f0_confidence": np.concatenate(
            [confidence, confidence, confidence, np.full([1, n_frames], 0.2)]
        ),
    }
    generated = np.concatenate(
        [_tone(220.0 * 2 ** (2 / 12)), 0 * original, _tone(880.0), _tone(500.0)]
    )
    measure = metrics.F0CrepeMetrics(RATE, FRAMES)
    measure.update_state(batch, generated)
    results = measure.flush(0)
    # The tracker is accurate to a tenth of a semitone for a stationary tone.
    # Two semitones and two octaves, at frames of high confidence.
    assert results["metrics/f0_crepe/f0_midi"] == pytest.approx(13.0, abs=0.15)
    assert results["metrics/f0_crepe/unpitched_ratio"] == pytest.approx(1 / 4)
    # Of the three with a pitch, only the first is nearer than an octave: what the
    # tracker makes of silence is as good as noise, so its distance is computed here.
    distances = []
    for example in generated[:3]:
        tracked, _ = spectral_ops.compute_f0(example, FRAMES)
        known = confidence[0] >= 0.85
        distances.append(12 * np.mean(np.abs(np.log2(tracked / f0_hz[0])[known])))
    near = [distance for distance in distances if distance <= 12]
    assert distances[0] == pytest.approx(2.0, abs=0.3) and distances[2] > 12
    assert results["metrics/f0_crepe/f0_dist"] == pytest.approx(np.mean(near), abs=0.01)
    ratio = results["metrics/f0_crepe/outlier_ratio"]
    assert ratio == pytest.approx(1 - len(near) / 3)
    # Frames of low confidence; in silence all frames.
    _, sure = spectral_ops.compute_f0(generated[:3], FRAMES)
    lost = np.mean(sure[:, confidence[0] >= 0.85] < 0.85)
    expected = pytest.approx(lost, abs=1e-3)
    assert results["metrics/f0_crepe/frames_lost"] == expected


@pytest.mark.parametrize("rate", [32000, 48000])
def test_other_sample_rates_are_resampled(rate):
    time = np.arange(rate // 2) / rate
    audio = np.float32(np.sin(2 * np.pi * 440.0 * time))[np.newaxis]
    f0_hz, _ = metrics.F0CrepeMetrics(rate, FRAMES).track(audio, 125)
    assert f0_hz.shape == (1, 125)
    np.testing.assert_allclose(f0_hz[0, 30:-30], 440.0, rtol=0.015)


def test_predicted_pitch():
    """Four frames: exact, 40 cents, 60 cents and an octave off."""
    f0_hz = np.full([1, 4], 200.0, np.float32)
    cents = np.array([0.0, 40.0, 60.0, 1200.0])
    predicted = np.float32(f0_hz * 2 ** (cents / 1200))[..., np.newaxis]
    measure = metrics.F0Metrics(RATE, FRAMES)
    batch = {"f0_hz": f0_hz, "f0_confidence": np.ones([1, 4], np.float32)}
    measure.update_state(batch, predicted)
    results = measure.flush(0)
    assert results["metrics/f0/raw_pitch_accuracy"] == pytest.approx(0.5)
    assert results["metrics/f0/raw_chroma_accuracy"] == pytest.approx(0.75)
    assert results["metrics/f0/f0_dist"] == pytest.approx(13 / 4, rel=1e-4)


@pytest.mark.parametrize(("n_frames", "exact"), [(10, True), (41, True), (20, False)])
def test_predicted_pitch_with_other_frames(n_frames, exact):
    """A pitch step in the middle of 40 frames, at other frame rates."""
    f0_hz = np.repeat(np.float32([200.0, 300.0]), 20)[np.newaxis]
    step = n_frames // 2 if exact else n_frames // 4
    predicted = np.where(np.arange(n_frames) < step, 200.0, 300.0)[np.newaxis]
    measure = metrics.F0Metrics(RATE, FRAMES)
    batch = {"f0_hz": f0_hz, "f0_confidence": np.ones([1, 40], np.float32)}
    measure.update_state(batch, np.float32(predicted)[..., np.newaxis])
    accuracy = measure.flush(0)["metrics/f0/raw_pitch_accuracy"]
    # Pitch is interpolated between two frames; the rest is correct.
    assert accuracy == pytest.approx(1.0 if exact else 0.75, abs=3.5 / 40)


class _Group:
    dag = (
        ("tone", ("amps",)),
        ("noise", ("magnitudes",)),
        ("add", ("tone/signal", "noise/signal")),
        ("reverb", ("add/signal",)),
    )


def test_energy_shares():
    model = keras.Model()
    assert metrics.energy_shares(model, {}) == {}
    object.__setattr__(model, "processor_group", _Group())
    outputs = {
        "tone": {"signal": tf.constant([[3.0, 0.0]])},
        "noise": {"signal": tf.constant([[1.0, -1.0]])},
        "add": {"signal": tf.constant([[4.0, -1.0]])},
        "reverb": {"signal": tf.constant([[4.0, -1.0]])},
    }
    shares = metrics.energy_shares(model, outputs)
    assert set(shares) == {"tone", "noise"}
    assert float(shares["tone"]) == pytest.approx(9 / 11)
    silent = {name: {"signal": tf.zeros([1, 2])} for name in outputs}
    assert float(metrics.energy_shares(model, silent)["noise"]) == 0.0
