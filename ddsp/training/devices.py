"""Devices to train on, and the precision in which they compute."""

import json
import os
from typing import Any

import gin
import keras
import tensorflow as tf


def get_strategy(tpu: str = "", cluster_config: str = "") -> tf.distribute.Strategy:
    """Returns the distribution strategy for the available devices.

    Args:
      tpu: Address or name of a TPU; `'local'` for a TPU attached to this machine.
      cluster_config: The `TF_CONFIG` of this worker as JSON, for training on several
        machines: `{"cluster": {"worker": ["host1:port", "host2:port"]}, "task":
        {"type": "worker", "index": 0}}`. Every worker has its own `task`.

    Returns:
      A strategy for the TPU, for the workers of the cluster, for all GPUs of this
      machine if there are several, or for one device.

    Raises:
      ValueError: If both are given, or `cluster_config` is not valid.

    Example:

    >>> from ddsp.training import train_util
    >>> train_util.get_strategy().num_replicas_in_sync
    1
    """
    if tpu and cluster_config:
        raise ValueError(
            "Only one of tpu and cluster_config can be used, got "
            f"tpu={tpu!r} and cluster_config={cluster_config!r}."
        )
    if tpu:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    if cluster_config:
        os.environ["TF_CONFIG"] = json.dumps(_parse_cluster_config(cluster_config))
        return tf.distribute.MultiWorkerMirroredStrategy()
    gpus = tf.config.list_logical_devices("GPU")
    if len(gpus) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.OneDeviceStrategy(gpus[0].name if gpus else "/cpu:0")


def _parse_cluster_config(cluster_config: str) -> dict[str, Any]:
    try:
        config = json.loads(cluster_config)
        task = config["task"]
        n_tasks = len(config["cluster"][task["type"]])
        if not 0 <= task["index"] < n_tasks:
            raise ValueError(f"task index {task['index']} of {n_tasks}")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            'cluster_config must be JSON such as \'{"cluster": {"worker": '
            '["host1:port", "host2:port"]}, "task": {"type": "worker", "index": 0}}\' '
            f"({error!r}), got {cluster_config}."
        ) from error
    return config


@gin.configurable(module="ddsp.training.train_util")
def set_precision(dtype_policy: str = "float32") -> None:
    """Sets the precision in which networks compute.

    Variables, signal processing and losses stay in float32.

    Args:
      dtype_policy: `'float32'`, or `'mixed_bfloat16'`, which is faster on accelerators.

    Raises:
      ValueError: If it is another policy. Training with `'mixed_float16'` would need
        loss scaling.

    Example:

    >>> import keras
    >>> from ddsp.training import train_util
    >>> train_util.set_precision("float32")
    >>> keras.config.dtype_policy().compute_dtype
    'float32'
    """
    if dtype_policy not in ("float32", "mixed_bfloat16"):
        raise ValueError(
            "set_precision.dtype_policy must be 'float32' or 'mixed_bfloat16', got "
            f"{dtype_policy!r}."
        )
    keras.config.set_dtype_policy(dtype_policy)
