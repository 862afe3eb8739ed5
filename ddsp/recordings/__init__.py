"""Audio files and what is measured in them.

`audio_files` finds recordings, `probing` and `levels` look at each, `audio_io` reads
and resamples it, `features` measures pitch and loudness in blocks (`rolling`), with
the settings of `analysis_settings`; `quality` and `pitch_range` say what is odd.
Preparation of training data and timbre transfer both build on it.
"""
