"""The pitch tracker against tones of known pitch and plain reference computations."""

import h5py
import numpy as np
import pytest
import tensorflow as tf

from ddsp import pitch

SAMPLE_RATE = 16000
FRAME_RATE = 250


def tone(f0_hz, seconds=1.0, n_harmonics=1, sample_rate=SAMPLE_RATE):
    time = np.arange(int(seconds * sample_rate)) / sample_rate
    phase = 2 * np.pi * f0_hz * time
    partials = [
        np.sin(k * phase) / k
        for k in range(1, n_harmonics + 1)
        if k * f0_hz < sample_rate / 2
    ]
    return (0.3 * np.sum(partials, axis=0)).astype(np.float32)


def cents_apart(f0_hz, expected_hz):
    return 1200 * np.log2(np.asarray(f0_hz, np.float64) / expected_hz)


@pytest.fixture(scope="module")
def network():
    return pitch.load("tiny")


@pytest.mark.parametrize("viterbi", [True, False])
def test_440_hz_comes_out_within_1_hz(viterbi):
    f0_hz, confidence = pitch.estimate_f0(tone(440.0), FRAME_RATE, viterbi)
    inside = slice(10, -10)  # frames that the tone fills
    np.testing.assert_allclose(f0_hz[inside], 440.0, atol=1.0)
    assert confidence[inside].min() > 0.8


def test_harmonic_tones_come_out_within_15_cents():
    notes = np.arange(40, 93, 4)
    for note in notes:
        hz = 440.0 * 2 ** ((note - 69) / 12)
        f0_hz, confidence = pitch.estimate_f0(tone(hz, 0.5, 10), FRAME_RATE)
        inside = slice(10, -10)
        # Bins are 20 cents wide; tiny weights place a tone within about half a bin.
        assert np.abs(np.median(cents_apart(f0_hz[inside], hz))) < 15.0, note
        assert np.median(confidence[inside]) > 0.5, note


def test_a_glide_is_followed():
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    octaves_a_second = 0.5
    rate = octaves_a_second * np.log(2)
    audio = np.sin(2 * np.pi * 220.0 * (np.exp(rate * time) - 1) / rate)
    f0_hz, _ = pitch.estimate_f0(audio, FRAME_RATE, padding="center")
    expected = 220.0 * 2 ** (octaves_a_second * np.arange(len(f0_hz)) / FRAME_RATE)
    error = cents_apart(f0_hz, expected)[10:-10]
    # A frame of 64 ms spans 38 cents of this glide.
    assert np.max(np.abs(error)) < 25.0
    assert np.abs(np.median(error)) < 6.0


@pytest.mark.parametrize("offset", [0.0, 0.1])
def test_silence_has_no_confidence(offset):
    _, confidence = pitch.estimate_f0(np.full(4000, offset), FRAME_RATE, padding="same")
    # The last quarter of the frames holds the step from the offset to the padding.
    assert confidence[:40].max() < 0.1


def test_the_level_does_not_matter(network):
    audio = tone(330.0, 0.3, 5)
    loud = network.activations(audio, 64)
    quiet = network.activations(audio * 1e-3, 64)
    # Only rounding differs: 1e-7 of the samples, through six layers.
    np.testing.assert_allclose(quiet, loud, atol=1e-4)


def reference_activations(frames, path):
    """The published network, in plain convolutions."""
    frames = frames - frames.mean(axis=-1, keepdims=True)
    x = frames / frames.std(axis=-1, keepdims=True)
    x = tf.constant(x[:, :, np.newaxis], tf.float32)
    with h5py.File(path, "r") as file:

        def read(layer, *names):
            (weights,) = file[layer].values()
            return [weights[f"{name}:0"][()] for name in names]

        for i in range(1, 7):
            kernel, bias = read(f"conv{i}", "kernel", "bias")
            x = tf.nn.conv1d(x, kernel, 4 if i == 1 else 1, "SAME") + bias
            gamma, beta, mean, variance = read(
                f"conv{i}-BN", "gamma", "beta", "moving_mean", "moving_variance"
            )
            x = (tf.nn.relu(x) - mean) / np.sqrt(variance + 1e-3) * gamma + beta
            x = tf.nn.max_pool1d(x, 2, 2, "VALID")
        kernel, bias = read("classifier", "kernel", "bias")
    return tf.sigmoid(tf.reshape(x, [x.shape[0], -1]) @ kernel + bias).numpy()


