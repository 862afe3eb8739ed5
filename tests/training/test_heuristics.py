"""Note detection by heuristics, compared with loops and on synthetic audio."""

from pathlib import Path

import gin
import numpy as np
import pytest
import tensorflow as tf

from ddsp.training import gin_files, heuristics, midi

RATE = 250
HEURISTICS = (
    heuristics.midi_heuristic,
    heuristics.mean_f0,
    heuristics.median_amps,
)


def controls_of(f0_hz, amplitudes):
    return {
        "f0_hz": np.float32(f0_hz)[:, np.newaxis],
        "harmonic": {"controls": {"amplitudes": np.float32(amplitudes)[:, np.newaxis]}},
    }


def rows(notes):
    return [
        (n.pitch, round(n.start * RATE), round(n.end * RATE))
        for n in midi.sorted_notes(notes)
    ]


def found(controls, marks=heuristics.midi_heuristic):
    return rows(heuristics.segment_notes(marks, *HEURISTICS[1:], controls))


def test_padding_gives_a_window_a_value():
    x = np.array([-1.5, 0.25, 0.5, 2.5])
    pad = heuristics.pad_for_frame
    np.testing.assert_array_equal(pad(x, "front", 3), [-1.5, -1.5, *x])
    np.testing.assert_array_equal(pad(x, "end", 3), [*x, 2.5, 2.5])
    np.testing.assert_array_equal(pad(x, "center", 3), [-1.5, *x, 2.5])
    np.testing.assert_array_equal(pad(x, "center", 4), [-1.5, -1.5, *x, 2.5])
    table = np.stack([x, -x])
    np.testing.assert_array_equal(pad(table, "front", 2, axis=1)[1], [1.5, *-x])


def test_bad_padding():
    with pytest.raises(ValueError, match="got 'middle'"):
        heuristics.pad_for_frame(np.ones(3), "middle", 2)
    with pytest.raises(ValueError, match="got 0"):
        heuristics.pad_for_frame(np.ones(3), "front", 0)
    with pytest.raises(ValueError, match=r"got shape \(0,\)"):
        heuristics.pad_for_frame(np.ones(0), "front", 2)


@pytest.mark.parametrize(
    ("secs", "win_len", "ratio", "shape"),
    [(1.0, 0.29, 0.5, (9, 29)), (2.0, 0.5, 1.0, (4, 50)), (1.0, 0.4, 0.75, (4, 40))],
)
def test_windows(secs, win_len, ratio, shape):
    x = np.arange(1.0, 100 * secs + 1)
    windows = heuristics.window_array(x, 100, win_len, ratio)
    assert windows.shape == shape
    step, overlap = int(shape[1] * ratio), shape[1] - int(np.ceil(shape[1] * ratio))
    padded = np.concatenate([np.zeros(overlap), x, np.zeros(shape[1])])
    for i, window in enumerate(windows):
        np.testing.assert_array_equal(window, padded[i * step :][: shape[1]])


def test_windows_of_another_axis():
    x = np.random.default_rng(0).normal(size=[2, 50])
    both = heuristics.window_array(x, 10, 1.0, ax=1)
    for i in range(2):
        one = heuristics.window_array(x[i], 10, 1.0)
        np.testing.assert_array_equal(both[i], one)
    with pytest.raises(ValueError, match=r"frame_step_ratio=1\.5"):
        heuristics.window_array(x, 10, 1.0, 1.5)
    with pytest.raises(ValueError, match=r"win_len=0\.01"):
        heuristics.window_array(x, 10, 0.01)


def as_text(is_on):
    return "".join("#" if on else "." for on in is_on)


@pytest.mark.parametrize(
    ("given", "removed", "glued"),
    [
        ("####..##..####", "####......####", "########..####"),
        (".##.####.#.#", "....####....", "....########"),
        ("....", "....", "...."),
        ("####", "####", "####"),
        ("##", "..", ".."),
        ("", "", ""),
    ],
)
def test_short_notes(given, removed, glued):
    is_on = np.array([c == "#" for c in given], bool)
    before = is_on.copy()
    assert as_text(heuristics.remove_short(is_on, 3)) == removed
    assert as_text(heuristics.remove_short(is_on, 3, glue_back=True)) == glued
    np.testing.assert_array_equal(is_on, before)


