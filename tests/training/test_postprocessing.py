"""Notes, quantiles and statistics, compared with scikit-learn and closed forms."""

import json
import os

import numpy as np
import pytest
from sklearn import preprocessing as sklearn_preprocessing

from ddsp.training import postprocessing
from ddsp.training.postprocessing import QuantileTransformer

SAMPLE_RATE = 16000
FRAME_RATE = 250


class Provider:
    """Yields batches like a `DataProvider`."""

    sample_rate = SAMPLE_RATE
    frame_rate = FRAME_RATE

    def __init__(self, batches):
        self.batches = batches

    def get_batch(self, batch_size, shuffle=True, repeats=-1, drop_remainder=True):
        assert not shuffle
        assert repeats == 1
        assert not drop_remainder
        return iter(self.batches)


def batch_of(pitch_hz, loud_db=-20.0, n_frames=500, amplitude=0.5):
    """A note in the first half, silence in the second."""
    n_samples = n_frames * SAMPLE_RATE // FRAME_RATE
    on = np.arange(n_frames) < n_frames // 2
    time = np.arange(n_samples) / SAMPLE_RATE
    audio = amplitude * np.sin(2 * np.pi * pitch_hz * time)
    audio[n_samples // 2 :] = 0.0
    features = {
        "audio": audio,
        "f0_hz": np.where(on, pitch_hz, 60.0),
        "f0_confidence": np.where(on, 0.95, 0.05),
        "loudness_db": np.where(on, loud_db, -80.0),
    }
    return {key: np.float32(value)[np.newaxis] for key, value in features.items()}


@pytest.mark.parametrize("size", [1, 2, 3, 40])
def test_smooth_is_a_box_filter(size):
    x = np.random.default_rng(0).normal(size=(2, 100))
    # The only difference is rounding to float32.
    expected = [
        np.convolve(row, np.ones(size) / size)[(size - (size - 1) // 2 - 1) :][:100]
        for row in x
    ]
    np.testing.assert_allclose(postprocessing.smooth(x, size), expected, atol=1e-6)


def test_smooth_refuses_an_empty_filter():
    with pytest.raises(ValueError, match="got 0"):
        postprocessing.smooth(np.ones(10), 0)


def test_notes_are_where_it_is_loud_and_sure():
    batch = batch_of(440.0)
    mask_on, value = postprocessing.detect_notes(
        batch["loudness_db"], batch["f0_confidence"]
    )
    assert mask_on.shape == value.shape == (1, 500)
    assert mask_on[0, 20:230].all()
    assert not mask_on[0, 270:].any()


def test_loud_noise_is_no_note():
    loudness = np.full(500, -20.0)
    mask_on, _ = postprocessing.detect_notes(loudness, np.full(500, 0.1))
    assert not mask_on.any()


def test_silence_has_no_notes():
    mask_on, value = postprocessing.detect_notes(np.full(100, -80.0), np.ones(100))
    assert not mask_on.any()
    assert np.all(np.isfinite(value))


def test_detect_notes_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"\(3,\) and \(4,\)"):
        postprocessing.detect_notes(np.zeros(3), np.zeros(4))


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
@pytest.mark.parametrize("repeated", [False, True])
def test_quantiles_match_scikit_learn(distribution, repeated):
    rng = np.random.default_rng(1)
    x = rng.normal(-30.0, 8.0, size=(3000, 2))
    if repeated:
        x = np.round(x / 5.0) * 5.0
    new = rng.normal(-30.0, 12.0, size=(500, 2))
    ours = QuantileTransformer(output_distribution=distribution).fit(x)
    theirs = sklearn_preprocessing.QuantileTransformer(
        n_quantiles=1000, output_distribution=distribution
    ).fit(x)
    # The clipping of the normal's ends differs in the last digits of float64.
    np.testing.assert_allclose(ours.transform(new), theirs.transform(new), atol=1e-6)
    levels = ours.transform(new)
    # At the clipped ends of the normal scikit-learn may land 1e-7 of probability
    # inside, 1e-4 of the step between two quantiles, here of at most 5 dB.
    np.testing.assert_allclose(
        ours.inverse_transform(levels), theirs.inverse_transform(levels), atol=1e-3
    )


def test_quantiles_of_a_uniform_sample_are_its_values():
    x = np.linspace(0.0, 1.0, 5001)
    transformer = QuantileTransformer(subsample=1000)
    # A subsample of evenly spaced values keeps the distribution, to its spacing.
    np.testing.assert_allclose(transformer.fit_transform(x), x, atol=1e-3)
    np.testing.assert_allclose(transformer.inverse_transform(x), x, atol=1e-3)


def test_a_constant_sample_maps_to_the_upper_end():
    transformer = QuantileTransformer().fit([-30.0, -30.0])
    np.testing.assert_array_equal(transformer.transform([-31, -30, -29]), [0, 1, 1])
    normal = QuantileTransformer(output_distribution="normal").fit([-30.0])
    np.testing.assert_allclose(normal.transform([-31, -30]), [-5.2, 5.2], atol=1e-3)


def test_quantiles_of_earlier_releases():
    """Values computed by the library before it used scikit-learn."""
    stored = (
        '{"n_quantiles": 7, "output_distribution": "uniform", "subsample": 100000, '
        '"quantiles": [[-43.0], [-40.333333333333336], [-35.0], [-31.5], '
        "[-29.666666666666668], [-26.000000000000004], [-16.5]]}"
    )
    transformer = QuantileTransformer.from_dict(json.loads(stored))
    np.testing.assert_allclose(
        transformer.transform([-60.0, -38.0, -33.5, -31.25, -30.0, -20.0, 0.0]),
        [0.0, 0.239583333, 0.404761905, 0.522727273, 0.636363636, 0.938596491, 1.0],
        atol=1e-8,
    )
    np.testing.assert_allclose(
        transformer.inverse_transform([0.0, 0.1, 0.5, 0.77, 1.0]),
        [-43.0, -41.4, -31.5, -27.3933333333, -16.5],
    )
    assert json.dumps(transformer.to_dict()) == stored


def test_quantiles_survive_json():
    x = np.random.default_rng(2).normal(size=50)
    ours = QuantileTransformer(n_quantiles=20).fit(x)
    copy = QuantileTransformer.from_dict(json.loads(json.dumps(ours.to_dict())))
    np.testing.assert_array_equal(copy.transform(x), ours.transform(x))


@pytest.mark.parametrize(
    ("x", "message"),
    [([], "got none"), ([np.nan], "NaN"), (np.ones((2, 2, 2)), "2, 2")],
)
def test_quantiles_refuse_bad_samples(x, message):
    with pytest.raises(ValueError, match=message):
        QuantileTransformer().fit(np.asarray(x))


def test_quantiles_refuse_to_transform_before_fitting():
    with pytest.raises(ValueError, match="fit"):
        QuantileTransformer().transform(np.ones(3))


def test_fit_quantile_transform_maps_only_the_notes():
    rng = np.random.default_rng(3)
    loudness = rng.normal(-40.0, 5.0, size=(1, 1000))
    target = QuantileTransformer().fit(rng.normal(-20.0, 2.0, size=(4000, 1)))
    mask = np.arange(1000)[np.newaxis] < 600
    fitted, mapped = postprocessing.fit_quantile_transform(loudness, mask, target)
    alone = postprocessing.fit_quantile_transform(loudness, mask)
    np.testing.assert_array_equal(alone.quantiles_, fitted.quantiles_)
    assert mapped.shape == (1000, 1)
    # The standard error of a mean of 600 values with deviation 2 is 0.1.
    assert abs(np.mean(mapped[:600]) + 20.0) < 0.4
    np.testing.assert_array_equal(mapped[600:, 0], loudness[0, 600:])
    assert np.all(np.argsort(mapped[:600, 0]) == np.argsort(loudness[0, :600]))
    np.testing.assert_allclose(
        fitted.inverse_transform([[0.0], [1.0]])[:, 0],
        [loudness[0, :600].min(), loudness[0, :600].max()],
    )


def test_statistics_are_of_the_notes():
    batches = [batch_of(440.0, -20.0), batch_of(880.0, -30.0)]
    statistics = postprocessing.compute_dataset_statistics(Provider(batches))
    # Both notes have equal length: the means are in the middle.
    assert statistics["mean_pitch"] == pytest.approx(75.0, abs=0.2)
    assert statistics["min_pitch"] == pytest.approx(69.0, abs=1e-3)
    assert statistics["max_pitch"] == pytest.approx(81.0, abs=1e-3)
    assert statistics["mean_max_loudness"] == pytest.approx(-25.0)
    assert statistics["max_loudness"] == pytest.approx(-20.0)
    # A sine of amplitude 0.5 has a power of 1/8: -9 dB.
    assert statistics["mean_max_power"] == pytest.approx(-9.03, abs=0.2)
    # Each example contains one note of constant level.
    for name, value, tolerance in (("pitch", 75.0, 1e-3), ("power", -9.03, 0.2)):
        assert statistics[f"mean_max_{name}_note"] == pytest.approx(
            value, abs=tolerance
        )
    assert statistics["mean_min_pitch_note"] == pytest.approx(75.0, abs=0.2)
    assert statistics["mean_min_power_note"] < statistics["mean_max_power_note"]
    assert 0.4 < statistics["note_on_fraction"] < 0.55
    assert statistics["n_examples"] == 2


def test_statistics_of_data_without_notes_are_of_all_frames():
    batch = batch_of(440.0)
    batch["f0_confidence"][:] = 0.0
    statistics = postprocessing.compute_dataset_statistics(Provider([batch]))
    assert statistics["note_on_fraction"] == 0.0
    assert statistics["mean_loudness"] == pytest.approx(-50.0)


def test_statistics_survive_their_file(tmp_path):
    statistics = postprocessing.compute_dataset_statistics(Provider([batch_of(440.0)]))
    directory = tmp_path / "modèle à moi"
    path = postprocessing.save_dataset_statistics(statistics, directory)
    assert os.path.basename(path) == "dataset_statistics.json"
    assert os.listdir(directory) == ["dataset_statistics.json"]
    loaded = postprocessing.load_dataset_statistics(directory)
    levels = np.linspace(0.0, 1.0, 7)
    np.testing.assert_array_equal(
        loaded.pop("quantile_transform").inverse_transform(levels),
        statistics.pop("quantile_transform").inverse_transform(levels),
    )
    assert loaded == statistics


def test_bad_statistics_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"dataset_statistics\.json"):
        postprocessing.load_dataset_statistics(tmp_path)
    (tmp_path / "dataset_statistics.json").write_text("{}")
    with pytest.raises(ValueError, match="Not a file of dataset statistics"):
        postprocessing.load_dataset_statistics(tmp_path)
    with pytest.raises(ValueError, match="at least one example"):
        postprocessing.compute_dataset_statistics(Provider([]))
    batch = batch_of(440.0)
    del batch["f0_confidence"]
    with pytest.raises(ValueError, match="f0_confidence"):
        postprocessing.compute_dataset_statistics(Provider([batch]))
