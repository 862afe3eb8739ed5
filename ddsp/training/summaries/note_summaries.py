"""Notes, and what they are decoded to, for TensorBoard."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ddsp import core
from ddsp.training import midi, plotting
from ddsp.training.summaries.figures import (
    MAX_EXAMPLES,
    fig_summary,
    make_figure,
    make_tag,
)

_SIZE = (6.0, 4.0)
# Semitones above and below what is shown.
_MARGIN = 5
_PLAYED, _FOUND = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])


def midi_summary(
    controls: Mapping[str, Any], step: int, name: str, frame_rate: int, notes_key: str
) -> None:
    """Draws amplitude and pitch with the notes that were found in them.

    Args:
      controls: With `f0_hz` and `harmonic/controls/amplitudes`, `[batch, n_frames, 1]`,
        and the notes.
      step: Training step.
      name: Suffix of the tag.
      frame_rate: Frames a second.
      notes_key: Name of the notes in `controls`: `pretty_midi.PrettyMIDI` objects, or
        piano rolls `[batch, n_frames, 128]`.
    """
    amplitudes = controls["harmonic"]["controls"]["amplitudes"]
    for i, (f0_hz, amps) in enumerate(_curves(controls["f0_hz"], amplitudes)):
        roll = _pianoroll(controls[notes_key][i], frame_rate, f0_hz.size)
        fig, (above, below) = make_figure(rows=2, size=_SIZE)
        above.plot(np.where(amps > 0.0, amps, np.nan), label="controls")
        above.plot(_or_gaps(roll.max(axis=1)), label="velocity of notes")
        above.set(ylabel="Amplitude", yscale="log", ylim=(1e-4, 2.0))
        below.plot(_or_gaps(_midi(f0_hz)), label="controls")
        below.plot(_or_gaps(roll.argmax(axis=1), roll.max(axis=1)), label="notes")
        below.set(xlabel="Frame", ylabel="Pitch (MIDI)")
        above.legend()
        below.legend()
        fig_summary(f"{make_tag('midi', name)}/{i}", fig, step)


def midiae_f0_summary(f0_hz: Any, outputs: Mapping[str, Any], step: int) -> None:
    """Draws what a MIDI autoencoder makes of a pitch.

    Args:
      f0_hz: Pitch of the recordings, `[batch, n_frames]` or `[batch, n_frames, 1]`, Hz.
      outputs: With `q_pitch`, the notes, and `f0_midi_pred`, the pitch that they are
        decoded to; if there, also `f0_midi_pred2`, and the pitch that they were rounded
        from, `z_pitch` or `pitch`. All in MIDI, `[batch, n_frames, 1]`.
      step: Training step.
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
    ld_feat: Any,
    outputs: Mapping[str, Any],
    step: int,
    db_key: str = "loudness_db",
) -> None:
    """Draws what a MIDI autoencoder makes of a loudness.

    Args:
      ld_feat: Loudness of the recordings, `[batch, n_frames]` or `[batch, n_frames,
        1]`.
      outputs: What is there of `<db_key>_rec` and `<db_key>_rec2`, what it is decoded
        to, and of the velocities, `velocity_quant` and `velocity`.
      step: Training step.
      db_key: Name of the loudness: `loudness_db` or `power_db`.
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
            fig, axis = make_figure(size=_SIZE)
            axis.plot(loudness, label="recording")
            for key, curve in zip(present, others, strict=True):
                axis.plot(curve, linewidth=1.0, label=key)
            axis.set(xlabel="Frame")
            axis.legend()
            fig_summary(f"{tag}_{db_key}/{i}", fig, step)


def midiae_sp_summary(outputs: Mapping[str, Any], step: int) -> None:
    """Draws controls of the synthesisers, and what a MIDI autoencoder makes of them.

    Args:
      outputs: With `amps`, `[batch, n_frames, 1]`, dB; `hd`, harmonic distribution; and
        `noise`, magnitudes, dB, both `[batch, n_frames, channels]`. If there, also
        `amps_pred`, `hd_pred` and `noise_pred`, which are drawn below them with the
        difference.
      step: Training step.
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
            for axis, (title, control) in zip(np.atleast_1d(axes), shown, strict=True):
                _draw_control(fig, axis, control)
                axis.set(title=f"{title} (log)" if key == "hd" else title)
            fig_summary(f"{tag}/{i}", fig, step)


