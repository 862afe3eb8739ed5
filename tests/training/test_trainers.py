"""The optimization step, alone and distributed, and resumption."""

import json
import os
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddsp.training import models, nn, trainers
from tests.training import tiny


def _batch(n=4, seed=0):
    examples = tiny.make_examples(n, seed)
    return {name: tf.constant(value) for name, value in examples.items()}


def test_one_step_is_adam_by_hand():
    """One step, compared with Adam in NumPy (Kingma and Ba, 2015, algorithm 1)."""
    trainer = tiny.built_trainer(learning_rate=0.01, grad_clip_norm=1e-3)
    batch = _batch()
    before = tiny.weights(trainer)
    with tf.GradientTape() as tape:
        _, losses = trainer.model(batch, return_losses=True, training=True)
    gradients = tape.gradient(losses["total_loss"], trainer.model.trainable_variables)
    gradients = [np.asarray(gradient, np.float64) for gradient in gradients]
    norm = np.sqrt(sum(np.sum(gradient**2) for gradient in gradients))
    assert norm > 1e-3  # So that it is clipped.

    results = trainer.train_step(batch)
    assert trainer.step == 1
    np.testing.assert_allclose(results["total_loss"], losses["total_loss"], rtol=1e-6)
    np.testing.assert_allclose(results["gradient_norm"], norm, rtol=1e-5)
    for old, new, gradient in zip(
        before, tiny.weights(trainer), gradients, strict=True
    ):
        clipped = gradient * 1e-3 / norm
        # In the first step both moments equal the gradient, bias corrected. Keras
        # adds epsilon before the correction, which scales it by sqrt(1 - beta_2).
        epsilon = 1e-7 / np.sqrt(1 - 0.999)
        expected = old - 0.01 * clipped / (np.abs(clipped) + epsilon)
        # float32: 1e-6 of a weight of order 1.
        np.testing.assert_allclose(new, expected, rtol=1e-5, atol=1e-6)


def test_learning_rate_decays():
    trainer = tiny.built_trainer(
        learning_rate=0.5, lr_decay_steps=10, lr_decay_rate=0.9
    )
    for _ in range(5):
        trainer.train_step(_batch())
    assert trainer.learning_rate == pytest.approx(0.5 * 0.9 ** (5 / 10), rel=1e-6)


def test_resuming_equals_not_stopping(tmp_path):
    batch = _batch()
    whole = tiny.built_trainer()
    for _ in range(4):
        whole.train_step(batch)

    first = tiny.built_trainer()
    for _ in range(2):
        first.train_step(batch)
    first.save(str(tmp_path))
    second = tiny.built_trainer(seed=7)
    second.restore(str(tmp_path))
    assert second.step == 2
    for _ in range(2):
        second.train_step(batch)

    for a, b in zip(tiny.weights(whole), tiny.weights(second), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)
    for a, b in zip(whole.optimizer.variables, second.optimizer.variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=0, atol=1e-6)


def test_checkpoint_names_variables_through_the_model(tmp_path):
    trainer = tiny.built_trainer()
    names = {
        name.split("/.ATTRIBUTES")[0]
        for name, _ in tf.train.list_variables(trainer.save(str(tmp_path)))
    }
    assert {"model/hidden/bias", "model/out/bias", "optimizer/_iterations"} <= names
    assert not [name for name in names if "trainable_variables" in name]


def test_parts_and_weights_alone(tmp_path):
    source = tiny.built_trainer(seed=3)
    source.train_step(_batch())
    source.save(str(tmp_path))

    tuned = tiny.built_trainer(seed=4)
    tuned.restore_weights(str(tmp_path))
    assert tuned.step == 0
    for a, b in zip(tiny.weights(source), tiny.weights(tuned), strict=True):
        np.testing.assert_array_equal(a, b)

    part = tiny.built_trainer(seed=4, restore_keys=["out"])
    part.restore(str(tmp_path))
    assert part.step == 0
    np.testing.assert_array_equal(part.model.out.kernel, source.model.out.kernel)
    assert np.any(
        part.model.hidden.kernel.numpy() != source.model.hidden.kernel.numpy()
    )


def test_bad_checkpoints(tmp_path):
    trainer = tiny.built_trainer()
    with pytest.raises(FileNotFoundError, match="No checkpoint"):
        trainer.restore(str(tmp_path))
    trainer.save(str(tmp_path))
    with pytest.raises(ValueError, match=r"hidden/kernel.*\(1, 5\).*\(1, 4\)"):
        tiny.built_trainer(units=5).restore(str(tmp_path))
    with pytest.raises(ValueError, match="build"):
        tiny.make_trainer().restore(str(tmp_path))


