"""Pitch in blocks, compared with the tracker run on the whole recording."""

import numpy as np
import pytest

from ddsp import pitch
from ddsp.playing import PitchStream

N_HOPS = 50
RATES = (16000, 48000)
PADDINGS = ("causal", "center")


@pytest.fixture(scope="module")
def streams():
    return {
        (rate, padding): PitchStream(rate, padding=padding)
        for rate in RATES
        for padding in PADDINGS
    }


def recording(rate, n_hops=N_HOPS):
    """[2, n_samples]: gliding tones with three partials, from silence on."""
    time = np.arange(n_hops * rate // 250) / rate
    rows = []
    for start, octaves in ((220.0, 4.0), (660.0, -3.0)):
        phase = start * (2.0 ** (octaves * time) - 1.0) / (octaves * np.log(2.0))
        partials = [np.sin(2.0 * np.pi * k * phase) / k for k in (1, 2, 3)]
        rows.append(0.2 * np.sum(partials, axis=0))
    audio = np.stack(rows)
    audio[:, : len(time) // 10] = 0.0
    return audio.astype(np.float32)


def play(stream, audio, sizes):
    """(f0_hz, f0_confidence), the lag still on."""
    state, done, said = stream.initial_state(len(audio)), 0, []
    for size in sizes:
        stop = done + size * stream.hop_size
        heard, state = stream.step(audio[:, done:stop], state)
        assert heard[0].shape == heard[1].shape == (len(audio), size)
        said.append(heard)
        done = stop
    said.append(stream.flush(state))
    return [np.concatenate(x, axis=1) for x in zip(*said, strict=True)]


def partition(seed, n_hops=N_HOPS):
    rng = np.random.default_rng(seed)
    sizes = []
    while sum(sizes) < n_hops:
        sizes.append(min(int(rng.integers(1, 12)), n_hops - sum(sizes)))
    return sizes


def assert_same_pitch(actual, expected):
    f0_hz, confidence = actual
    expected_hz, expected_confidence = expected
    # Compiled and in batches, the network's float32 sums round differently.
    np.testing.assert_allclose(confidence, expected_confidence, atol=1e-4)
    np.testing.assert_allclose(f0_hz, expected_hz, rtol=1e-3)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("rate", RATES)
def test_any_partition_is_the_whole(streams, rate, padding):
    stream = streams[rate, padding]
    audio = recording(rate)
    whole = stream.whole(audio)
    assert whole[0].shape == (2, N_HOPS)
    assert len(set(whole[0][0])) > 10
    for sizes in ([N_HOPS], [1] * N_HOPS, partition(0)):
        played = [x[:, stream.latency_frames :] for x in play(stream, audio, sizes)]
        assert_same_pitch(played, whole)


@pytest.mark.parametrize("padding", PADDINGS)
def test_frames_are_those_of_the_tracker_held(streams, padding):
    """At 16 kHz, against `pitch.estimate_f0` and the times of its frames."""
    stream = streams[16000, padding]
    audio = recording(16000)
    tracked, confidence = pitch.estimate_f0(audio, 100, viterbi=False, padding=padding)
    f0_hz, confidences = stream.whole(audio)
    for frame in range(N_HOPS):
        # Frames of 10 ms and of 4 ms: a causal one ends 10 ms after it starts.
        held = frame * 4 // 10 if padding == "center" else (frame + 1) * 4 // 10 - 1
        if held < 0:
            continue
        np.testing.assert_allclose(f0_hz[:, frame], tracked[:, held], rtol=1e-4)
        np.testing.assert_allclose(confidences[:, frame], confidence[:, held], 1e-3)


def test_a_change_of_rate_does_not_change_the_pitch(streams):
    """A tone between two partials of silence, to a tenth of a semitone."""
    for rate in RATES:
        tone = 0.3 * np.sin(2.0 * np.pi * 440.0 * np.arange(rate // 5) / rate)
        f0_hz, confidence = streams[rate, "causal"].whole(
            tone[np.newaxis].astype(np.float32)
        )
        np.testing.assert_allclose(f0_hz[0, 25:], 440.0, rtol=0.006)
        assert (confidence[0, 25:] > 0.8).all()


def test_the_lag_is_what_the_frames_need(streams):
    assert streams[16000, "causal"].latency_frames == 0
    assert streams[16000, "causal"].look_ahead_samples == 0
    # Half a frame is 512 samples, eight hops, of which the first has been heard; the
    # pitch frame starts at the hop at the latest.
    assert streams[16000, "center"].latency_frames == 7
    assert streams[16000, "center"].look_ahead_samples == 512
    assert streams[48000, "causal"].latency_frames == 0
    assert streams[48000, "center"].latency_frames >= 7


def test_a_longer_lag_only_comes_later(streams):
    audio = recording(16000)
    late = PitchStream(padding="causal", latency_frames=3)
    played = play(late, audio, partition(1))
    assert played[0].shape == (2, N_HOPS + 3)
    assert_same_pitch([x[:, 3:] for x in played], streams[16000, "causal"].whole(audio))


def test_a_state_is_left_as_it_was(streams):
    stream = streams[48000, "causal"]
    audio = recording(48000)
    half = audio.shape[1] // 2
    _, state = stream.step(audio[:, :half], stream.initial_state(2))
    first, _ = stream.step(audio[:, half:], state)
    again, _ = stream.step(audio[:, half:], state)
    np.testing.assert_array_equal(first, again)


def test_what_is_kept_does_not_grow(streams):
    for stream in streams.values():
        state = stream.initial_state(1)
        block = np.zeros([1, stream.hop_size], np.float32)
        for _ in range(100):
            _, state = stream.step(block, state)
        # A frame of 1024, and what the lag and the resampler hold.
        assert state["audio"].shape[1] < 2 * pitch.FRAME_SIZE
        assert state["converter"]["audio"].shape[1] < 1024


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"viterbi": True}, "got viterbi=True"),
        ({"padding": "same"}, "got 'same'"),
        ({"frame_rate": 252}, "frame_rate=252"),
        ({"pitch_rate": 99}, "frame_rate=99"),
        ({"padding": "center", "latency_frames": 6}, "got 6"),
        ({"latency_frames": -1}, "got -1"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        PitchStream(**settings)


@pytest.mark.parametrize(
    ("audio", "error", "message"),
    [
        (np.zeros(64, np.float32), ValueError, r"got shape \(64,\)"),
        (np.zeros([1, 65], np.float32), ValueError, r"got shape \(1, 65\)"),
        (np.zeros([1, 64]), TypeError, "got float64"),
        (np.zeros([2, 64], np.float32), ValueError, r"got shape \(2, 64\)"),
        (np.full([1, 64], np.nan, np.float32), ValueError, "got nan"),
        (np.full([1, 64], 3e38, np.float32), ValueError, r"got 3e\+38"),
    ],
)
def test_blocks_that_cannot_be(streams, audio, error, message):
    stream = streams[16000, "causal"]
    with pytest.raises(error, match=message):
        stream.step(audio, stream.initial_state(1))
