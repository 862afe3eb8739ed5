"""From recordings to TFRecord examples, and from a seed to synthetic notes.

The steps are plain functions. `ddsp.recordings` finds, probes and reads audio files,
and measures pitch and loudness. Here, `split` decides which windows become examples and
in which split, and `examples` cuts them out. Runners apply the steps in local processes
(`local_runner`) or on Apache Beam (`beam_runner`).

Synthetic notes (`synthetic_data`) are drawn for each example from a seed of its own
(`generate_synthetic_lib`) by the same runners.
"""
