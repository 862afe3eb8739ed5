"""The page that shows a timbre transfer."""

from pathlib import Path

import numpy as np

from ddsp import files
from ddsp.playing import html_page
from ddsp.playing.timbre_transfer import Transfer
from ddsp.recordings import audio_io


def write_report(transfer: Transfer) -> str:
    """Writes a page beside the output, with its name and `.html`.

    Args:
      transfer: What was done.

    Returns:
      The path of the page.

    Raises:
      OSError: If it cannot be written.
    """
    path = str(Path(transfer.path).with_suffix(".html"))
    name = files.printable(Path(transfer.source.path).name)
    subtitle = f"{name}, played by a trained model"
    files.write_text(
        path, html_page.page("Timbre transfer", subtitle, transfer_sections(transfer))
    )
    return path


def transfer_sections(transfer: Transfer) -> list[str]:
    """Players, pictures and an account of a transfer, as sections of a page.

    Args:
      transfer: Result of a timbre transfer.
    """
    recordings = {
        "Recording": _read(transfer.source, transfer.sample_rate),
        "Transfer": _read(transfer.path, transfer.sample_rate),
    }
    seconds = transfer.source.seconds
    shown = (
        f" The first {html_page.PLAYER_SECS:.0f} s are shown."
        if seconds > html_page.PLAYER_SECS
        else ""
    )
    facts = {
        "Recording": files.printable(Path(transfer.source.path).name),
        "Its length": f"{seconds:.2f} s",
        "Its format": f"{transfer.source.sample_rate} Hz, "
        f"{transfer.source.channels} channel(s)",
        "Transfer": files.printable(Path(transfer.path).name),
        "Length of the transfer": f"{transfer.seconds:.2f} s at "
        f"{transfer.sample_rate} Hz",
        "Share of the frames in notes": f"{np.mean(transfer.after.mask_on):.0%}",
    }
    return [
        html_page.section("Listen", html_page.players(recordings)),
        html_page.section(
            "What was done",
            html_page.bullets(transfer.describe()),
            html_page.table(facts),
        ),
        html_page.section(
            "Sound",
            html_page.picture(
                html_page.waveforms_figure(recordings),
                "Waveforms of the recording and of the transfer",
                "Waveforms of the recording and of the transfer." + shown,
            ),
            html_page.picture(
                html_page.spectrograms_figure(recordings),
                "Spectrograms of the recording and of the transfer",
                "Spectrograms: brighter is stronger, on a logarithmic scale.",
            ),
        ),
        html_page.section("Pitch and loudness", *_feature_pictures(transfer)),
    ]


def _feature_pictures(transfer: Transfer) -> list[str]:
    before, after = transfer.before, transfer.after
    n_frames = min(len(before.f0_hz), int(html_page.PLAYER_SECS * before.frame_rate))
    seconds = np.arange(n_frames) / before.frame_rate
    on = after.mask_on

    def notes_only(f0_hz):
        return seconds, np.where(on & (f0_hz > 0.0), f0_hz, np.nan)[:n_frames]

    f0 = html_page.curves_figure(
        {"Recording": notes_only(before.f0_hz), "Played": notes_only(after.f0_hz)},
        "Time (s)",
        "f0 (Hz)",
        log_y=True,
    )
    loudness = html_page.curves_figure(
        {
            "Recording": (seconds, before.loudness_db[:n_frames]),
            "Played": (seconds, after.loudness_db[:n_frames]),
        },
        "Time (s)",
        "Loudness (dB)",
    )
    return [
        html_page.picture(
            f0,
            "Fundamental frequency of the recording and as the model played it",
            "Fundamental frequency within notes.",
        ),
        html_page.picture(
            loudness,
            "Loudness of the recording and as the model played it",
            "Loudness; what is no note is turned down.",
        ),
    ]


def _read(source: str | audio_io.Recording, sample_rate: int) -> tuple[np.ndarray, int]:
    """The first seconds of a file, mono."""
    wanted = int(html_page.PLAYER_SECS * sample_rate)
    blocks, n_samples = [], 0
    for block in audio_io.stream(source, sample_rate):
        blocks.append(block)
        n_samples += len(block)
        if n_samples >= wanted:
            break
    return np.concatenate(blocks)[:wanted], sample_rate
