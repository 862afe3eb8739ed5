"""Evaluation of checkpoints: metrics, table and files."""

import json
import types

import numpy as np
import pytest

from ddsp.training import checkpoints, eval_util, evaluators, forward
from tests.training import tiny

BASIC = [evaluators.BasicEvaluator]


def _saved(tmp_path, steps=(1,)):
    trainer = tiny.built_trainer()
    for _ in range(max(steps)):
        trainer.train_step(tiny.make_examples(4))
        if trainer.step in steps:
            trainer.save(str(tmp_path))
    return trainer


def test_measures_of_the_latest(tmp_path, capsys):
    trainer = _saved(tmp_path, steps=(1, 3))
    provider = tiny.TinyProvider(6, seed=2)
    model = tiny.make_trainer(seed=9).model
    results = eval_util.evaluate(
        provider, model, BASIC, str(tmp_path), batch_size=2, repeats=1, run_once=True
    )
    outputs = trainer.model(provider.examples, training=False)
    expected = np.mean((outputs["audio_synth"] - provider.examples["audio"]) ** 2)
    assert results["losses/l2"] == pytest.approx(expected, rel=1e-5)
    table = capsys.readouterr().out
    assert "step 3: 3 batches of 2" in table and "losses/total_loss" in table
    recorded = json.loads((tmp_path / "eval_metrics.json").read_text())
    assert recorded == {"3": results}
    assert list((tmp_path / "summaries" / "eval").glob("events*"))


@pytest.mark.parametrize(("n_examples", "batch_size"), [(3, 32), (5, 4)])
def test_each_example_counts_once(tmp_path, n_examples, batch_size):
    trainer = _saved(tmp_path)
    provider = tiny.TinyProvider(n_examples, seed=2)
    # Examples differ strongly, so that batch weights matter.
    provider.examples["audio"] *= 3.0 ** np.arange(n_examples)[:, np.newaxis]
    seen = []

    class Recorder(evaluators.BasicEvaluator):
        def evaluate(self, batch, output, losses):
            seen.extend(batch["audio"].numpy())
            super().evaluate(batch, output, losses)

    results = eval_util.evaluate(
        provider,
        trainer.model,
        [Recorder],
        str(tmp_path),
        batch_size=batch_size,
        run_once=True,
    )
    np.testing.assert_array_equal(seen, provider.examples["audio"])
    outputs = trainer.model(provider.examples, training=False)
    expected = np.mean((outputs["audio_synth"] - provider.examples["audio"]) ** 2)
    # Summation order of squares in float32.
    assert results["losses/l2"] == pytest.approx(expected, rel=1e-5)


def test_validation_split_is_used(tmp_path):
    trainer = _saved(tmp_path)
    validation = tiny.TinyProvider(2, seed=5)
    results = eval_util.evaluate(
        tiny.TinyProvider(4, validation=validation),
        trainer.model,
        BASIC,
        str(tmp_path / "results"),
        restore_dir=str(tmp_path),
        batch_size=2,
        num_batches=1,
        run_once=True,
    )
    outputs = trainer.model(validation.examples, training=False)
    expected = np.mean((outputs["audio_synth"] - validation.examples["audio"]) ** 2)
    assert results["losses/l2"] == pytest.approx(expected, rel=1e-5)


def test_follows_a_training_until_a_step(tmp_path):
    trainer = _saved(tmp_path, steps=(1, 2))
    seen = []

    class Recorder(evaluators.BaseEvaluator):
        def evaluate(self, batch, output, losses):
            seen.append(trainer.step)
            if trainer.step == 2:
                trainer.train_step(tiny.make_examples(4))
                trainer.save(str(tmp_path))

    provider = tiny.TinyProvider(2)
    eval_util.evaluate(
        provider,
        tiny.make_trainer().model,
        [Recorder],
        str(tmp_path),
        batch_size=2,
        num_batches=1,
        run_until_step=3,
    )
    assert seen == [2, 3]


def test_sample_writes_examples_only(tmp_path):
    trainer = _saved(tmp_path)
    calls = []

    class Recorder(evaluators.BaseEvaluator):
        def evaluate(self, batch, output, losses):
            calls.append("evaluate")

        def sample(self, batch, outputs, step):
            calls.append((step, outputs["audio_gen"].shape))

    arguments = (tiny.TinyProvider(4), trainer.model, [Recorder], str(tmp_path))
    eval_util.sample(*arguments, batch_size=2, num_batches=2, run_once=True)
    assert calls == [(1, (2, tiny.N_SAMPLES))]
    eval_util.sample(*arguments, batch_size=2, run_once=True, evaluate_and_sample=True)
    assert "evaluate" in calls


def test_bad_input(tmp_path):
    model = tiny.make_trainer().model
    provider = tiny.TinyProvider(2)
    with pytest.raises(ValueError, match="'both'"):
        eval_util.evaluate_or_sample(provider, model, BASIC, mode="both")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        eval_util.evaluate(
            provider, model, BASIC, str(tmp_path / "nowhere"), run_once=True
        )
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(ValueError, match="no batch"):
        forward.first_batch(tiny.TinyProvider(0), 2)


def test_pitch_that_was_given_is_not_measured(monkeypatch):
    calls = []
    evaluator = evaluators.F0LdEvaluator(16000, 250, run_f0_crepe=False)
    evaluator._loudness = types.SimpleNamespace(update_state=lambda *_: None)
    evaluator._predicted_f0 = types.SimpleNamespace(
        update_state=lambda batch, f0_hz: calls.append(f0_hz)
    )
    batch = tiny.make_examples(2)
    outputs = {"audio_gen": batch["audio"], "f0_hz": batch["f0_hz"][..., np.newaxis]}
    evaluator.evaluate(batch, outputs, None)
    assert not calls
    evaluator.evaluate(batch, {**outputs, "f0_hz": 2 * outputs["f0_hz"]}, None)
    assert len(calls) == 1
    assert checkpoints.list_checkpoints("no such directory") == {}


def test_table():
    assert eval_util._format_table("step 3", {"loss": 1.0, "longer name": 22.5}) == (
        "step 3\n"
        "-----------------------\n"
        "loss             1.0000\n"
        "longer name     22.5000"
    )
