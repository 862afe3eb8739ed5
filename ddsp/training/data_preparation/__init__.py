"""From recordings to TFRecord examples, and from a seed to synthetic notes.

The steps are plain functions: find and probe the files (`audio_io`), decide which
windows become examples and in which split (`split`), compute features over the
whole recording (`features`) and cut it into examples (`examples`). Runners apply
them in local processes (`local_runner`) or on Apache Beam (`beam_runner`).

Synthetic notes (`synthetic_data`) are drawn for each example from a seed of its own
(`generate_synthetic_lib`) by the same runners.
"""
