"""The command from end to end, as a user runs it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import flagsaver

from ddsp.commands import ddsp_run
from ddsp.training import checkpoints, models

SECS = 0.5
N_SAMPLES, N_FRAMES = int(16000 * SECS), int(250 * SECS)
PARAMS = [
    "Reverb.reverb_length=800",
    "RnnFcDecoder.rnn_channels=16",
    "RnnFcDecoder.ch=16",
    "RnnFcDecoder.output_splits=(('amps', 1), ('harmonic_distribution', 5), "
    "('noise_magnitudes', 9))",
    "SpectralLoss.fft_sizes=(256, 64)",
    "batch_size=2",
]


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """A pattern of shards with a split: harmonic tones of different pitch."""
    directory = tmp_path_factory.mktemp("dätä with spaces")
    rng = np.random.default_rng(0)
    time_secs = np.arange(N_SAMPLES) / 16000
    for split, n_examples in (("train", 4), ("eval", 2)):
        path = directory / f"tones-{split}-00000-of-00001"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for f0_hz in rng.uniform(220.0, 440.0, n_examples):
                tone = sum(
                    np.sin(2 * np.pi * f0_hz * k * time_secs) / k for k in (1, 2, 3)
                )
                features = {
                    "audio": 0.2 * tone,
                    # Tells the rates, without a manifest.
                    "audio_16k": 0.2 * tone,
                    "f0_hz": np.full(N_FRAMES, f0_hz),
                    "f0_confidence": np.ones(N_FRAMES),
                    "loudness_db": np.full(N_FRAMES, -30.0),
                }
                feature = {
                    name: tf.train.Feature(
                        float_list=tf.train.FloatList(value=np.float32(value))
                    )
                    for name, value in features.items()
                }
                example = tf.train.Example(features=tf.train.Features(feature=feature))
                writer.write(example.SerializeToString())
    return f"{directory}/tones*"


def _command(shards, save_dir, *arguments, params=()):
    params = [f"TFRecordProvider.file_pattern={shards!r}", *PARAMS, *params]
    return [
        sys.executable,
        "-m",
        "ddsp.commands.ddsp_run",
        f"--save_dir={save_dir}",
        "--gin_file=papers/iclr2020/tiny_instrument.gin",
        *[f"--gin_param={param}" for param in params],
        *arguments,
    ]


def _start(command):
    return subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["", *sys.path])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _run(command, code=0):
    process = _start(command)
    try:
        output, _ = process.communicate(timeout=150)
    finally:
        process.kill()
    assert process.returncode == code, output[-3000:]
    return output


def test_killed_training_goes_on_then_evaluation(shards, tmp_path):
    save_dir = tmp_path / "my möde1"
    save_dir.mkdir()
    command = _command(
        shards,
        save_dir,
        "--mode=train",
        "--seed=1",
        params=["train.num_steps=100000", "train.steps_per_save=1"],
    )
    process = _start(command)
    try:
        deadline = time.monotonic() + 150
        while len(checkpoints.list_checkpoints(str(save_dir))) < 3:
            assert process.poll() is None, process.stdout.read()[-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()

    # The incomplete files of the killed process do not count.
    reached = checkpoints.find_latest(str(save_dir))
    step = int(reached.rsplit("-", 1)[1])
    moments = tf.train.load_checkpoint(reached)
    assert moments.get_tensor("optimizer/_iterations/.ATTRIBUTES/VARIABLE_VALUE") == (
        step
    )
    settings = [f"train.num_steps={step + 3}", "train.steps_per_summary=2"]
    output = _run(
        _command(shards, save_dir, "--mode=train", "--seed=1", params=settings)
    )
    assert f"Resuming at step {step}:" in output
    assert "(best so far), energy: harmonic" in output
    latest = checkpoints.find_latest(str(save_dir))
    assert latest.endswith(f"ckpt-{step + 3}")
    assert (save_dir / "dataset_statistics.json").exists()
    assert checkpoints.list_checkpoints(str(save_dir / "best"))

    # What was saved is a model that can be loaded, with the settings it had.
    model = models.load(str(save_dir / "best"))
    assert model.decoder.get_config()["rnn_channels"] == 16
    assert model.preprocessor.time_steps == N_FRAMES
    assert model.processor_group.harmonic.n_samples == N_SAMPLES

    output = _run(
        _command(
            shards,
            save_dir,
            "--mode=eval",
            "--run_once",
            params=["evaluate.num_batches=1"],
        )
    )
    recorded = json.loads((save_dir / "eval_metrics.json").read_text())
    measures = recorded[str(step + 3)]
    for name in (
        "losses/total_loss",
        "energy_share/harmonic",
        "metrics/loudness/loudness_db",
        "metrics/f0_crepe/outlier_ratio",
    ):
        assert name in output and np.isfinite(measures[name])


def test_fine_tuning_a_model_of_the_original(shards, tmp_path):
    """With steps too small to be seen, its weights stay what they were."""
    original = Path(__file__).parents[1] / "training" / "legacy_tiny"
    output = _run(
        _command(
            shards,
            tmp_path,
            "--mode=train",
            f"--restore_dir={original}",
            params=[
                "RnnFcDecoder.rnn_channels=256",
                "RnnFcDecoder.ch=512",
                "RnnFcDecoder.output_splits=(('amps', 1), "
                "('harmonic_distribution', 60), ('noise_magnitudes', 65))",
                "Reverb.reverb_length=48000",
                "train.num_steps=1",
                "Trainer.learning_rate=1e-12",
            ],
        )
    )
    assert "Fine-tuning from step 0 with the weights of" in output
    key = "model/decoder/rnn/rnn/cell/recurrent_kernel/.ATTRIBUTES/VARIABLE_VALUE"
    before, after = (
        tf.train.load_variable(str(directory), key)
        for directory in (original, tmp_path)
    )
    np.testing.assert_allclose(after, before, atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gin_file=no/such.gin"], "no/such.gin"),
        (["--gin_param=train.no_such=1"], "no_such"),
        (["--gin_param=Trainer.learning_rate=="], "learning_rate"),
        (["--gin_param=TFRecordProvider.file_pattern='nowhere*'"], "nowhere"),
        (
            ["--gin_param=Harmonic.sample_rate=44100"],
            "Harmonic.sample_rate=44100 contradicts the data: omit it, or prepare the "
            "data for the model. sample_rate must be 16000",
        ),
        (
            ["--gin_param=F0LoudnessPreprocessor.frame_rate=90"],
            "F0LoudnessPreprocessor.frame_rate=90 contradicts the data",
        ),
        (
            ["--gin_param=TFRecordProvider.sample_rate=22050"],
            "sample_rate=22050",
        ),
        (["--hypertune"], "hypertune"),
        (["--cluster_config={"], "cluster_config"),
        (["--mode=eval", "--run_once"], "No such checkpoint"),
    ],
)
def test_one_clear_message(shards, tmp_path, capsys, monkeypatch, arguments, message):
    """In this process, as each start of the command takes seconds."""
    command = _command(shards, tmp_path / "model", *arguments)
    monkeypatch.setattr(sys, "argv", command[2:])
    with flagsaver.flagsaver(), pytest.raises(SystemExit) as stop:
        ddsp_run.console_entry_point()
    assert stop.value.code == 1
    errors = capsys.readouterr().err.strip().splitlines()
    assert errors[-1].startswith("error: ") and message in errors[-1]
    assert not (tmp_path / "model").exists()
