"""The training run, and what it needs around the trainer."""

import json
import os
import re
from typing import Any

import gin
import keras
import tensorflow as tf

from ddsp import files
from ddsp.files import expand_path
from ddsp.training import checkpoints, postprocessing, rates, trainers
from ddsp.training.data.provider import DamagedDataError, naming_damage
from ddsp.training.training_run import TrainingRun

# Enough for the statistics of a data set that has no manifest.
_MAX_STATISTICS_EXAMPLES = 1000


def get_strategy(tpu: str = "", cluster_config: str = "") -> tf.distribute.Strategy:
    """The distribution strategy for the devices at hand.

    Args:
      tpu: Address or name of a TPU; `'local'` for one attached to this machine.
      cluster_config: The `TF_CONFIG` of this worker as JSON, for training on several
        machines: `{"cluster": {"worker": ["host1:port", "host2:port"]}, "task":
        {"type": "worker", "index": 0}}`. Every worker gets its own `task`.

    Returns:
      A strategy for the TPU, for the workers of the cluster, for all GPUs of this
      machine when there are several, or for one device.

    Raises:
      ValueError: Both are given, or the cluster config is no such JSON.
    """
    if tpu and cluster_config:
        raise ValueError(
            "Give either tpu or cluster_config, not both. Received: "
            f"tpu={tpu!r}, cluster_config={cluster_config!r}"
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
        known = len(config["cluster"][task["type"]])
        if not 0 <= task["index"] < known:
            raise ValueError(f"task index {task['index']} of {known}")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            'cluster_config must be JSON such as \'{"cluster": {"worker": '
            '["host1:port", "host2:port"]}, "task": {"type": "worker", "index": 0}}\' '
            f"({error!r}). Received: {cluster_config}"
        ) from error
    return config


@gin.configurable
def set_precision(dtype_policy: str = "float32") -> None:
    """Sets the precision in which networks compute from now on.

    Variables, signal processing and losses stay in float32.

    Args:
      dtype_policy: 'float32' or 'mixed_bfloat16', which is faster on accelerators.

    Raises:
      ValueError: It is another. 'mixed_float16' would need the loss to be scaled.
    """
    if dtype_policy not in ("float32", "mixed_bfloat16"):
        raise ValueError(
            "set_precision.dtype_policy must be 'float32' or 'mixed_bfloat16'. "
            f"Received: {dtype_policy!r}"
        )
    keras.config.set_dtype_policy(dtype_policy)


def get_latest_file(
    dir_path: str, prefix: str = "operative_config-", suffix: str = ".gin"
) -> str:
    """The file with the highest number in its name.

    Args:
      dir_path: Directory.
      prefix: Of the name, before the number.
      suffix: Of the name, after the number.

    Returns:
      Path of the file.

    Raises:
      FileNotFoundError: There is none.
    """
    dir_path = expand_path(dir_path)
    pattern = re.compile(re.escape(prefix) + r"(\d+)" + re.escape(suffix))
    names = tf.io.gfile.listdir(dir_path) if tf.io.gfile.isdir(dir_path) else []
    numbers = {int(m[1]): name for name in names if (m := pattern.fullmatch(name))}
    if not numbers:
        raise FileNotFoundError(
            f"No file '{prefix}<number>{suffix}' in the directory. Received: {dir_path}"
        )
    return os.path.join(dir_path, numbers[max(numbers)])


def get_latest_checkpoint(checkpoint_path: str) -> str:
    """Path of a checkpoint; see `checkpoints.find_latest`.

    Args:
      checkpoint_path: A directory of checkpoints, whose latest one is taken, or one
        checkpoint (`dir/ckpt-300`).

    Returns:
      The checkpoint's path without suffix.

    Raises:
      FileNotFoundError: There is no checkpoint.
    """
    return checkpoints.find_latest(checkpoint_path)


def get_latest_operative_config(restore_dir: str) -> str:
    """The gin config with which a model was trained.

    Args:
      restore_dir: Model directory, its folder `best`, or a checkpoint in either.

    Returns:
      Path of the newest `operative_config-N.gin`.

    Raises:
      FileNotFoundError: There is none.
    """
    return checkpoints.find_config(restore_dir)


def write_gin_config(
    summary_writer: tf.summary.SummaryWriter | None, save_dir: str, step: int
) -> None:
    """Saves the gin config in effect as `operative_config-{step}.gin`.

    Args:
      summary_writer: Gets the config as text too, if given.
      save_dir: Model directory; made when missing.
      step: Training step.

    Raises:
      OSError: The file cannot be written.
    """
    config = gin.operative_config_str()
    with files.writing(save_dir):
        tf.io.gfile.makedirs(save_dir)
    files.write_text(os.path.join(save_dir, f"operative_config-{step}.gin"), config)
    if summary_writer is not None:
        with summary_writer.as_default():
            # TensorBoard renders Markdown: four spaces make it verbatim.
            text = "\n".join(f"    {line}" for line in config.splitlines())
            tf.summary.text("gin_config", text, step)
        summary_writer.flush()


