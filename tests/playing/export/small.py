"""A small model for the tests of exports, and what it is played from."""

import os

import numpy as np
import pytest

from ddsp import effects, processors, synths
from ddsp.playing.export import find_runtime
from ddsp.training import decoders, models, preprocessing

SAMPLE_RATE = 16000


def _what_the_web_lacks() -> str:
    try:
        find_runtime("web").require()
    except ImportError as error:
        return str(error)
    return ""


# Where the tests guard a change (`CI`), nothing may be missing.
NEEDS_WEB = pytest.mark.skipif(
    not os.environ.get("CI") and bool(_what_the_web_lacks()),
    reason=_what_the_web_lacks(),
)


def model(
    hop_size: int = 64,
    preprocessor: type = preprocessing.F0LoudnessPreprocessor,
    noise: bool = True,
    reverb_length: int = 600,
) -> models.Autoencoder:
    """Harmonics, noise and a reverb, with random weights."""
    splits = [("amps", 1), ("harmonic_distribution", 12)]
    dag = [
        (synths.Harmonic(n_samples=None), ["amps", "harmonic_distribution", "f0_hz"])
    ]
    last = "harmonic"
    if noise:
        splits.append(("noise_magnitudes", 9))
        dag += [
            (
                synths.FilteredNoise(n_samples=None, window_size=0, initial_bias=-1.0),
                ["noise_magnitudes"],
            ),
            (processors.Add(), ["filtered_noise/signal", "harmonic/signal"]),
        ]
        last = "add"
    reverb = effects.Reverb(trainable=True, reverb_length=reverb_length)
    dag.append((reverb, [f"{last}/signal"]))
    level = (
        "ld_scaled"
        if preprocessor is preprocessing.F0LoudnessPreprocessor
        else "pw_scaled"
    )
    made = models.Autoencoder(
        preprocessor=preprocessor(
            time_steps=None, sample_rate=SAMPLE_RATE, frame_rate=SAMPLE_RATE // hop_size
        ),
        decoder=decoders.RnnFcDecoder(
            rnn_channels=8,
            ch=8,
            layers_per_stack=1,
            input_keys=(level, "f0_scaled"),
            output_splits=tuple(splits),
        ),
        processor_group=processors.ProcessorGroup(dag=dag),
    )
    made.build_variables()
    rng = np.random.default_rng(0)
    for variable in made.weights:
        variable.assign(variable + 0.1 * rng.normal(size=variable.shape))
    return made


def features(n_frames: int) -> dict[str, np.ndarray]:
    """A tone that rises and swells, [1, n_frames, 1] each."""
    curves = {
        "f0_hz": np.linspace(200.0, 300.0, n_frames),
        "loudness_db": np.linspace(-50.0, -20.0, n_frames),
        "power_db": np.linspace(-50.0, -20.0, n_frames),
    }
    return {k: x.astype(np.float32).reshape(1, -1, 1) for k, x in curves.items()}


def noise(n_samples: int) -> dict[str, np.ndarray]:
    """What the noise synthesizer filters, in [-1, 1)."""
    drawn = np.random.default_rng(1).uniform(-1.0, 1.0, [1, n_samples])
    return {"filtered_noise": drawn.astype(np.float32)}
