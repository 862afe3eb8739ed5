"""Resumption of trainings of the original library."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from ddsp.training import models, original_optimizer, trainers
from ddsp.training.models import loading
from tests.training import original_layers as original

LEGACY_TINY = Path(__file__).with_name("legacy_tiny")


def test_a_run_of_the_original_goes_on():
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    with strategy.scope():
        model = loading.from_config(str(LEGACY_TINY / "operative_config-4.gin"))
        model.build_variables()
        trainer = trainers.Trainer(model, strategy)
        trainer.optimizer.build(model.trainable_variables)
    trainer.restore(str(LEGACY_TINY))
    assert trainer.step == 4
    kernel = model.decoder.dense_out.kernel
    (index,) = (i for i, x in enumerate(model.trainable_variables) if x is kernel)
    # The eighth variable of the optimizer of the original.
    expected = tf.train.load_variable(
        str(LEGACY_TINY), "optimizer/_variables/8/.ATTRIBUTES/VARIABLE_VALUE"
    )
    assert expected.any()
    np.testing.assert_array_equal(trainer.optimizer._velocities[index], expected)


def stack(module):
    return module.Sequential([module.layers.Dense(3), module.layers.Dense(3)])


@pytest.mark.parametrize("kind", ["until TensorFlow 2.10", "from 2.11 on"])
def test_moments_belong_to_their_variables(tmp_path, kind):
    """Also for variables of equal shape, in any order of the optimizer."""

    class Model(tf_keras.Model):
        def __init__(self):
            super().__init__()
            self.net = stack(tf_keras)

        def call(self, x):
            return self.net(x)

    old = Model()
    old(tf.zeros([1, 3]))
    module = tf_keras.optimizers
    optimizer = (module.legacy if kind.startswith("until") else module).Adam()
    order = [old.trainable_variables[i] for i in (2, 0, 3, 1)]
    for step in range(2):
        gradients = [tf.fill(x.shape, 1.0 + i + step) for i, x in enumerate(order)]
        optimizer.apply_gradients(zip(gradients, order, strict=True))
    path = str(tmp_path / "ckpt-2")
    tf.train.Checkpoint(model=old, optimizer=optimizer).write(path)

    new = original.Holder(stack(keras), tf.zeros([1, 3]))
    new.restore(path)
    adam = keras.optimizers.Adam()
    adam.build(new.trainable_variables)
    assert original_optimizer.restore(adam, new, path)
    assert int(adam.iterations) == 2
    for i, position in enumerate((2, 0, 3, 1)):
        # A moment is 0.9 of what it was and 0.1 of the gradient; 0.999 and 0.001,
        # which in float32 is 1.3e-5 off.
        first, second = 1.0 + i, 2.0 + i
        np.testing.assert_allclose(
            adam._momentums[position], 0.09 * first + 0.1 * second, rtol=1e-5
        )
        np.testing.assert_allclose(
            adam._velocities[position],
            0.000999 * first**2 + 0.001 * second**2,
            rtol=1e-4,
        )


def test_checkpoints_of_this_library_are_left_alone(tmp_path):
    model = original.Holder(stack(keras), tf.zeros([1, 3]))
    adam = keras.optimizers.Adam()
    adam.build(model.trainable_variables)
    state = tf.train.Checkpoint(_iterations=adam.iterations, _variables=adam.variables)
    path = tf.train.Checkpoint(model=model, optimizer=state).write(
        str(tmp_path / "ckpt-0")
    )
    assert not original_optimizer.restore(adam, model, path)


def test_lost_moments_are_named(tmp_path):
    path = tf.train.latest_checkpoint(str(LEGACY_TINY))
    model = original.Holder(keras.layers.Dense(2), tf.zeros([1, 3]))
    assert isinstance(model, models.Model)
    adam = keras.optimizers.Adam()
    adam.build(model.trainable_variables)
    with pytest.raises(ValueError, match=r"got none of \['net/kernel', 'net/bias'\]"):
        original_optimizer.restore(adam, model, path)
    assert int(adam.iterations) == 0