def test_dips_against_a_loop():
    rng = np.random.default_rng(1)
    amplitudes = np.exp(rng.normal(-2.0, 1.0, 60))
    amplitudes[30] = 1e-4
    controls = controls_of(np.full(60, 440.0), amplitudes)
    marks = heuristics.amp_pooled_outliers(controls, frame_width=7, num_devs=1.0)
    levels = np.log(np.maximum(np.float32(amplitudes).astype(float), 1e-4))
    for i in range(60):
        around = [levels[min(max(i + k, 0), 59)] for k in range(-3, 4)]
        assert marks[i] == (
            levels[i] >= np.mean(around) - np.std(around) and amplitudes[i] > 1e-4
        )
    assert 0 < marks.sum() < 60


def test_changes_of_pitch():
    """A step of one semitone takes one frame, found with the shortest window."""
    f0_hz = 440.0 * 2.0 ** (np.repeat([0.0, 1.0, 1.5], 50) / 12)
    f0_hz[140:] = 0.0
    marks = heuristics.strided_freq_change({"f0_hz": f0_hz})
    assert np.flatnonzero(~marks).tolist() == [50, *range(140, 150)]


def test_slow_change_of_pitch():
    """A glide of 0.3 semitones per frame is found with 4 frames, not with 2."""
    steps = np.clip(np.arange(100) - 50, 0, 10) * 0.3
    controls = {"f0_hz": 440.0 * 2.0 ** (steps / 12)}
    narrow = heuristics.strided_freq_change(controls, frame_widths=(2,))
    assert narrow.all()
    marks = heuristics.strided_freq_change(controls, frame_widths=(2, 4))
    # From the first frame that is 0.9 semitones above the one three before it to the
    # last.
    assert np.flatnonzero(~marks).tolist() == list(range(53, 61))


@pytest.mark.parametrize("value", [69.9, 127.0, 0.4])
def test_steady_pitch_is_one_note(value):
    """Padding must not cause an onset at the start."""
    f0_hz = np.full(100, 440.0 * 2.0 ** ((value - 69) / 12))
    assert heuristics.strided_freq_change({"f0_hz": f0_hz}).all()


def test_one_steady_note():
    controls = controls_of(np.full(500, 440.0), np.full(500, 0.1))
    assert found(controls) == [(69, 0, 500)]


def test_legato_notes_are_cut_at_the_pitch():
    f0_hz = 440.0 * 2.0 ** (np.repeat([0.0, 2.0, 7.0], 100) / 12)
    assert found(controls_of(f0_hz, np.full(300, 0.1))) == [
        (69, 0, 100),
        (71, 101, 200),
        (76, 201, 300),
    ]


def test_repeated_notes_are_cut_at_the_dip():
    amplitudes = np.full(300, 0.2)
    amplitudes[148:152] = 0.002
    assert found(controls_of(np.full(300, 440.0), amplitudes)) == [
        (69, 0, 148),
        (69, 152, 300),
    ]


def test_silence_has_no_notes():
    silent = controls_of(np.zeros(200), np.zeros(200))
    assert found(silent) == []
    # The tracker may detect pitch in silence, where the synthesizer is at its floor.
    assert found(controls_of(np.full(200, 440.0), np.full(200, 1e-7))) == []
    assert found(controls_of([], [])) == []


def test_silence_around_a_note():
    amplitudes = np.zeros(400)
    amplitudes[100:300] = 0.3
    assert found(controls_of(np.full(400, 220.0), amplitudes)) == [(57, 100, 300)]


def tone(rate, gaps=((0.0, 0.2), (0.5, 0.53), (0.9, 1.0))):
    time = np.arange(rate) / rate
    audio = 0.3 * np.sin(2 * np.pi * 330.0 * time)
    for start, stop in gaps:
        audio[(time >= start) & (time < stop)] = 0.0
    return np.float32(audio)


@pytest.mark.parametrize("n_frames", [RATE, RATE + 1])
def test_notes_by_power(n_frames):
    controls = {**controls_of(np.full(n_frames, 330.0), np.ones(n_frames))}
    controls["audio"] = tone(16000)
    notes = found(controls, heuristics.midi_heuristic_power)
    assert [pitch for pitch, *_ in notes] == [64, 64]
    # A centered window of 256 samples extends two frames into the silence.
    np.testing.assert_allclose(
        [times for _, *times in notes], [[50, 125], [132, 225]], atol=2
    )


