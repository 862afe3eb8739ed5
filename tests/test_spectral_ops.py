"""Spectra, level and loudness against librosa, SciPy and closed forms."""

import librosa
import numpy as np
import pytest
import scipy.fft
import scipy.signal
import tensorflow as tf

from ddsp import spectral_ops

SAMPLE_RATE = 16000


def noise(*shape, seed=0, scale=0.3):
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype("f")


def sine(hz, amplitude=1.0, n_samples=SAMPLE_RATE, sample_rate=SAMPLE_RATE):
    time = np.arange(n_samples) / sample_rate
    return (amplitude * np.sin(2 * np.pi * hz * time)).astype(np.float32)


@pytest.mark.parametrize("frame_size", [64, 100, 512])
@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.75])
@pytest.mark.parametrize("pad_end", [True, False])
def test_stft_matches_scipy(frame_size, overlap, pad_end):
    audio = noise(2, 1500)
    hop = int(frame_size * (1 - overlap))
    n_frames = -(-1500 // hop) if pad_end else (1500 - frame_size) // hop + 1
    padded = np.pad(audio, [(0, 0), (0, frame_size)])
    window = scipy.signal.get_window("hann", frame_size, fftbins=True)
    expected = [
        scipy.fft.rfft(padded[:, i * hop : i * hop + frame_size] * window)
        for i in range(n_frames)
    ]
    expected = np.stack(expected, axis=1)
    for stft in (spectral_ops.stft, spectral_ops.stft_np):
        actual = stft(audio, frame_size, overlap, pad_end)
        # float32 sums of frame_size terms of order 1
        np.testing.assert_allclose(actual, expected, atol=1e-4)


def test_a_channel_axis_is_dropped():
    audio = noise(2, 1000)
    for function in (
        spectral_ops.stft,
        spectral_ops.stft_np,
        spectral_ops.compute_mag,
        spectral_ops.compute_loudness,
        spectral_ops.compute_power,
    ):
        np.testing.assert_allclose(function(audio[..., np.newaxis]), function(audio))


def test_one_signal_equals_a_batch_of_one():
    audio = noise(3000)
    for function in (
        spectral_ops.compute_logmag,
        spectral_ops.compute_logmel,
        spectral_ops.compute_mfcc,
        spectral_ops.compute_rms_energy,
        spectral_ops.compute_loudness,
    ):
        alone, batch = function(audio), function(audio[np.newaxis])
        np.testing.assert_allclose(alone, batch[0], rtol=1e-5, atol=1e-5)


def test_mel_matches_librosa():
    audio, bins, size = noise(4000), 40, 1024
    mag = np.abs(spectral_ops.stft_np(audio, size))
    filters = librosa.filters.mel(
        sr=SAMPLE_RATE, n_fft=size, n_mels=bins, fmin=80, fmax=7600, htk=True, norm=None
    )
    mel = spectral_ops.compute_mel(audio, 80.0, 7600.0, bins, size)
    # librosa draws the triangles over Hz, TensorFlow over mel: they share their
    # corners and differ by a few percent along the flanks.
    expected = mag @ filters.T
    assert np.median(np.abs(mel - expected) / expected) < 0.03
    logmel = spectral_ops.compute_logmel(audio, 80.0, 7600.0, bins, size)
    np.testing.assert_allclose(logmel, np.log(mel), rtol=1e-5, atol=1e-5)


def test_mfcc_is_the_dct_of_the_log_mel_spectrum():
    audio = noise(2, 4000)
    logmel = spectral_ops.compute_logmel(audio, 20.0, 8000.0, 128, 1024)
    expected = scipy.fft.dct(logmel.numpy(), type=2, axis=-1) / np.sqrt(2 * 128)
    mfcc = spectral_ops.compute_mfcc(audio, mfcc_bins=20)
    np.testing.assert_allclose(mfcc, expected[..., :20], atol=1e-4)


def test_logarithms_of_silence_are_finite():
    for function in (spectral_ops.compute_logmag, spectral_ops.compute_logmel):
        silence = function(np.zeros([1, 4096]))
        np.testing.assert_allclose(silence, np.log(1e-5), rtol=1e-6)


@pytest.mark.parametrize("padding", ["center", "same", "causal", "valid"])
@pytest.mark.parametrize(("frame_size", "hop_size"), [(512, 64), (101, 10), (16, 40)])
def test_frames_fit_the_padded_signal(padding, frame_size, hop_size):
    if padding == "causal" and frame_size < hop_size:
        with pytest.raises(ValueError, match="at least as long as a hop, got"):
            spectral_ops.get_framed_lengths(100, frame_size, hop_size, padding)
        return
    for n_samples in range(frame_size, frame_size + 3 * hop_size + 2):
        n_frames, padded_length = spectral_ops.get_framed_lengths(
            n_samples, frame_size, hop_size, padding
        )
        padded = spectral_ops.pad(
            np.ones([1, n_samples]), frame_size, hop_size, padding
        )
        assert padded.shape[1] == max(padded_length, n_samples)
        assert padded.sum() == n_samples
        # An odd frame, centered, lacks one sample that would begin another hop.
        framed = (padded_length - frame_size) // hop_size + 1
        assert n_frames - framed in ((0, 1) if padding == "center" else (0,))
        if padding == "center":
            assert n_frames == n_samples // hop_size + 1
        if padding in ("same", "causal"):
            assert n_frames == int(np.ceil(n_samples / hop_size))


@pytest.mark.parametrize(("frame_size", "hop_size"), [(512, 64), (101, 10), (40, 40)])
def test_a_causal_frame_ends_with_its_hop(frame_size, hop_size):
    signal = np.arange(1.0, 1004.0, dtype=np.float32)
    padded = spectral_ops.pad(signal, frame_size, hop_size, "causal", axis=0)
    n_frames = -(-len(signal) // hop_size)
    silence = np.zeros(frame_size, np.float32)
    surrounded = np.concatenate([silence, signal, silence])
    for i in range(n_frames):
        end = (i + 1) * hop_size  # of the signal, which starts after the silence
        expected = surrounded[end : end + frame_size]
        start = i * hop_size
        np.testing.assert_array_equal(padded[start : start + frame_size], expected)
    assert len(padded) == (n_frames - 1) * hop_size + frame_size


@pytest.mark.parametrize("mode", ["CONSTANT", "REFLECT", "SYMMETRIC"])
def test_padding_is_the_same_for_tensors_and_arrays(mode):
    x = noise(2, 3, 40)
    arguments = (16, 8, "center", 2, mode, 0.5)
    padded = spectral_ops.pad(x, *arguments)
    assert isinstance(padded, np.ndarray)
    tensor = spectral_ops.pad(tf.constant(x), *arguments)
    assert tf.is_tensor(tensor)
    np.testing.assert_array_equal(tensor, padded)


def test_lengths_unknown_when_traced_are_padded_right():
    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32)])
    def graph(audio):
        return spectral_ops.compute_loudness(audio, padding="same")

    for n_samples in (640, 1001):
        audio = noise(2, n_samples)
        expected = spectral_ops.compute_loudness(audio, padding="same")
        np.testing.assert_allclose(graph(audio), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("padding", ["center", "same", "causal", "valid"])
def test_rms_matches_a_sliding_mean(padding):
    audio, frame, hop = noise(3001), 512, 64
    before = {"center": frame // 2, "causal": frame - hop}.get(padding, 0)
    padded = np.pad(audio.astype(np.float64), (before, frame))
    n_frames, _ = spectral_ops.get_framed_lengths(3001, frame, hop, padding)
    expected = [
        np.sqrt(np.mean(padded[i * hop : i * hop + frame] ** 2))
        for i in range(n_frames)
    ]
    rms = spectral_ops.compute_rms_energy(audio, frame_size=frame, padding=padding)
    np.testing.assert_allclose(rms, expected, rtol=1e-5)
    power = spectral_ops.compute_power(audio, frame_size=frame, padding=padding)
    np.testing.assert_allclose(power, 20 * np.log10(expected), atol=1e-3)


def test_the_power_of_a_sine_is_half_its_squared_amplitude():
    # 1 kHz has whole periods in a frame of 512 samples at 16 kHz.
    power = spectral_ops.compute_power(sine(1000.0, 0.1), padding="valid")
    np.testing.assert_allclose(power, 10 * np.log10(0.1**2 / 2), atol=1e-3)
    referred = spectral_ops.compute_power(sine(1000.0), padding="valid", ref_db=-20.0)
    np.testing.assert_allclose(referred, 20.0 - 10 * np.log10(2.0), atol=1e-3)


def a_weighting_db(hz):
    """IEC 61672-1, annex E, equation of the A-weighting."""
    f1, f2, f3, f4 = 20.598997, 107.65265, 737.86223, 12194.217
    response = f4**2 * hz**4 / (hz**2 + f1**2) / (hz**2 + f4**2)
    response /= np.sqrt((hz**2 + f2**2) * (hz**2 + f3**2))
    return 20 * np.log10(response) + 2.0


@pytest.mark.parametrize("hz", [250.0, 1000.0, 3000.0, 6000.0])
@pytest.mark.parametrize("use_tf", [True, False])
def test_the_loudness_of_a_sine_is_its_a_weighted_level(hz, use_tf):
    n_fft, amplitude = 1024, 0.1
    loudness = spectral_ops.compute_loudness(
        sine(hz, amplitude), n_fft=n_fft, padding="valid", use_tf=use_tf
    )
    # Parseval: one side of the spectrum holds half of n_fft * sum((w * x) ** 2),
    # and a Hann window has a mean square of 3 / 8.
    one_side = n_fft * n_fft * (3 / 8) * amplitude**2 / 2 / 2
    expected = 10 * np.log10(one_side / (n_fft // 2 + 1)) + a_weighting_db(hz)
    # The weighting is not quite flat over the window's main lobe.
    np.testing.assert_allclose(loudness, expected, atol=0.1)


def test_loudness_is_the_same_in_numpy():
    audio = noise(2, 4000)
    for padding in ("center", "same", "causal", "valid"):
        expected = spectral_ops.compute_loudness(audio, padding=padding)
        actual = spectral_ops.compute_loudness(audio, padding=padding, use_tf=False)
        assert isinstance(actual, np.ndarray)
        np.testing.assert_allclose(actual, expected, atol=1e-3)


def test_levels_are_clipped_to_their_range():
    for function in (spectral_ops.compute_loudness, spectral_ops.compute_power):
        np.testing.assert_array_equal(function(np.zeros(4000)), -80.0)
        low = function(np.zeros(4000), range_db=120.0, ref_db=20.7)
        np.testing.assert_array_equal(low, -120.0)


@pytest.mark.parametrize(
    "function",
    [
        spectral_ops.compute_loudness,
        spectral_ops.compute_power,
        spectral_ops.compute_rms_energy,
        spectral_ops.compute_logmag,
        spectral_ops.compute_mfcc,
    ],
)
def test_gradients_are_finite_even_in_silence(function):
    audio = tf.constant(np.stack([noise(2048), np.zeros(2048, np.float32)]))
    with tf.GradientTape() as tape:
        tape.watch(audio)
        result = tf.reduce_sum(function(audio))
    gradient = tape.gradient(result, audio).numpy()
    assert np.all(np.isfinite(gradient))
    assert np.any(gradient[0] != 0.0)


def test_f0_is_that_of_the_pitch_tracker():
    audio = sine(440.0, n_samples=4000)
    f0_hz, confidence = spectral_ops.compute_f0(audio, 250)
    assert f0_hz.shape == confidence.shape == (63,)
    np.testing.assert_allclose(f0_hz[10:-10], 440.0, atol=1.0)
    batch, _ = spectral_ops.compute_f0(audio[np.newaxis], 250, padding="same")
    assert batch.shape == (1, 63)
    spectral_ops.reset_crepe()


@pytest.mark.parametrize("use_tf", [True, False])
def test_lengths_are_forced_within_the_tolerance(use_tf):
    vector = np.arange(10.0, dtype=np.float32)
    force = spectral_ops.pad_or_trim_to_expected_length
    longer = force(vector, 12, pad_value=-1, use_tf=use_tf)
    np.testing.assert_array_equal(longer, [*range(10), -1, -1])
    np.testing.assert_array_equal(force(vector, 7, use_tf=use_tf), range(7))
    batch = force(vector.reshape(2, 5), 6, use_tf=use_tf)
    np.testing.assert_array_equal(batch[:, 5], 0.0)
    with pytest.raises(ValueError, match="within 2 of the expected 13, got 10"):
        force(vector, 13, len_tolerance=2, use_tf=use_tf)


@pytest.fixture(scope="module")
def tracker():
    return spectral_ops.PretrainedCREPE("tiny", hop_size=64)


class TestPretrainedCREPE:
    def test_it_tracks_as_compute_f0(self, tracker):
        audio = sine(300.0, n_samples=3000)
        for viterbi in (True, False):
            f0_hz, confidence = tracker.predict_f0_and_confidence(audio, viterbi)
            expected = spectral_ops.compute_f0(audio, 250, viterbi)
            np.testing.assert_allclose(f0_hz, expected[0], rtol=1e-6)
            np.testing.assert_allclose(confidence, expected[1], atol=1e-6)

    def test_frames_are_cut_and_scaled(self, tracker):
        audio = noise(2, 1024 + 64 * 3)
        frames = tracker.batch_frames(audio)
        assert frames.shape == (8, 1024)
        np.testing.assert_array_equal(frames[5], audio[1, 64 : 64 + 1024])
        scaled = tracker.normalize_frames(frames).numpy()
        np.testing.assert_allclose(scaled.mean(axis=1), 0.0, atol=1e-5)
        np.testing.assert_allclose(scaled.std(axis=1), 1.0, atol=1e-4)

    def test_decoding(self, tracker):
        activations = np.full([5, 360], 0.01, np.float32)
        activations[:, 120] = 0.9
        bins = tracker.viterbi_decode(activations)
        np.testing.assert_array_equal(bins, 120)
        model = tracker.create_hmm(5)
        np.testing.assert_array_equal(model.posterior_mode(bins), bins)
        f0_hz, confidence = tracker.activations_to_f0_and_confidence(activations, bins)
        expected = 440.0 * 2 ** ((23.5 + 120 / 5 - 69) / 12)
        np.testing.assert_allclose(f0_hz, expected, rtol=1e-5)
        np.testing.assert_allclose(confidence, 0.9 * np.ones([5, 1]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: spectral_ops.stft(np.zeros([1, 2, 3, 4])), "axes"),
        (lambda: spectral_ops.stft(np.zeros(100), 64, 1.0), "overlap"),
        (lambda: spectral_ops.compute_loudness(np.zeros(100), 16000, 252), "divide"),
        (lambda: spectral_ops.compute_power(np.full(100, np.inf)), "finite"),
        (lambda: spectral_ops.compute_loudness(np.full(99, np.nan)), "finite"),
        (lambda: spectral_ops.get_framed_lengths(100, 512, 64, "valid"), "100 samples"),
        (lambda: spectral_ops.pad(np.zeros([1, 9]), 4, 2, "middle"), "padding"),
        (lambda: spectral_ops.compute_f0(np.zeros(100), 252), "divide"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
