"""Summaries of notes, and of the controls of MIDI autoencoders, for TensorBoard."""

from typing import TYPE_CHECKING

import numpy as np

from ddsp import core
from ddsp.training import midi, plotting
from ddsp.training.summaries.figures import (
    MAX_EXAMPLES,
    fig_summary,
    make_figure,
    make_tag,
)
from ddsp.types import ArrayLike, Midi, Outputs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE = (6.0, 4.0)
# Semitones above and below the plotted pitches.
_MARGIN = 5
_REFERENCE, _PREDICTION = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])


def midi_summary(
    controls: Outputs, step: int, name: str, frame_rate: int, notes_key: str
) -> None:
    """Plots amplitude and f0 with the notes that were detected in them.

    Args:
      controls: Controls `f0_hz` and `harmonic/controls/amplitudes`, [batch, n_frames,
        1], and the notes.
      step: Training step.
      name: Suffix of the tag.
      frame_rate: Frames per second.
      notes_key: Name of the notes in `controls`: `pretty_midi.PrettyMIDI` objects, or
        piano rolls [batch, n_frames, 128].

    Example:

    >>> from ddsp.training import summaries
    >>> ones = np.ones([1, 10, 1])
    >>> controls = {
    ...     "f0_hz": 440.0 * ones,
    ...     "harmonic": {"controls": {"amplitudes": ones}},
    ...     "notes": ones * (np.arange(128) == 69),
    ... }
    >>> with tf.summary.create_file_writer(str(tmp_path)).as_default():
    ...     summaries.midi_summary(controls, 0, "heuristic", 250, notes_key="notes")
    """
    amplitudes = controls["harmonic"]["controls"]["amplitudes"]
    for i, (f0_hz, amps) in enumerate(_curves(controls["f0_hz"], amplitudes)):
        roll = _pianoroll(controls[notes_key][i], frame_rate, f0_hz.size)
        fig, (top, bottom) = make_figure(rows=2, size=_SIZE)
        top.plot(np.where(amps > 0.0, amps, np.nan), label="controls")
        top.plot(_or_gaps(roll.max(axis=1)), label="velocity of notes")
        top.set(ylabel="Amplitude", yscale="log", ylim=(1e-4, 2.0))
        bottom.plot(_or_gaps(_midi(f0_hz)), label="controls")
        bottom.plot(_or_gaps(roll.argmax(axis=1), roll.max(axis=1)), label="notes")
        bottom.set(xlabel="Frame", ylabel="Pitch (MIDI)")
        top.legend()
        bottom.legend()
        fig_summary(f"{make_tag('midi', name)}/{i}", fig, step)


def midiae_f0_summary(f0_hz: ArrayLike, outputs: Outputs, step: int) -> None:
    """Plots the f0 of recordings with the notes and decoded f0 of a MIDI autoencoder.

    Args:
      f0_hz: f0 of the recordings in Hz, [batch, n_frames] or [batch, n_frames, 1].
      outputs: Notes `q_pitch` and decoded f0 `f0_midi_pred`; optionally a second
        decoded f0 `f0_midi_pred2`, and the pitch before quantization, `z_pitch` or
        `pitch`. All in MIDI notes, [batch, n_frames, 1].
      step: Training step.

    Example:

    >>> from ddsp.training import summaries
    >>> notes = np.full([1, 10, 1], 69.0)
    >>> outputs = {"q_pitch": notes, "f0_midi_pred": notes}
    >>> with tf.summary.create_file_writer(str(tmp_path)).as_default():
    ...     summaries.midiae_f0_summary(np.full([1, 10], 440.0), outputs, step=0)
    """
    drawn = {
        "f0_midi_pred": "midiae_decoder_pitch",
        "f0_midi_pred2": "midiae_decoder_pitch2",
        "z_pitch": "midiae_encoder_pitch",
        "pitch": "midiae_encoder_pitch",
    }
    for key, tag in drawn.items():
        if key not in outputs:
            continue
        for i, (f0, notes, curve) in enumerate(
            _curves(f0_hz, outputs["q_pitch"], outputs[key])
        ):
            pitch = _midi(f0)
            fig, axis = _piano_figure(notes.size, np.concatenate([pitch, notes]))
            axis.step(
                np.arange(notes.size),
                _or_gaps(notes),
                "red",
                where="post",
                label="notes",
            )
            axis.plot(_or_gaps(pitch), "dodgerblue", label="recording")
            axis.plot(_or_gaps(curve), "darkgreen", label=key)
            axis.legend()
            fig_summary(f"{tag}/{i}", fig, step)