def pianoroll_summary(
    batch: Mapping[str, Any],
    step: int,
    name: str,
    frame_rate: int,
    pred_key: str,
    gt_key: str = "note_active_velocities",
    ch: int | None = None,
    threshold: float = 0.0,
    tb_name: str = "pianoroll",
) -> None:
    """Draws the notes that were found over those that were played.

    Green is what was only played, blue what was only found, cyan what is both.

    Args:
      batch: With piano rolls of what was played, `[batch, n_frames, 128]`, and of what
        was found, which may also be `pretty_midi.PrettyMIDI` objects.
      step: Training step.
      name: Suffix of the tag.
      frame_rate: Frames a second.
      pred_key: Name of what was found.
      gt_key: Name of what was played.
      ch: Which of the voices, where piano rolls have a fourth axis.
      threshold: Velocities up to it are not drawn.
      tb_name: Name of the images.
    """
    for i, (played, found) in enumerate(
        zip(batch[gt_key][:MAX_EXAMPLES], batch[pred_key][:MAX_EXAMPLES], strict=True)
    ):
        if ch is not None:
            played, found = played[..., ch], found[..., ch]
        played = midi.checked_pianoroll(played)
        found = _pianoroll(found, frame_rate, len(played))
        n_frames = min(len(played), len(found))
        # [n_pitches, n_frames, 1]: pitch runs upwards.
        green, blue = (
            roll[:n_frames].T[..., np.newaxis] > threshold for roll in (played, found)
        )
        visible = green | blue
        colours = np.concatenate([green * _PLAYED + blue * _FOUND, visible], axis=-1)
        pitches = np.flatnonzero(visible.any(axis=(1, 2)))
        fig, axis = _piano_figure(n_frames, pitches)
        axis.imshow(
            colours,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            extent=(0, n_frames, -0.5, len(colours) - 0.5),
        )
        axis.set_ylim(*_pitch_range(pitches))
        _add_legend(fig)
        fig_summary(f"{make_tag(tb_name, name)}/{i}", fig, step)


def _piano_figure(n_frames: int, pitches: np.ndarray) -> tuple[Any, Any]:
    """A figure with a piano at its left and room for some pitches; its main axes."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=_SIZE)
    _, axis, piano = plotting.pianoroll_plot_setup(xlim=(0, max(n_frames, 1)), fig=fig)
    piano.set_ylabel("Pitch (MIDI)")
    axis.set(xlabel="Frame", ylim=_pitch_range(pitches))
    return fig, axis


def _pitch_range(pitches: np.ndarray) -> tuple[float, float]:
    """What to show of the pitches: those there are, with a margin, or all."""
    heard = pitches[pitches > 0]
    if not heard.size:
        return -0.5, midi.N_PITCHES - 0.5
    return (
        max(np.round(heard.min()) - _MARGIN, 0) - 0.5,
        min(np.round(heard.max()) + _MARGIN, midi.N_PITCHES - 1) + 0.5,
    )


def _add_legend(fig: Any) -> None:
    from matplotlib.patches import Patch

    labels = {"played": _PLAYED, "found": _FOUND, "both": _PLAYED + _FOUND}
    handles = [Patch(label=label, color=color) for label, color in labels.items()]
    fig.legend(handles=handles, loc="upper center", ncols=3)


def _draw_control(fig: Any, axis: Any, control: np.ndarray) -> None:
    """One channel as a curve, several as a picture with frames to the right."""
    if control.shape[-1] == 1:
        axis.plot(control[:, 0])
        return
    picture = axis.imshow(control.T, aspect="auto", origin="lower")
    fig.colorbar(picture, ax=axis)


def _pianoroll(notes: Any, frame_rate: int, n_frames: int) -> np.ndarray:
    if midi.is_midi(notes):
        return midi.to_pianoroll(notes, frame_rate, n_frames)
    return midi.checked_pianoroll(notes)


def _curves(*batches: Any) -> list[tuple[np.ndarray, ...]]:
    """The first examples of some batches, `[n_frames]` each."""
    arrays = [np.asarray(batch, np.float64) for batch in batches]
    rows = [array.reshape(len(array), -1)[:MAX_EXAMPLES] for array in arrays]
    return list(zip(*rows, strict=True))


def _midi(f0_hz: np.ndarray) -> np.ndarray:
    return np.asarray(core.hz_to_midi(f0_hz))


def _or_gaps(curve: np.ndarray, present: np.ndarray | None = None) -> np.ndarray:
    """A curve that is not drawn where it (or another) is 0."""
    return np.where((curve if present is None else present) > 0, curve, np.nan)
