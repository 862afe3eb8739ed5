"""Content of the figures of notes."""

import numpy as np
import pytest
import tensorflow as tf
from matplotlib import colors, pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ddsp.training import midi, plotting, summaries
from ddsp.training.summaries import figures, note_summaries

RATE, N_FRAMES = 50, 100
PLAYED = [(60, 100, 0.0, 1.0), (64, 100, 1.0, 2.0)]
FOUND = [(60, 100, 0.0, 0.5), (67, 100, 1.0, 2.0)]


def roll_of(table):
    return midi.to_pianoroll(midi.make_midi(table), RATE, N_FRAMES)


def f0_of(table):
    roll = roll_of(table)
    hz = 440.0 * 2.0 ** ((roll.argmax(axis=1) - 69) / 12)
    return np.float32(np.where(roll.any(axis=1), hz, 0.0))[:, np.newaxis]


@pytest.fixture
def drawn(monkeypatch):
    """Returns the written figures by tag."""
    found = {}

    def keep(tag, fig, step):
        fig.canvas.draw()
        found[tag] = fig

    monkeypatch.setattr(note_summaries, "fig_summary", keep)
    return found


def curve(axis, label):
    (line,) = [line for line in axis.get_lines() if line.get_label() == label]
    return np.asarray(line.get_ydata())


def pixel(axis, x, y):
    """Returns the color of a figure at data coordinates."""
    canvas = FigureCanvasAgg(axis.figure)
    canvas.draw()
    image = np.asarray(canvas.buffer_rgba())
    column, row = axis.transData.transform((x, y))
    return image[image.shape[0] - 1 - int(row), int(column), :3] / 255


@pytest.mark.parametrize("fig", [None, Figure()])
def test_piano(fig):
    figure, main, piano = plotting.pianoroll_plot_setup(
        (6.0, 4.0), xlim=(0, 50), fig=fig
    )
    assert (figure is fig) == bool(fig) == (not pyplot.get_fignums())
    assert figure.get_size_inches().tolist() == [6.0, 4.0]
    assert main.get_xlim() == (0.0, 50.0)
    main.set_ylim(59.5, 72.5)
    assert piano.get_ylim() == (59.5, 72.5)
    black = {61, 63, 66, 68, 70}
    for pitch in range(60, 72):
        dark = pixel(piano, 0.5, pitch + 0.25).mean() < 0.5
        assert dark == (pitch in black), pitch
    faint = pixel(main, 25, 61.25).mean()
    assert 0.8 < faint < pixel(main, 25, 62.25).mean() == 1.0
    ratio = piano.get_position().width / main.get_position().width
    assert ratio == pytest.approx(0.025, rel=1e-6)
    pyplot.close("all")


def test_piano_without_faint_keys():
    _, main, _ = plotting.pianoroll_plot_setup(faint_pr=False, side_piano_ratio=0.1)
    assert not main.get_images() and main.get_xlim() == (0.0, 1000.0)
    with pytest.raises(ValueError, match="got 0"):
        plotting.pianoroll_plot_setup(side_piano_ratio=0)
    pyplot.close("all")


@pytest.mark.parametrize("as_midi", [False, True])
def test_pianoroll(drawn, as_midi):
    found = [midi.make_midi(FOUND)] if as_midi else roll_of(FOUND)[np.newaxis]
    batch = {"note_active_velocities": roll_of(PLAYED)[np.newaxis], "found": found}
    summaries.pianoroll_summary(batch, 3, "mine", RATE, "found", tb_name="roll")
    _, axis = drawn["roll_mine/0"].axes
    assert axis.get_ylim() == (54.5, 72.5)
    expected = {(10, 60): "cyan", (40, 60): "lime", (75, 64): "lime", (75, 67): "blue"}
    for place, name in expected.items():
        np.testing.assert_allclose(pixel(axis, *place), colors.to_rgb(name), atol=0.01)
    assert pixel(axis, 75, 60.2).min() == 1.0


def test_pianoroll_of_silence(drawn):
    silent = {
        "played": np.zeros([1, N_FRAMES, 128, 2]),
        "found": np.zeros([1, 99, 128, 2]),
    }
    summaries.pianoroll_summary(silent, 0, "pianoroll", RATE, "found", "played", ch=1)
    _, axis = drawn["pianoroll/0"].axes
    assert axis.get_ylim() == (-0.5, 127.5)


def test_pianoroll_threshold(drawn):
    batch = {"played": 0.4 * roll_of(PLAYED)[np.newaxis], "found": roll_of(FOUND)[None]}
    summaries.pianoroll_summary(
        batch, 0, "x", RATE, "found", gt_key="played", threshold=0.5
    )
    _, axis = drawn["pianoroll_x/0"].axes
    np.testing.assert_allclose(pixel(axis, 10, 60), (0.0, 0.0, 1.0), atol=0.01)