def midiae_ld_summary(
    ld_feat: ArrayLike,
    outputs: Outputs,
    step: int,
    db_key: str = "loudness_db",
) -> None:
    """Plots the loudness of recordings with that of a MIDI autoencoder.

    Args:
      ld_feat: Loudness of the recordings, [batch, n_frames] or [batch, n_frames, 1].
      outputs: Any of the decoded loudness `<db_key>_rec` and `<db_key>_rec2` and the
        velocities `velocity_quant` and `velocity`.
      step: Training step.
      db_key: Name of the loudness: `loudness_db` or `power_db`.

    Example:

    >>> from ddsp.training import summaries
    >>> loudness = np.full([1, 10, 1], -30.0)
    >>> with tf.summary.create_file_writer(str(tmp_path)).as_default():
    ...     summaries.midiae_ld_summary(loudness, {"loudness_db_rec": loudness}, step=0)
    """
    decoded = f"{db_key}_rec"
    drawn = {
        "midiae_decoder_ld": (decoded, "velocity_quant"),
        "midiae_decoder_ld2": (f"{db_key}_rec2", "velocity_quant"),
        "midiae_encoder_ld": ("velocity", decoded),
    }
    for tag, keys in drawn.items():
        if keys[0] not in outputs:
            continue
        present = [key for key in keys if key in outputs]
        curves = _curves(ld_feat, *(outputs[key] for key in present))
        for i, (loudness, *others) in enumerate(curves):
            fig, (axis,) = make_figure(size=_SIZE)
            axis.plot(loudness, label="recording")
            for key, curve in zip(present, others, strict=True):
                axis.plot(curve, linewidth=1.0, label=key)
            axis.set(xlabel="Frame")
            axis.legend()
            fig_summary(f"{tag}_{db_key}/{i}", fig, step)


def midiae_sp_summary(outputs: Outputs, step: int) -> None:
    """Plots the controls of the synthesizers, and their decoding from notes.

    Args:
      outputs: Any of the controls `amps`, [batch, n_frames, 1], dB, the harmonic
        distribution `hd` and the noise magnitudes `noise` in dB, both [batch, n_frames,
        n_channels]. The predictions `amps_pred`, `hd_pred` and `noise_pred` are plotted
        below with the difference.
      step: Training step.

    Example:

    >>> from ddsp.training import summaries
    >>> with tf.summary.create_file_writer(str(tmp_path)).as_default():
    ...     summaries.midiae_sp_summary({"amps": np.zeros([1, 10, 1])}, step=0)
    """
    tags = {"amps": "amplitudes", "hd": "harmonic_dist", "noise": "noise_mags"}
    for key, tag in tags.items():
        pair = [name for name in (key, f"{key}_pred") if name in outputs]
        batches = [np.asarray(outputs[name])[:MAX_EXAMPLES] for name in pair]
        for i, controls in enumerate(zip(*batches, strict=True)):
            if key == "hd":
                controls = tuple(np.log(control + 1e-8) for control in controls)
            shown = list(zip(pair, controls, strict=True))
            if len(shown) == 2:
                shown.append(("difference", controls[0] - controls[1]))
            fig, axes = make_figure(rows=len(shown), size=(8.0, 4.0 * len(shown)))
            for axis, (title, control) in zip(axes, shown, strict=True):
                _draw_control(fig, axis, control)
                axis.set(title=f"{title} (log)" if key == "hd" else title)
            fig_summary(f"{tag}/{i}", fig, step)


