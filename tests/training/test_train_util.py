"""Training runs: outputs, stopping and resumption."""

import json
import math
import os
from types import SimpleNamespace

import gin
import numpy as np
import pytest
import tensorflow as tf

from ddsp import losses
from ddsp.training import checkpoints, gin_files, postprocessing, train_util
from ddsp.training.training_log import NonFiniteLossError, TrainingLog
from tests.training import tiny


def _train(save_dir, provider=None, trainer=None, **kwargs):
    trainer = trainer or tiny.make_trainer()
    settings = {"batch_size": 4, "num_steps": 4, "steps_per_summary": 2, **kwargs}
    settings.setdefault("steps_per_save", 2)
    provider = provider or tiny.TinyProvider()
    train_util.train(provider, trainer, save_dir=str(save_dir), **settings)
    return trainer


@pytest.fixture(autouse=True)
def no_pitch_tracking(monkeypatch):
    """Skips the pitch tracker, which is slow and tested elsewhere."""
    monkeypatch.setattr(
        "ddsp.spectral_ops.compute_f0",
        lambda audio, frame_rate, **_: (np.zeros((len(audio), tiny.N_FRAMES)),) * 2,
    )


def _scalars(directory):
    """Returns {tag: {step: value}} of the event files in a directory."""
    found: dict = {}
    for path in sorted(directory.glob("events*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                tensor = tf.make_ndarray(value.tensor)
                found.setdefault(value.tag, {})[event.step] = tensor
    return found


def test_what_a_run_leaves(tmp_path, capsys):
    validation = tiny.TinyProvider(3, seed=1)
    trainer = _train(tmp_path, tiny.TinyProvider(validation=validation), num_steps=5)
    assert trainer.step == 5
    assert list(checkpoints.list_checkpoints(str(tmp_path))) == [2, 4, 5]
    assert (tmp_path / "operative_config-0.gin").exists()
    statistics = postprocessing.load_dataset_statistics(str(tmp_path))
    assert statistics["n_examples"] == 8
    assert statistics["centered"] is False

    record = json.loads((tmp_path / "best" / "validation.json").read_text())
    assert list(checkpoints.list_checkpoints(str(tmp_path / "best"))) == [
        record["step"]
    ]
    training = _scalars(tmp_path / "summaries" / "train")
    assert set(training["losses/total_loss"]) == {2, 4}
    assert training["training/steps_per_second"][2] > 0
    assert training["training/learning_rate"][4] == pytest.approx(0.01, rel=1e-3)
    validated = _scalars(tmp_path / "summaries" / "validation")
    losses = validated["losses/total_loss"]
    assert record["loss"] == pytest.approx(min(losses.values()), rel=1e-6)
    assert {"audio_gen", "spectrogram/0", "waveform/2"} <= set(validated)
    assert "f0_midi_tracked/0" in validated
    assert "step 4: loss" in capsys.readouterr().out


def test_validation_loss_is_the_mean_over_examples(tmp_path):
    validation = tiny.TinyProvider(5, seed=1)  # A batch of 4 and one of 1.
    provider = tiny.TinyProvider(validation=validation)
    trainer = _train(tmp_path, provider, num_steps=2)
    outputs = trainer.model(validation.examples, training=False)
    expected = np.mean((outputs["audio_synth"] - validation.examples["audio"]) ** 2)
    record = json.loads((tmp_path / "best" / "validation.json").read_text())
    assert record["loss"] == pytest.approx(expected, rel=1e-5)


def test_without_validation_it_says_so(tmp_path, capsys):
    _train(tmp_path)
    assert "No validation data" in capsys.readouterr().out
    assert not (tmp_path / "best").exists()


def test_resumes(tmp_path, capsys):
    _train(tmp_path, num_steps=2)
    trainer = _train(tmp_path, num_steps=3)
    assert trainer.step == 3
    assert "Resuming at step 2" in capsys.readouterr().out
    assert list(checkpoints.list_checkpoints(str(tmp_path))) == [2, 3]


def test_resuming_cleans_up(tmp_path):
    _train(tmp_path, num_steps=2)
    (tmp_path / ".ckpt-4.tmp").mkdir()
    (tmp_path / ".ckpt-4.999999999-3.tmp.json").touch()
    (tmp_path / "ckpt-4.data-00000-of-00001").write_bytes(b"half")
    _train(tmp_path, num_steps=3)
    assert not list(tmp_path.glob("*ckpt-4*"))


def test_a_second_training_is_told_so(tmp_path):
    class Nested(tiny.TinyProvider):
        def get_batch(self, *args, **kwargs):
            if kwargs.get("shuffle"):
                with pytest.raises(FileExistsError, match=r"training in .*process"):
                    _train(tmp_path)
            return super().get_batch(*args, **kwargs)

    _train(tmp_path, Nested(), num_steps=1)
    assert not (tmp_path / ".training.lock").exists()


def test_stopped_it_saves_first(tmp_path, monkeypatch):
    class Interrupted(TrainingLog):
        def add(self, step, losses):
            super().add(step, losses)
            if step == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr("ddsp.training.loop.TrainingLog", Interrupted)
    with pytest.raises(KeyboardInterrupt, match=r"step 3 is saved in"):
        _train(tmp_path, steps_per_save=100)
    assert list(checkpoints.list_checkpoints(str(tmp_path))) == [3]
    trainer = _train(tmp_path)
    assert trainer.step == 4


def test_stopped_it_saves_nothing_that_is_not_finite(tmp_path, monkeypatch):
    class Interrupted(TrainingLog):
        def add(self, step, losses):
            super().add(step, {**losses, "total_loss": tf.constant(math.nan)})
            raise KeyboardInterrupt

    monkeypatch.setattr("ddsp.training.loop.TrainingLog", Interrupted)
    with pytest.raises(KeyboardInterrupt, match=r"step 1 is not saved: .*not finite"):
        _train(tmp_path)
    assert not checkpoints.list_checkpoints(str(tmp_path))


def _best(directory):
    return json.loads((directory / "best" / "validation.json").read_text())


@pytest.mark.parametrize("other", ["data", "losses", "damaged"])
def test_best_is_not_compared_with_a_loss_of_other_validation(tmp_path, capsys, other):
    quiet = tiny.TinyProvider(3, seed=1)
    quiet.examples["audio"] *= 0.0
    _train(tmp_path, tiny.TinyProvider(validation=quiet), num_steps=2)
    first = _best(tmp_path)
    # After resumption, validation compares with the best: a high rate is worse.
    provider = tiny.TinyProvider(validation=quiet)
    worse = tiny.make_trainer(learning_rate=1.0)
    _train(tmp_path, provider, worse, num_steps=4)
    assert _best(tmp_path) == first
    trainer = tiny.make_trainer(learning_rate=1.0)
    if other == "data":
        provider = tiny.TinyProvider(validation=tiny.TinyProvider(3, seed=1))
    elif other == "losses":
        trainer.model.loss_objs = [losses.SpectralLoss()]
    else:
        (tmp_path / "best" / "validation.json").write_text("[" * 10_000)
    _train(tmp_path, provider, trainer, num_steps=6)
    assert _best(tmp_path)["step"] == 6
    output = capsys.readouterr().out
    assert ("chooses anew" in output) == (other != "damaged")
    assert list(checkpoints.list_checkpoints(str(tmp_path / "best"))) == [6]


def test_statistics_that_are_none_are_passed_over(tmp_path, capsys):
    for hostile in ({"quantile_transform": []}, {"mean_pitch": 3.0}):
        manifest = SimpleNamespace(statistics=hostile, center=True, pitch_tracker={})
        train_util.write_statistics(SimpleNamespace(manifest=manifest), str(tmp_path))
        assert "No statistics" in capsys.readouterr().out
    assert not os.listdir(tmp_path)


def test_remote_directory():
    directory = "ram://bucket/model"
    provider = tiny.TinyProvider(validation=tiny.TinyProvider(4, seed=1))
    # TensorFlow mistakes checkpoints of this file system for directories.
    _train(directory, provider, num_steps=3)
    assert list(checkpoints.list_checkpoints(directory)) == [2, 3]
    config = train_util.get_latest_operative_config(f"{directory}/best")
    assert config == f"{directory}/operative_config-0.gin"
    assert postprocessing.load_dataset_statistics(directory)["n_examples"] == 8


def test_fine_tunes_from_step_zero(tmp_path, capsys):
    source = _train(tmp_path / "a", num_steps=2)
    tuned = _train(
        tmp_path / "b",
        num_steps=1,
        restore_dir=str(tmp_path / "a"),
        # Small enough to keep the weights unchanged.
        trainer=tiny.make_trainer(seed=5, learning_rate=1e-12),
    )
    assert tuned.step == 1
    for a, b in zip(tiny.weights(source), tiny.weights(tuned), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)
    # The same command resumes, instead of restarting from the source.
    again = _train(tmp_path / "b", num_steps=2, restore_dir=str(tmp_path / "a"))
    assert again.step == 2
    assert "Resuming at step 1" in capsys.readouterr().out


def test_seed_repeats_the_run(tmp_path):
    runs = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        provider = tiny.TinyProvider(16)
        trainer = tiny.make_trainer(seed=seed)
        runs.append(_train(tmp_path / name, provider, trainer, seed=seed))
    first, second, other = map(tiny.weights, runs)
    np.testing.assert_array_equal(first[0], second[0])
    assert np.any(first[0] != other[0])


def _with_nan(n_examples):
    provider = tiny.TinyProvider(n_examples)
    provider.examples["audio"][-1] = np.nan
    return provider


def test_nan_stops_and_is_not_saved(tmp_path):
    _train(tmp_path, num_steps=2)
    with pytest.raises(NonFiniteLossError, match=r"step 3.*total_loss': nan"):
        _train(tmp_path, _with_nan(4), num_steps=8)
    assert list(checkpoints.list_checkpoints(str(tmp_path))) == [2]
    resumed = tiny.built_trainer()
    resumed.restore(str(tmp_path))
    assert all(np.all(np.isfinite(value)) for value in tiny.weights(resumed))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["total_loss", "gradient_norm"])
def test_log_names_the_first_bad_step(name, bad):
    log = TrainingLog(num_steps=100, step=0)
    good = {"total_loss": tf.constant(1.0), "gradient_norm": tf.constant(1.0)}
    log.add(1, good)
    with pytest.raises(NonFiniteLossError, match=rf"step 2\b.*{name}"):
        log.add(2, {**good, name: tf.constant(bad)})
        log.add(3, {**good, "total_loss": tf.constant(math.nan)})
        log.check()
    log.close()


def test_stops_early(tmp_path, capsys):
    trainer = _train(tmp_path / "a", early_stop_loss_value=1e6, num_steps=50)
    assert trainer.step == 2
    assert list(checkpoints.list_checkpoints(str(tmp_path / "a"))) == [2]

    # With this high learning rate, the first validation stays the best.
    provider = tiny.TinyProvider(validation=tiny.TinyProvider(4, seed=1))
    trainer = tiny.make_trainer(learning_rate=100.0)
    _train(tmp_path / "b", provider, trainer, early_stop_patience=2, num_steps=50)
    record = json.loads((tmp_path / "b" / "best" / "validation.json").read_text())
    assert trainer.step == record["step"] + 2 * 2 < 50
    assert "no better validation" in capsys.readouterr().out


def test_full_disk_while_training(tmp_path, monkeypatch):
    _train(tmp_path, num_steps=2)

    def full(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.train.Checkpoint, "write", full)
    with pytest.raises(OSError, match=r"ckpt-4: No space left.*ckpt-2"):
        _train(tmp_path)
    assert checkpoints.find_latest(str(tmp_path)).endswith("ckpt-2")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size.*0"),
        ({"steps_per_save": 0}, "steps_per_save.*0"),
        ({"early_stop_patience": 0}, "early_stop_patience.*0"),
        ({"report_loss_to_hypertune": True}, "hypertune"),
        ({"provider": tiny.TinyProvider(0)}, "no batch"),
    ],
)
def test_bad_settings(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        _train(tmp_path / "model", **settings)
    assert not (tmp_path / "model").exists()


def test_fine_tuning_needs_a_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        _train(tmp_path / "model", restore_dir=str(tmp_path / "nowhere"))


def test_latest_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="operative_config-"):
        train_util.get_latest_operative_config(str(tmp_path))
    for step in (9, 10):
        with gin.unlock_config():
            gin.bind_parameter("train.batch_size", step)
        train_util.write_gin_config(None, str(tmp_path), step)
    latest = train_util.get_latest_operative_config(str(tmp_path / "ckpt-3"))
    assert latest == str(tmp_path / "operative_config-10.gin")


