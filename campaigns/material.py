"""Small recordings, data sets, models and bundles for campaigns."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

SAMPLE_RATE, FRAME_RATE, EXAMPLE_SECS = 16000, 250, 0.4
N_FRAMES = round(EXAMPLE_SECS * FRAME_RATE)

MODEL = """
get_model.model = @models.Autoencoder()
Autoencoder.preprocessor = @preprocessing.F0LoudnessPreprocessor()
Autoencoder.decoder = @decoders.RnnFcDecoder()
Autoencoder.processor_group = @processors.ProcessorGroup()
Autoencoder.losses = [@losses.SpectralLoss()]
F0LoudnessPreprocessor.time_steps = 100
RnnFcDecoder.rnn_channels = 8
RnnFcDecoder.ch = 8
RnnFcDecoder.layers_per_stack = 1
RnnFcDecoder.input_keys = ('ld_scaled', 'f0_scaled')
RnnFcDecoder.output_splits = (
    ('amps', 1), ('harmonic_distribution', 6), ('noise_magnitudes', 5))
ProcessorGroup.dag = [
    (@synths.Harmonic(), ['amps', 'harmonic_distribution', 'f0_hz']),
    (@synths.FilteredNoise(), ['noise_magnitudes']),
    (@processors.Add(), ['filtered_noise/signal', 'harmonic/signal']),
    (@effects.Reverb(), ['add/signal'])]
Harmonic.n_samples = 6400
FilteredNoise.n_samples = 6400
FilteredNoise.window_size = 0
FilteredNoise.seed = 0
Reverb.trainable = True
Reverb.reverb_length = 400
SpectralLoss.fft_sizes = (64,)
"""
TRAIN = """
train.batch_size = 2
train.num_steps = 4
train.steps_per_summary = 1000
train.steps_per_save = 2
train.data_provider = @data.TFRecordProvider()
TFRecordProvider.example_secs = 0.4
"""
PREPARE = (
    "--num_shards=2",
    f"--example_secs={EXAMPLE_SECS}",
    f"--hop_secs={EXAMPLE_SECS}",
    "--noviterbi",
    "--num_workers=1",
)


def tone(seconds: float, f0_hz: float = 220.0, rate: int = SAMPLE_RATE) -> np.ndarray:
    """Returns a swelling tone of four harmonics, shape [n_samples], peak 0.5."""
    time = np.arange(round(seconds * rate)) / rate
    partials = (np.sin(2.0 * np.pi * k * f0_hz * time) / k for k in range(1, 5))
    audio = sum(partials) * np.sin(np.pi * time / seconds) ** 0.5
    return (0.5 * audio / np.max(np.abs(audio))).astype(np.float32)


def write_recordings(folder: Path, n: int = 3, seconds: float = 0.9) -> list[str]:
    """Writes WAV files with tones of different pitch; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [str(folder / f"tone{i}.wav") for i in range(n)]
    for i, path in enumerate(paths):
        soundfile.write(path, tone(seconds, 200.0 + 30.0 * i), SAMPLE_RATE)
    return paths


def prepare(paths: Iterable[str], output: Path | str, **settings: Any) -> Any:
    """Prepares recordings like the command with `PREPARE`; returns the manifest."""
    from ddsp.training.data_preparation import prepare_tfrecord_lib

    chosen = {
        "num_shards": 2,
        "example_secs": EXAMPLE_SECS,
        "hop_secs": EXAMPLE_SECS,
        "viterbi": False,
        "num_workers": 1,
    }
    return prepare_tfrecord_lib.prepare_tfrecord(
        paths, str(output), **{**chosen, **settings}
    )


def read(pattern: str, **settings: Any) -> list[str]:
    """Returns the rates and digests of the examples, as read in training.

    Args:
      pattern: Pattern of the shards.
      **settings: Arguments of the provider.

    Returns:
      The rates, followed by the sorted digests.

    Raises:
      ValueError: If the data cannot be used.
      OSError: If a file cannot be read.
    """
    from ddsp.training import data
    from ddsp.training.data.provider import naming_damage

    provider = data.TFRecordProvider(pattern, **settings)
    # As in training.
    with naming_damage(provider):
        examples = sorted(
            digest_arrays(x)
            for x in provider.get_dataset(shuffle=False).as_numpy_iterator()
        )
    return [f"{provider.sample_rate} and {provider.frame_rate} Hz", *examples]


def save_run(folder: Path, steps: Iterable[int] = (2, 4)) -> None:
    """Writes a training run: checkpoints, config and dataset statistics."""
    import gin
    import keras
    import tensorflow as tf

    from ddsp.training import checkpoints, models, postprocessing

    folder.mkdir(parents=True, exist_ok=True)
    with gin.unlock_config():
        gin.clear_config()
        gin.parse_config(MODEL)
    keras.utils.set_random_seed(0)
    model = models.get_model()
    model.build_variables()
    rng = np.random.default_rng(0)
    for step in steps:
        for variable in model.weights:
            variable.assign(variable + 0.1 * rng.normal(size=variable.shape))
        checkpoints.write(tf.train.Checkpoint(model=model), str(folder), step, keep=9)
        (folder / f"operative_config-{step}.gin").write_text(MODEL)
    levels = np.linspace(-50.0, -10.0, 100)
    statistics = {
        "mean_pitch": 57.0,
        "min_pitch": 50.0,
        "max_pitch": 69.0,
        "mean_max_loudness": -20.0,
        "note_on_fraction": 0.8,
        "centered": False,
        "pitch_tracker": {"name": "crepe", "model": "tiny", "viterbi": False},
        "quantile_transform": postprocessing.QuantileTransformer().fit(levels),
    }
    postprocessing.save_dataset_statistics(statistics, str(folder))
    gin.clear_config()


def digest_arrays(arrays: dict[str, Any]) -> str:
    """Returns a digest of named arrays."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        total.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return total.hexdigest()


def digest_model(model: Any) -> str:
    """Returns a digest of the weights of a model."""
    from ddsp.training.models import restoring

    variables = restoring.model_variables(model)
    return digest_arrays({name: v.numpy() for name, v in variables.items()})


def listing(folder: Path) -> list[str]:
    """Returns the sorted paths below a directory; directories end in a slash."""
    if not folder.exists():
        return []
    return sorted(
        os.path.relpath(os.path.join(place, name), folder) + end
        for place, directories, files in os.walk(folder)
        for names, end in ((directories, "/"), (files, ""))
        for name in names
    )