def pianoroll_summary(
    batch: Outputs,
    step: int,
    name: str,
    frame_rate: int,
    pred_key: str,
    gt_key: str = "note_active_velocities",
    ch: int | None = None,
    threshold: float = 0.0,
    tb_name: str = "pianoroll",
) -> None:
    """Plots predicted notes and reference notes.

    Notes in the reference are green, in the prediction blue, and in both cyan.

    Args:
      batch: Reference, piano rolls [batch, n_frames, 128], and prediction, piano rolls
        or `pretty_midi.PrettyMIDI` objects.
      step: Training step.
      name: Suffix of the tag.
      frame_rate: Frames per second.
      pred_key: Name of the prediction.
      gt_key: Name of the reference.
      ch: Index of the voice, if piano rolls have a fourth axis.
      threshold: Notes are plotted if their velocity is above this value.
      tb_name: Name of the images.

    Example:

    >>> from ddsp.training import summaries
    >>> roll = np.ones([1, 10, 1]) * (np.arange(128) == 69)
    >>> batch = {"note_active_velocities": roll, "notes": roll}
    >>> with tf.summary.create_file_writer(str(tmp_path)).as_default():
    ...     summaries.pianoroll_summary(batch, 0, "notes", 250, pred_key="notes")
    """
    for i, (reference, prediction) in enumerate(
        zip(batch[gt_key][:MAX_EXAMPLES], batch[pred_key][:MAX_EXAMPLES], strict=True)
    ):
        if ch is not None:
            reference, prediction = reference[..., ch], prediction[..., ch]
        reference = midi.checked_pianoroll(reference)
        prediction = _pianoroll(prediction, frame_rate, len(reference))
        n_frames = min(len(reference), len(prediction))
        # [n_pitches, n_frames, 1], with pitch on the vertical axis.
        green, blue = (
            roll[:n_frames].T[..., np.newaxis] > threshold
            for roll in (reference, prediction)
        )
        visible = green | blue
        colors = np.concatenate(
            [green * _REFERENCE + blue * _PREDICTION, visible], axis=-1
        )
        pitches = np.flatnonzero(visible.any(axis=(1, 2)))
        fig, axis = _piano_figure(n_frames, pitches)
        axis.imshow(
            colors,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            extent=(0, n_frames, -0.5, len(colors) - 0.5),
        )
        axis.set_ylim(*_pitch_range(pitches))
        _add_legend(fig)
        fig_summary(f"{make_tag(tb_name, name)}/{i}", fig, step)


def _piano_figure(n_frames: int, pitches: np.ndarray) -> tuple["Figure", "Axes"]:
    """Returns a figure with piano keys at the left, and its main axes."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=_SIZE)
    _, axis, piano = plotting.pianoroll_plot_setup(xlim=(0, max(n_frames, 1)), fig=fig)
    piano.set_ylabel("Pitch (MIDI)")
    axis.set(xlabel="Frame", ylim=_pitch_range(pitches))
    return fig, axis


def _pitch_range(pitches: np.ndarray) -> tuple[float, float]:
    """Returns the range of the pitches above 0 with a margin; all if there are none."""
    present = pitches[pitches > 0]
    if not present.size:
        return -0.5, midi.N_PITCHES - 0.5
    return (
        max(np.round(present.min()) - _MARGIN, 0) - 0.5,
        min(np.round(present.max()) + _MARGIN, midi.N_PITCHES - 1) + 0.5,
    )


def _add_legend(fig: "Figure") -> None:
    from matplotlib.patches import Patch

    labels = {
        "reference": _REFERENCE,
        "prediction": _PREDICTION,
        "both": _REFERENCE + _PREDICTION,
    }
    handles = [Patch(label=label, color=color) for label, color in labels.items()]
    fig.legend(handles=handles, loc="upper center", ncols=3)


def _draw_control(fig: "Figure", axis: "Axes", control: np.ndarray) -> None:
    """Plots one channel as a curve, or several as an image over frames."""
    if control.shape[-1] == 1:
        axis.plot(control[:, 0])
        return
    image = axis.imshow(control.T, aspect="auto", origin="lower")
    fig.colorbar(image, ax=axis)


def _pianoroll(notes: Midi | ArrayLike, frame_rate: int, n_frames: int) -> np.ndarray:
    if midi.is_midi(notes):
        return midi.to_pianoroll(notes, frame_rate, n_frames)
    return midi.checked_pianoroll(notes)


def _curves(*batches: ArrayLike) -> list[tuple[np.ndarray, ...]]:
    """Returns the first examples of batches, [n_frames] each."""
    arrays = [np.asarray(batch, np.float64) for batch in batches]
    rows = [array.reshape(len(array), -1)[:MAX_EXAMPLES] for array in arrays]
    return list(zip(*rows, strict=True))


def _midi(f0_hz: np.ndarray) -> np.ndarray:
    return np.asarray(core.hz_to_midi(f0_hz))


def _or_gaps(curve: np.ndarray, present: np.ndarray | None = None) -> np.ndarray:
    """Replaces a curve by NaN where it (or another one) is not positive."""
    return np.where((curve if present is None else present) > 0, curve, np.nan)
