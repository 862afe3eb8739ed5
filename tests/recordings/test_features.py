"""Features in stretches are those of the whole recording."""

import numpy as np
import pytest

from ddsp import spectral_ops
from ddsp.recordings.analysis_settings import Settings
from ddsp.recordings.features import feature_blocks
from ddsp.recordings.rolling import RollingReader
from tests.training.data_preparation import signals


@pytest.mark.parametrize("row_shape", [(), (2,)])
def test_rolling_reader_is_a_slice(row_shape):
    whole = np.random.default_rng(0).normal(size=(100, *row_shape)).astype(np.float32)
    padded = np.concatenate([np.zeros_like(whole), whole, np.zeros_like(whole)])
    reader = RollingReader(np.array_split(whole, 7), row_shape)
    for start, stop in [(-20, -5), (-5, 3), (0, 10), (2, 30), (40, 40), (80, 130)]:
        expected = padded[100 + start : 100 + stop]
        np.testing.assert_array_equal(reader.read(start, stop), expected)


def test_rolling_reader_forgets():
    reader = RollingReader(np.ones(10, np.float32) for _ in range(1000))
    for start in range(0, 9000, 10):
        reader.read(start, start + 25)
        assert len(reader._rows) <= 30


def features(audio, n_frames, settings, **kwargs):
    readers = [RollingReader(np.array_split(audio, 9)) for _ in range(2)]
    return np.concatenate(list(feature_blocks(*readers, n_frames, settings, **kwargs)))


@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("viterbi", [False, True])
def test_stretches_agree_with_the_whole(center, viterbi):
    audio = signals.tones(7, midi=(50, 62, 69, 57))
    settings = Settings(frame_rate=125, chunk_secs=1.5, center=center, viterbi=viterbi)
    n_frames = 7 * 125 + center
    found = features(audio, n_frames, settings)
    f0_hz, confidence = spectral_ops.compute_f0(
        audio, 125, viterbi=viterbi, padding=settings.padding
    )
    loudness = spectral_ops.compute_loudness(
        audio, frame_rate=125, n_fft=512, padding=settings.padding
    )
    expected = np.stack([f0_hz, confidence, loudness], axis=-1)
    assert found.shape == expected.shape == (n_frames, 3)
    # The same frames in batches of other sizes: float32 rounding only. Relative,
    # since the three columns have their own scales.
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_loudness_can_lie_otherwise_than_pitch():
    audio = signals.tones(2)
    settings = Settings(frame_rate=125, chunk_secs=0.4, viterbi=False)
    found = features(audio, 250, settings, loudness_padding="causal")
    loudness = spectral_ops.compute_loudness(audio, frame_rate=125, padding="causal")
    np.testing.assert_allclose(found[:, 2], loudness, atol=1e-3)
    np.testing.assert_array_equal(found[:, :2], features(audio, 250, settings)[:, :2])


def test_frames_lie_where_the_sound_is():
    audio = np.concatenate([np.zeros(16000, np.float32), signals.tones(1)])
    for center in (False, True):
        settings = Settings(center=center, viterbi=False)
        loudness = features(audio, 500, settings)[:, 2]
        onset = np.argmax(loudness > -40)
        # Frames of 512 samples, 8 hops, reach the onset that long before it if they
        # start at their time, half as long if they are centered.
        assert 250 - (4 if center else 8) <= onset <= 250
