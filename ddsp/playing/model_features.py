"""Features in the form that a model was trained on, block by block."""

from typing import Any

import tensorflow as tf

from ddsp._core import safety
from ddsp.training import models, preprocessing
from ddsp.training.level_streams import LevelStream, LoudnessStream, PowerStream

# No frequency of sound, and no level.
_HIGHEST_HZ, _LARGEST_DB = 1e6, 240.0


def level_stream(
    model: models.Autoencoder, lag_frames: int | None = None
) -> LevelStream:
    """The stream of the loudness or power that a model was trained on.

    Args:
      model: With a preprocessor.
      lag_frames: Lag by more frames than needed.

    Raises:
      ValueError: If its preprocessor measures another feature or on another scale, or
        in a form that has no blocks.
    """
    preprocessor: Any = model.preprocessor
    rates = model.sample_rate, preprocessor.frame_rate
    if isinstance(preprocessor, preprocessing.F0LoudnessPreprocessor):
        padding = preprocessor.padding
        if preprocessor.db_range != preprocessing.DB_RANGE:
            raise ValueError(
                "Only models of loudness on a scale of "
                f"{preprocessing.DB_RANGE:g} dB can listen block by block, got "
                f"db_range={preprocessor.db_range}."
            )
        return LoudnessStream(*rates, padding=padding, lag_frames=lag_frames)
    if isinstance(
        preprocessor,
        preprocessing.F0PowerPreprocessor | preprocessing.OnlineF0PowerPreprocessor,
    ):
        return PowerStream(
            *rates,
            preprocessor.frame_size,
            padding=preprocessor.padding,
            lag_frames=lag_frames,
        )
    raise ValueError(
        "Only models of pitch and loudness or power can listen block by block, got a "
        f"{type(preprocessor).__name__}."
    )


def scaled_features(
    level: LevelStream, f0_hz: tf.Tensor, level_db: tf.Tensor
) -> dict[str, tf.Tensor]:
    """What a preprocessor makes of pitch and level, [batch, n_frames, 1] each.

    They are bounded, and silence where they are NaN: a decoder would not forget what is
    no number.
    """
    f0_hz = safety.bounded(f0_hz, 0.0, _HIGHEST_HZ, nan=0.0)
    silence = -preprocessing.DB_RANGE
    level_db = safety.bounded(level_db, -_LARGEST_DB, _LARGEST_DB, nan=silence)
    names = ("loudness_db", "ld_scaled")
    if isinstance(level, PowerStream):
        names = ("pw_db", "pw_scaled")
    return {
        "f0_hz": f0_hz,
        "f0_scaled": preprocessing.scale_f0_hz(f0_hz),
        names[0]: level_db,
        names[1]: preprocessing.scale_db(level_db),
    }