def test_power_at_another_rate():
    controls = {"audio": tone(48000), "f0_hz": np.full(RATE, 330.0)}
    marks = heuristics.power_pooled_outliers(controls, sample_rate=48000)
    np.testing.assert_allclose(np.flatnonzero(marks)[[0, -1]], [50, 224], atol=1)
    with pytest.raises(ValueError, match="expected 250, got 751"):
        heuristics.power_pooled_outliers(controls)


def test_pitch_and_velocity_of_a_note():
    f0_hz = np.array([400.0, 410.0, 600.0])
    controls = controls_of(f0_hz, [1e-9, 0.01, 1.0])
    assert heuristics.mean_f0(controls, 0, 3) == pytest.approx(470.0)
    assert heuristics.median_f0(controls, 0, 3) == pytest.approx(410.0)
    assert heuristics.median_amps(controls, 0, 2) == pytest.approx(0.005, rel=1e-6)
    amplitudes = {1.0: 127, 0.01: 64, 1e-4: 1, 0.0: 1, 5.0: 127}
    for amplitude, velocity in amplitudes.items():
        notes = heuristics.segment_notes(
            lambda _: [0, 1, 1],
            heuristics.median_f0,
            lambda *_, value=amplitude, **__: value,
            controls,
            frame_rate=10,
        )
        (note,) = midi.sorted_notes(notes)
        # The median of 410 and 600 Hz is 505 Hz, a little above B4 at 493.9 Hz.
        assert (note.pitch, note.velocity) == (71, velocity)
        assert (note.start, note.end) == pytest.approx((0.1, 0.3))


def test_batch_is_cut_one_by_one():
    f0_hz = 440.0 * 2.0 ** (np.repeat([0.0, 2.0], 50) / 12)
    examples = [
        controls_of(f0_hz, np.full(100, 0.1)),
        controls_of(f0_hz[::-1], np.full(100, 0.1)),
        controls_of(0 * f0_hz, np.zeros(100)),
    ]
    batch = tf.nest.map_structure(lambda *x: tf.constant(np.stack(x)), *examples)
    # Values that are no batches or no arrays are ignored.
    batch = {**batch, "reverb": {"controls": {"ir": tf.ones([1, 7])}}, "none": None}
    notes = heuristics.segment_notes_batch(*HEURISTICS, batch)
    assert [rows(n) for n in notes] == [found(example) for example in examples]
    assert [len(rows(n)) for n in notes] == [2, 2, 0]
    halved = heuristics.segment_notes_batch(*HEURISTICS, batch, frame_rate=RATE // 2)
    np.testing.assert_allclose(halved[0].get_end_time(), 0.8)


def test_missing_controls_are_named():
    with pytest.raises(ValueError, match="'harmonic/controls/amplitudes', got "):
        heuristics.midi_heuristic({"f0_hz": np.ones(50)})
    with pytest.raises(ValueError, match=r"'f0_hz', got \['audio'\]"):
        heuristics.segment_notes_batch(*HEURISTICS, {"audio": np.ones([1, 9])})
    with pytest.raises(ValueError, match=r"got shape \(50, 2\)"):
        heuristics.strided_freq_change({"f0_hz": np.ones([50, 2])})


@pytest.mark.parametrize("name", ["heuristic", "heuristic_power"])
def test_config_chooses_the_rules(name):
    path = Path(gin_files.config_dir()) / "eval" / f"{name}.gin"
    with gin.unlock_config():
        gin.parse_config(path.read_text())
    controls = controls_of(np.full(RATE, 330.0), np.full(RATE, 0.1))
    controls["audio"] = tone(16000)
    batch = tf.nest.map_structure(lambda x: x[np.newaxis], controls)
    (notes,) = heuristics.segment_notes_batch(controls_batch=batch)
    rule = getattr(heuristics, f"midi_{name}")
    assert rows(notes) == found(controls, rule)
    assert len(rows(notes)) == (2 if "power" in name else 1)