def write_statistics(data_provider: Any, save_dir: str) -> None:
    """Writes `dataset_statistics.json`, unless it is there.

    The statistics come from the manifest of the data if it has them; otherwise from
    at most 1,000 examples.

    Args:
      data_provider: Training data.
      save_dir: Model directory.

    Raises:
      DamagedDataError: An example cannot be used.
      OSError: The file cannot be written.
    """
    path = os.path.join(save_dir, postprocessing.STATISTICS_FILE)
    if tf.io.gfile.exists(path):
        return
    manifest = getattr(data_provider, "manifest", None)
    try:
        if manifest is not None and manifest.statistics:
            statistics = postprocessing.statistics_from_dict(manifest.statistics)
        else:
            with naming_damage(data_provider):
                statistics = postprocessing.compute_dataset_statistics(
                    _Sample(data_provider, _MAX_STATISTICS_EXAMPLES)
                )
    except DamagedDataError:
        raise
    except ValueError as error:
        print(f"No statistics of the data are written: {error}")
        return
    # Timbre transfer measures pitch the way the model has learnt to hear it.
    statistics["centered"] = bool(manifest is not None and manifest.center)
    if manifest is not None:
        statistics["pitch_tracker"] = manifest.pitch_tracker
    postprocessing.save_dataset_statistics(statistics, save_dir)


class _Sample:
    """The first examples of a data provider."""

    def __init__(self, data_provider: Any, n_examples: int):
        self.sample_rate = data_provider.sample_rate
        self.frame_rate = data_provider.frame_rate
        self._data_provider = data_provider
        self._n_examples = n_examples

    def get_batch(self, batch_size: int, **kwargs: Any) -> tf.data.Dataset:
        n_batches = self._n_examples // batch_size
        return self._data_provider.get_batch(batch_size, **kwargs).take(n_batches)


@gin.configurable
def train(
    data_provider: Any,
    trainer: trainers.Trainer,
    batch_size: int = 32,
    num_steps: int = 1000000,
    steps_per_summary: int = 300,
    steps_per_save: int = 300,
    save_dir: str = files.DEFAULT_DIR,
    restore_dir: str = files.DEFAULT_DIR,
    early_stop_loss_value: float | None = None,
    report_loss_to_hypertune: bool = False,
    eval_data_provider: Any = None,
    steps_per_eval: int | None = None,
    eval_batches: int = 50,
    early_stop_patience: int | None = None,
    seed: int | None = None,
) -> None:
    """Trains until `num_steps`, or goes on with a training that was interrupted.

    `save_dir` gets the checkpoints, the best one by validation loss in the folder
    `best`, the gin config, the statistics of the data and, for TensorBoard, the
    folder `summaries`. If it has a checkpoint already, training resumes from there,
    with the optimiser's state and the step. Otherwise, if `restore_dir` is another
    directory, its weights are the start of a new training at step 0: fine-tuning.

    With a seed, weights, order of the data and noise are the same in every run on the
    same machine. A resumed run draws its data and noise from the seed and the step,
    so it does not see again what it has seen, nor what an uninterrupted run would.

    Args:
      data_provider: Training data.
      trainer: Trainer of the model; built here.
      batch_size: Examples a step, over all replicas, >= 1.
      num_steps: The step at which to stop.
      steps_per_summary: How often to write scalars, pictures and audio.
      steps_per_save: How often to save a checkpoint; one is saved at the end too.
      save_dir: Model directory; made when missing.
      restore_dir: Model directory, or a checkpoint, for fine-tuning. The default
        stands for `save_dir`.
      early_stop_loss_value: Stop once the training loss, mean over the steps since
        the last summary, is no higher.
      report_loss_to_hypertune: Must be False: the service it was for is retired.
      eval_data_provider: Validation data; by default the validation split of
        `data_provider`, if it has one.
      steps_per_eval: How often to validate; `steps_per_summary` by default.
      eval_batches: At most so many batches of validation.
      early_stop_patience: Stop after so many validations without a new best one.
      seed: Of weights, order of the data and noise.

    Raises:
      ValueError: There is no data, a setting is out of its range, the model has other
        rates or lengths than the data, a checkpoint is of another architecture, or
        the loss became NaN (`NonFiniteLossError`).
      FileNotFoundError: `restore_dir` has no checkpoint.
      FileExistsError: Another training writes to `save_dir`.
      OSError: A file cannot be written.
      KeyboardInterrupt: It was stopped by a signal; a checkpoint is saved first.
    """
    settings = {
        "batch_size": batch_size,
        "steps_per_summary": steps_per_summary,
        "steps_per_save": steps_per_save,
        "steps_per_eval": steps_per_eval,
        "early_stop_patience": early_stop_patience,
    }
    for name, value in settings.items():
        if value is not None and value < 1:
            raise ValueError(f"train.{name} must be at least 1. Received: {value}")
    if report_loss_to_hypertune:
        raise ValueError(
            "Reporting to the hyper-parameter service is not supported: leave out "
            "report_loss_to_hypertune (flag --hypertune). Received: True"
        )
    for data in filter(None, (data_provider, eval_data_provider)):
        rates.check(trainer.model, data)
    save_dir = expand_path(save_dir)
    restore_dir = save_dir if restore_dir == files.DEFAULT_DIR else restore_dir
    run = TrainingRun(data_provider, trainer, batch_size, save_dir, seed)
    with run.opened():
        run.restore(restore_dir or save_dir)
        if trainer.is_chief:
            write_gin_config(run.writer, save_dir, trainer.step)
            write_statistics(data_provider, save_dir)
        run.loop(
            run.make_validation(eval_data_provider, eval_batches),
            num_steps,
            steps_per_summary,
            steps_per_save,
            steps_per_eval or steps_per_summary,
            early_stop_loss_value,
            early_stop_patience,
        )