def test_paths(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("RUN", "7")
    assert train_util.expand_path("~/run$RUN") == "/home/me/run7"
    assert train_util.expand_path("gs://bucket/$RUN") == "gs://bucket/7"
    assert os.path.isfile(
        os.path.join(gin_files.config_dir(), "optimization", "base.gin")
    )


def test_strategies(monkeypatch):
    assert train_util.get_strategy().num_replicas_in_sync == 1
    for bad in ("{", "{}", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "x"}}'):
        with pytest.raises(ValueError, match="cluster_config must be JSON"):
            train_util.get_strategy(cluster_config=bad)
    beyond = {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}
    with pytest.raises(ValueError, match="task index 1 of 1"):
        train_util.get_strategy(cluster_config=json.dumps(beyond))
    with pytest.raises(ValueError, match="Only one of tpu and"):
        train_util.get_strategy(tpu="local", cluster_config="{}")


def test_statistics_say_how_pitch_was_tracked(tmp_path):
    """Synthesis must use the pitch tracker of the training data."""
    tracker = {"name": "crepe", "model": "full", "viterbi": True}
    transform = postprocessing.QuantileTransformer().fit(np.linspace(-50.0, -10.0, 9))
    statistics = postprocessing.statistics_to_dict({"quantile_transform": transform})
    manifest = SimpleNamespace(
        statistics=statistics, center=True, pitch_tracker=tracker
    )
    train_util.write_statistics(SimpleNamespace(manifest=manifest), str(tmp_path))
    written = postprocessing.load_dataset_statistics(str(tmp_path))
    assert written["pitch_tracker"] == tracker
    assert written["centered"] is True
