"""From recordings to TFRecord examples, and from a seed to synthetic notes.

The steps are plain functions: find the files (`audio_files`), look at each (`probing`,
`levels`), decide which windows become examples and in which split (`split`), read the
audio (`audio_io`), compute features over the whole recording (`features`), cut it into
examples (`examples`) and say what is odd about it (`quality`, `pitch_range`). Runners
apply them in local processes (`local_runner`) or on Apache Beam (`beam_runner`).

Synthetic notes (`synthetic_data`) are drawn for each example from a seed of its own
(`generate_synthetic_lib`) by the same runners.
"""