@pytest.mark.parametrize("hop_size", [64, 160, 50])
def test_the_network_equals_plain_convolutions(network, hop_size):
    rng = np.random.default_rng(0)
    audio = tone(200.0, 0.2, 8) + 0.02 * rng.standard_normal(3200).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(audio, pitch.FRAME_SIZE)
    frames = windows[::hop_size]
    expected = reference_activations(frames, pitch.find_weights("tiny"))
    # Rounding of sums of up to 8192 products in another order.
    np.testing.assert_allclose(network(frames), expected, atol=2e-5)
    shared = network.activations(audio, hop_size, "valid")
    np.testing.assert_allclose(shared, expected, atol=2e-5)


def test_gradients_reach_the_frames(network):
    frames = tf.constant(tone(300.0, 0.1, 4)[np.newaxis, : pitch.FRAME_SIZE])
    with tf.GradientTape() as tape:
        tape.watch(frames)
        loss = tf.reduce_sum(network(frames) ** 2)
    gradient = tape.gradient(loss, frames)
    assert np.all(np.isfinite(gradient))
    assert np.max(np.abs(gradient)) > 0.0


def test_a_batch_equals_its_rows(network):
    audio = np.stack([tone(220.0, 0.3), tone(500.0, 0.3)])
    f0_hz, confidence = pitch.estimate_f0(audio, FRAME_RATE)
    assert f0_hz.dtype == confidence.dtype == np.float32
    for row, f0_row, confidence_row in zip(audio, f0_hz, confidence, strict=True):
        alone = pitch.estimate_f0(row, FRAME_RATE)
        np.testing.assert_allclose(f0_row, alone[0], rtol=1e-6)
        np.testing.assert_allclose(confidence_row, alone[1], rtol=1e-6)


def test_chunks_leave_no_seams(network):
    n_frames = 300  # more than one chunk
    time = np.arange(64 * (n_frames - 1) + pitch.FRAME_SIZE) / SAMPLE_RATE
    audio = np.sin(2 * np.pi * (200.0 * time + 40.0 * time**2)).astype(np.float32)
    whole = network.activations(audio, 64, "valid")
    assert whole.shape == (n_frames, pitch.N_BINS)
    later = network.activations(audio[64 * 120 :], 64, "valid")
    np.testing.assert_allclose(whole[120:], later, atol=1e-5)


