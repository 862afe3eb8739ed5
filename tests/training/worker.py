"""Worker process for the tests of distributed training.

`python -m tests.training.worker MODE OUT`: MODE is 'mirrored' for two virtual CPU
devices, or a cluster config. Trains three steps, writes the weights to OUT.
"""

import pathlib
import sys

import numpy as np
import tensorflow as tf

from ddsp.training import train_util
from tests.training import tiny


def main(mode: str, out: str) -> None:
    if mode == "mirrored":
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * 2,
        )
        strategy = tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
    else:
        strategy = train_util.get_strategy(cluster_config=mode)
    trainer = tiny.make_trainer(strategy)
    # With one data file, every worker reads all of it and takes its share.
    dataset = tf.data.Dataset.from_tensor_slices(tiny.make_examples(4))
    dataset = dataset.batch(4, drop_remainder=True).repeat()
    trainer.build(next(iter(dataset)))
    iterator = iter(trainer.distribute_dataset(dataset))
    for _ in range(3):
        losses = trainer.train_step(iterator)
    if not np.isfinite(float(losses["total_loss"])):
        raise ValueError(f"Received: {losses}")
    save_dir = str(pathlib.Path(out).parent / "model")
    trainer.save(save_dir)
    weights = tiny.weights(trainer)
    if mode == "mirrored":
        restored = tiny.make_trainer(strategy, seed=9)
        restored.build(next(iter(dataset)))
        restored.restore(save_dir)
        for old, new in zip(weights, tiny.weights(restored), strict=True):
            np.testing.assert_array_equal(old, new)
    np.savez(out, step=trainer.step, **{f"w{i}": w for i, w in enumerate(weights)})


if __name__ == "__main__":
    main(*sys.argv[1:])
