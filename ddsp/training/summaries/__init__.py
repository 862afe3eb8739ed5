"""TensorBoard summaries: audio, spectrograms, curves and piano rolls.

All functions write the first examples of a batch to the default summary writer. Without
a writer they do nothing.
"""

from ddsp.training.summaries.audio_summaries import (
    audio_summary,
    f0_summary,
    get_spectrogram,
    spectrogram_summary,
    waveform_summary,
)
from ddsp.training.summaries.figures import MAX_EXAMPLES, fig_summary
from ddsp.training.summaries.note_summaries import (
    midi_summary,
    midiae_f0_summary,
    midiae_ld_summary,
    midiae_sp_summary,
    pianoroll_summary,
)

__all__ = [
    "MAX_EXAMPLES",
    "audio_summary",
    "f0_summary",
    "fig_summary",
    "get_spectrogram",
    "midi_summary",
    "midiae_f0_summary",
    "midiae_ld_summary",
    "midiae_sp_summary",
    "pianoroll_summary",
    "spectrogram_summary",
    "waveform_summary",
]