@pytest.mark.parametrize("n_samples", [4000, 4001, 4095, 100])
def test_frames_are_counted_as_agreed(n_samples):
    audio = tone(440.0)[:n_samples]
    centered, _ = pitch.estimate_f0(audio, FRAME_RATE, padding="center")
    same, _ = pitch.estimate_f0(audio, FRAME_RATE, padding="same")
    causal, _ = pitch.estimate_f0(audio, FRAME_RATE, padding="causal")
    assert causal.shape == same.shape
    assert centered.shape == (n_samples // 64 + 1,)
    assert same.shape == (-(-n_samples // 64),)


def test_causal_pitch_hears_nothing_later_than_its_hop():
    audio = np.concatenate([tone(440.0)[:8000], tone(220.0)[:4000]])
    whole = pitch.load("tiny").activations(audio, 64, "causal")
    heard = pitch.load("tiny").activations(audio[:8000], 64, "causal")
    np.testing.assert_allclose(whole[:125], heard, atol=1e-5)
    # A frame that ends where a centered one does holds the same samples.
    centered = pitch.load("tiny").activations(audio, 64, "center")
    np.testing.assert_allclose(whole[107:187], centered[100:180], atol=1e-5)


@pytest.mark.parametrize("padding", ["center", "same", "causal"])
@pytest.mark.parametrize("n_samples", [19200, 19199, 19201])
def test_other_sample_rates_are_resampled(padding, n_samples):
    audio = tone(440.0, 0.5, sample_rate=48000)[:n_samples]
    f0_hz, _ = pitch.estimate_f0(audio, FRAME_RATE, padding=padding, sample_rate=48000)
    hop = 48000 // FRAME_RATE
    expected = n_samples // hop + 1 if padding == "center" else -(-n_samples // hop)
    assert f0_hz.shape == (expected,)
    inside = slice(30, None) if padding == "causal" else slice(15, -20)
    np.testing.assert_allclose(f0_hz[inside], 440.0, atol=1.0)


def dense_viterbi(observations):
    """Every transition tried, in float64 probabilities rescaled at each step."""
    model = pitch.HiddenMarkovModel(len(observations))
    transition, emission = model.transition_matrix, model.emission_matrix
    best = model.initial_probabilities * emission[:, observations[0]]
    origins = []
    for observed in observations[1:]:
        joint = best[:, np.newaxis] * transition
        origins.append(np.argmax(joint, axis=0))
        best = np.max(joint, axis=0) * emission[:, observed]
        best /= best.max()
    path = [int(np.argmax(best))]
    for origin in reversed(origins):
        path.append(int(origin[path[-1]]))
    return np.array(path[::-1])


def log_likelihood(path, observations):
    model = pitch.HiddenMarkovModel(len(observations))
    moves = np.log(model.transition_matrix[path[:-1], path[1:]]).sum()
    return moves + np.log(model.emission_matrix[path, observations]).sum()


@pytest.mark.parametrize("seed", range(4))
def test_viterbi_finds_the_likeliest_path(seed):
    rng = np.random.default_rng(seed)
    walk = 180 + np.cumsum(rng.integers(-6, 7, 150))
    jumps = rng.random(150) < 0.15
    observations = np.where(jumps, rng.integers(0, 360, 150), np.clip(walk, 0, 359))
    path = pitch.HiddenMarkovModel(150).posterior_mode(observations)
    # Paths of equal likelihood may differ, so likelihoods are compared.
    np.testing.assert_allclose(
        log_likelihood(path, observations),
        log_likelihood(dense_viterbi(observations), observations),
        rtol=1e-12,
    )


def test_the_model_matches_its_definition():
    model = pitch.HiddenMarkovModel(3)
    for matrix in (model.transition_matrix, model.emission_matrix):
        np.testing.assert_allclose(matrix.sum(axis=1), 1.0, rtol=1e-12)
    row = model.transition_matrix[100]
    np.testing.assert_allclose(row[100:113] / row[100], np.arange(12, -1, -1) / 12)


def test_viterbi_bridges_a_wrong_octave():
    activations = np.full([40, pitch.N_BINS], 0.01, np.float32)
    activations[:, 150] = 0.8
    activations[20, 210] = 0.9
    path = pitch.viterbi_path(activations)
    np.testing.assert_array_equal(path, 150)


def test_cents_are_a_weighted_mean_around_the_peak():
    rng = np.random.default_rng(1)
    activations = rng.random([30, pitch.N_BINS]).astype(np.float32)
    activations[0, 0] = activations[1, -1] = 2.0
    expected = []
    for row in activations.astype(np.float64):
        peak = np.argmax(row)
        near = slice(max(peak - 4, 0), peak + 5)
        expected.append(np.sum(row[near] * pitch.BIN_CENTS[near]) / row[near].sum())
    cents = pitch.activations_to_cents(activations)
    np.testing.assert_allclose(cents, expected, atol=2e-3)  # float32 at 9000 cents


def test_missing_weights_name_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"ddsp\[full-crepe\].*'full'"):
        pitch.find_weights("full")


def test_weights_of_an_installed_crepe_are_used(monkeypatch, tmp_path):
    (tmp_path / "crepe").mkdir()
    (tmp_path / "crepe" / "__init__.py").touch()
    file = tmp_path / "crepe" / "model-medium.h5"
    file.touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert pitch.find_weights("medium") == str(file)


def test_a_file_without_weights_is_refused(tmp_path):
    file = tmp_path / "weights.h5"
    file.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="Not a readable file of CREPE weights"):
        pitch.Crepe(str(file))
    with pytest.raises(ValueError, match="must be one of"):
        pitch.find_weights("huge")


@pytest.mark.parametrize(
    ("audio", "frame_rate", "message"),
    [
        (np.zeros(4000), 252, "must divide the sample rate"),
        (np.full(4000, np.nan), 250, "must be finite"),
        (np.zeros([1, 2, 3]), 250, "axes"),
        (np.zeros(0), 250, "must not be empty"),
    ],
)
def test_bad_input_is_refused(audio, frame_rate, message):
    with pytest.raises(ValueError, match=message):
        pitch.estimate_f0(audio, frame_rate)