class WithList(nn.DictLayer):
    """Layer of a user, with layers in a list."""

    def __init__(self):
        super().__init__(input_keys=["audio"], output_keys=["audio_synth"])
        self.stacks = [keras.layers.Dense(1), keras.layers.Dense(1)]

    def call(self, audio):
        x = audio[..., tf.newaxis]
        for layer in self.stacks:
            x = layer(x)
        return x[..., 0]


class Hidden(keras.layers.Layer):
    """Keras layer with a list that checkpoints do not find."""

    def __init__(self):
        super().__init__()
        self.stacks = [keras.layers.Dense(1)]

    def call(self, features):
        return {"audio_synth": self.stacks[0](features["audio"][..., tf.newaxis])}


class Wrapped(models.Model):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def call(self, features, training=True):
        return self.layer(features)

    def compute_losses(self, outputs):
        return {"power": tf.reduce_mean(outputs["audio_synth"] ** 2)}

    def get_audio_from_outputs(self, outputs):
        return outputs["audio_synth"]


def _wrapped(layer):
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    trainer = trainers.Trainer(Wrapped(layer), strategy)
    trainer.build(_batch())
    return trainer


def test_layers_in_lists_of_a_users_class(tmp_path):
    source, other = (_wrapped(WithList()) for _ in range(2))
    source.train_step(_batch())
    source.save(str(tmp_path))
    other.restore(str(tmp_path))
    assert len(other.model.weights) == 4
    for a, b in zip(source.model.weights, other.model.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_no_step_of_what_no_checkpoint_would_hold():
    with pytest.raises(ValueError, match=r"must be attributes of each other.*kernel"):
        _wrapped(Hidden())


@pytest.mark.parametrize(
    "setting", ["learning_rate", "grad_clip_norm", "checkpoints_to_keep"]
)
def test_bad_settings(setting):
    with pytest.raises(ValueError, match=rf"{setting}.*0"):
        tiny.make_trainer(**{setting: 0})


def test_trainer_class():
    assert trainers.get_trainer_class() is trainers.Trainer


def _free_ports(n):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def _start_worker(mode, out, **env):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.training.worker", mode, str(out)],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(["", *sys.path]),
            "CUDA_VISIBLE_DEVICES": "-1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            **env,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _finish(processes):
    try:
        for process in processes:
            output, _ = process.communicate(timeout=120)
            assert process.returncode == 0, output[-3000:]
    finally:
        for process in processes:
            process.kill()


def _expected_weights():
    """Returns the weights after training with the data of `worker.py` on one device."""
    trainer = tiny.built_trainer()
    for _ in range(3):
        trainer.train_step(_batch())
    return tiny.weights(trainer)


def _check(path, expected):
    with np.load(path) as found:
        assert int(found["step"]) == 3
        for i, value in enumerate(expected):
            # The summation order differs with replicas.
            np.testing.assert_allclose(found[f"w{i}"], value, rtol=1e-5, atol=1e-6)


def test_mirrored_equals_one_device(tmp_path):
    out = tmp_path / "mirrored.npz"
    _finish([_start_worker("mirrored", out)])
    _check(out, _expected_weights())


def test_two_workers_agree(tmp_path):
    hosts = [f"127.0.0.1:{port}" for port in _free_ports(2)]
    processes, outs = [], []
    for index in range(2):
        config = {
            "cluster": {"worker": hosts},
            "task": {"type": "worker", "index": index},
        }
        outs.append(tmp_path / f"worker{index}.npz")
        processes.append(
            _start_worker(json.dumps(config), outs[-1], GRPC_VERBOSITY="ERROR")
        )
    _finish(processes)
    expected = _expected_weights()
    for out in outs:
        _check(out, expected)
    with np.load(outs[0]) as first, np.load(outs[1]) as second:
        for name in first.files:
            np.testing.assert_array_equal(first[name], second[name])
    # Only the first worker writes the shared checkpoint.
    assert (tmp_path / "model" / "ckpt-3.index").exists()


def test_seed_makes_weights():
    weights = [tiny.weights(tiny.built_trainer(seed=seed)) for seed in (5, 5, 6)]
    np.testing.assert_array_equal(weights[0][0], weights[1][0])
    assert np.any(weights[0][0] != weights[2][0])
    keras.utils.clear_session()