def test_notes_in_their_controls(drawn):
    amplitudes = np.linspace(0.0, 1.0, N_FRAMES, dtype=np.float32)[:, np.newaxis]
    controls = {
        "f0_hz": f0_of(PLAYED)[np.newaxis],
        "harmonic": {"controls": {"amplitudes": tf.constant(amplitudes[np.newaxis])}},
        "notes": [midi.make_midi(FOUND)],
    }
    summaries.midi_summary(controls, 0, "heuristic", RATE, "notes")
    above, below = drawn["midi_heuristic/0"].axes
    pitch = np.repeat([60.0, np.nan, 67.0], [25, 25, 50])
    np.testing.assert_array_equal(curve(below, "notes"), pitch)
    np.testing.assert_allclose(
        curve(below, "controls"), np.repeat([60, 64], 50), atol=1e-3
    )
    velocity = np.where(np.isnan(pitch), np.nan, 100 / 127)
    np.testing.assert_allclose(curve(above, "velocity of notes"), velocity, rtol=1e-6)
    np.testing.assert_allclose(curve(above, "controls")[1:], amplitudes[1:, 0])


def outputs_of_notes(batch_size=1):
    roll = roll_of(PLAYED)
    outputs = {
        "q_pitch": roll.argmax(axis=1)[:, np.newaxis],
        "f0_midi_pred": roll.argmax(axis=1)[:, np.newaxis] + 0.25,
        "z_pitch": roll.argmax(axis=1)[:, np.newaxis] - 0.25,
        "velocity_quant": roll.max(axis=1),
        "loudness_db_rec": np.full([N_FRAMES, 1], -20.0),
        "f0_hz": f0_of(PLAYED),
        "amps": np.full([N_FRAMES, 1], -12.0),
        "hd": np.full([N_FRAMES, 5], 0.2),
        "noise": np.full([N_FRAMES, 4], -60.0),
    }
    return {
        key: np.float32(value)[np.newaxis].repeat(batch_size, 0)
        for key, value in outputs.items()
    }


def test_decoded_pitch(drawn):
    outputs = outputs_of_notes(6)
    summaries.midiae_f0_summary(outputs["f0_hz"], outputs, 0)
    kinds = ("midiae_decoder_pitch", "midiae_encoder_pitch")
    assert set(drawn) == {f"{kind}/{i}" for kind in kinds for i in range(4)}
    _, axis = drawn["midiae_decoder_pitch/3"].axes
    notes_drawn = np.repeat([60.0, 64.0], 50)
    np.testing.assert_array_equal(curve(axis, "notes"), notes_drawn)
    np.testing.assert_array_equal(curve(axis, "f0_midi_pred"), notes_drawn + 0.25)
    assert axis.get_ylim() == (54.5, 69.5)


def test_decoded_loudness(drawn):
    outputs = outputs_of_notes()
    loudness = np.full([1, N_FRAMES], -30.0)
    summaries.midiae_ld_summary(loudness, outputs, 0)
    assert set(drawn) == {"midiae_decoder_ld_loudness_db/0"}
    summaries.midiae_ld_summary(loudness, {**outputs, "velocity": loudness}, 0)
    assert len(drawn) == 2
    (axis,) = drawn["midiae_decoder_ld_loudness_db/0"].axes
    assert np.unique(curve(axis, "recording")).tolist() == [-30.0]
    assert np.unique(curve(axis, "loudness_db_rec")).tolist() == [-20.0]


@pytest.mark.parametrize("decoded", [False, True])
def test_decoded_controls(drawn, decoded):
    outputs = outputs_of_notes()
    if decoded:
        for key in ("amps", "hd", "noise"):
            outputs[f"{key}_pred"] = 0.5 * outputs[key]
    summaries.midiae_sp_summary(outputs, 0)
    assert set(drawn) == {"amplitudes/0", "harmonic_dist/0", "noise_mags/0"}
    amplitudes = drawn["amplitudes/0"].axes
    assert len(amplitudes) == (3 if decoded else 1)
    picture = drawn["harmonic_dist/0"].axes[0].get_images()[0].get_array()
    np.testing.assert_allclose(picture, np.full([5, N_FRAMES], np.log(0.2)), rtol=1e-6)
    if decoded:
        assert np.unique(amplitudes[2].get_lines()[0].get_ydata()).tolist() == [-6.0]


def test_pictures_leave_no_figures_behind(tmp_path):
    outputs = outputs_of_notes(2)
    writer = tf.summary.create_file_writer(str(tmp_path))
    with writer.as_default():
        summaries.midiae_f0_summary(outputs["f0_hz"], outputs, 0)
    writer.close()
    (path,) = tmp_path.glob("events*")
    tags = {
        value.tag
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    }
    assert len(tags) == 4
    assert pyplot.get_fignums() == []
    assert figures.MAX_EXAMPLES == summaries.MAX_EXAMPLES
