"""Several models at once with their own settings, without changes to gin's state."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import gin
import numpy as np
import pytest
import tensorflow as tf

from ddsp import playing, synths
from ddsp.training import models
from tests.training import small_run

LARGE = 100.0  # Where exp_sigmoid has reached its maximum, to rounding.


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    small_run.save_run(folder)
    config = folder / "operative_config-7.gin"
    # Eager and traced calls and streams have the same noise.
    config.write_text(f"{config.read_text()}\nFilteredNoise.seed = 1\n")
    return folder


def with_config(run, folder, *lines):
    """Copies a run, and appends to its config."""
    shutil.copytree(run, folder)
    config = folder / "operative_config-7.gin"
    config.write_text("\n".join([config.read_text(), *lines]))
    return folder


@pytest.fixture
def loud(run, tmp_path):
    return with_config(run, tmp_path / "loud", "exp_sigmoid.max_value = 50.0")


def features():
    return {
        "f0_hz": np.linspace(200.0, 400.0, 40, dtype=np.float32)[np.newaxis],
        "loudness_db": np.linspace(-40.0, -10.0, 40, dtype=np.float32)[np.newaxis],
    }


def play(model):
    return model(features(), training=False, n_samples=2560)["audio_synth"]


def stream(model):
    made = playing.StreamingModel(model, block_size=640, crepe_model=None)
    audio = 0.1 * np.sin(0.1 * np.arange(640 * 8, dtype=np.float32))
    return [made.process(block, f0_hz=220.0) for block in np.split(audio, 8)][-1]


def test_a_second_model_changes_nothing_of_the_first(run, loud):
    first = models.load(run)
    before = play(first)
    second = models.load(loud)
    louder = play(second)
    # All amplitudes are 25 times larger; reverb and sum are linear.
    assert np.std(louder) > 5.0 * np.std(before)
    np.testing.assert_array_equal(play(first), before)
    np.testing.assert_array_equal(play(second), louder)
    # Traced after both models are loaded.
    traced = tf.function(lambda: play(first), autograph=False)()
    np.testing.assert_allclose(traced, before, atol=1e-5)
    gin.parse_config("exp_sigmoid.max_value = 3.0")
    np.testing.assert_array_equal(play(first), before)


def test_loading_leaves_gin_as_it_was(run, loud, tmp_path):
    gin.parse_config("exp_sigmoid.max_value = 3.0\nHarmonic.n_samples = 640")
    synths.Harmonic()
    gin.finalize()
    before = gin.config_str(), gin.operative_config_str()
    models.load(loud)
    unknown = with_config(run, tmp_path / "a", "Reverb.receive = 3")
    with pytest.raises(ValueError, match=r"operative_config-7\.gin.*'receive'"):
        models.load(unknown)
    wrong = with_config(run, tmp_path / "b", "RnnFcDecoder.rnn_type = 'none'")
    with pytest.raises(ValueError, match=r"operative_config-7\.gin.*'none'"):
        models.load(wrong)
    assert (gin.config_str(), gin.operative_config_str()) == before
    assert gin.config_is_locked()


def test_models_of_eight_threads_keep_their_configs(run, tmp_path):
    values = [float(2 + i) for i in range(8)]
    runs = [
        with_config(run, tmp_path / f"{i}", f"exp_sigmoid.max_value = {value}")
        for i, value in enumerate(values)
    ]
    start = threading.Barrier(8)

    def load(folder):
        start.wait()
        return models.load(folder)

    with ThreadPoolExecutor(8) as pool:
        loaded = list(pool.map(load, runs))
    for model, value in zip(loaded, values, strict=True):
        harmonic, noise, *_ = model.processor_group.processors
        for layer in (harmonic, noise):
            np.testing.assert_allclose(layer.scale_fn(LARGE), value, rtol=1e-6)
            # Threads share the common part of the config.
            assert layer.scale_fn.arguments["exponent"] == 9.0


def test_streams_made_before_and_after_another_model_are_equal(run, loud):
    model = models.load(run)
    before = stream(model)
    models.load(loud)
    np.testing.assert_array_equal(stream(model), before)


def test_a_class_of_the_program_with_the_same_name_is_in_nobodys_way(run):
    class Reverb:
        pass

    class Mine:
        pass

    gin.external_configurable(Reverb, module="notebook")
    gin.external_configurable(Mine, "exp_sigmoid", module="notebook")
    try:
        model = models.load(run)
    finally:
        for name in ("notebook.Reverb", "notebook.exp_sigmoid"):
            gin.config._REGISTRY.pop(name)
    assert model.processor_group.reverb.name == "reverb"
    assert model.processor_group.processors[0].scale_fn.arguments["exponent"] == 9.0
