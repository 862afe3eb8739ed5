r"""Trains, evaluates or samples a model that gin files configure.

Example:

  ddsp_run --mode=train --save_dir=models/violin \
    --gin_file=models/solo_instrument.gin --gin_file=datasets/tfrecord.gin \
    --gin_param="TFRecordProvider.file_pattern='data/violin.tfrecord*'"

The same command resumes an interrupted training. Evaluate the checkpoints with

  ddsp_run --mode=eval --save_dir=models/violin --run_once
"""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator

import gin
import keras
import tensorflow as tf
from absl import flags, logging

import ddsp.training  # noqa: F401  (registers what gin files name)
from ddsp import configurable, files, gin_state, program
from ddsp.training import (
    checkpoints,
    eval_util,
    gin_files,
    models,
    rate_bindings,
    train_util,
    trainers,
)
from ddsp.training.models import configs, older_configs

FLAGS = flags.FLAGS

# Names in configs of the original that none of its releases defines.
_UNRELEASED = ["HmmMidiAutoencoder", "eval_discrete"]

flags.DEFINE_enum(
    "mode",
    "train",
    ["train", "eval", "sample"],
    "train: train a model. eval: compute metrics of its checkpoints. sample: write "
    "examples of its checkpoints to TensorBoard.",
)
flags.DEFINE_string(
    "save_dir",
    files.DEFAULT_DIR,
    "Directory of checkpoints, summaries and results. If it has a checkpoint, training "
    "resumes from there.",
)
flags.DEFINE_string(
    "restore_dir",
    "",
    "Directory (or checkpoint) of the model to evaluate, or whose weights to "
    "fine-tune; by default save_dir.",
)
flags.DEFINE_string("tpu", "", "Address or name of a TPU.")
flags.DEFINE_string(
    "cluster_config",
    "",
    "TF_CONFIG of this worker as JSON, for training on several machines, such as "
    '\'{"cluster": {"worker": ["host1:port", "host2:port"]}, "task": {"type": '
    '"worker", "index": 0}}\'.',
)
flags.DEFINE_bool(
    "allow_memory_growth",
    False,
    "Allocate GPU memory as needed instead of all at once.",
)
flags.DEFINE_bool(
    "hypertune",
    False,
    "Not supported, since the hyperparameter service is retired.",
)
flags.DEFINE_float(
    "early_stop_loss_value",
    None,
    "Stop training when the training loss is at most this value.",
)
flags.DEFINE_integer(
    "early_stop_patience",
    None,
    "Stop training after this many validations without a new lowest loss.",
    lower_bound=1,
)
flags.DEFINE_integer(
    "seed", None, "Seed of weights, data order and noise, for repeatable runs."
)
flags.DEFINE_multi_string("gin_search_path", [], "Additional directory of gin files")
flags.DEFINE_multi_string(
    "gin_file",
    [],
    "Gin file, relative to the configs of the library, to a gin_search_path or to the "
    "current directory; later files override earlier ones",
)
flags.DEFINE_multi_string(
    "gin_param",
    [],
    "Gin binding such as 'train.batch_size=8', which overrides the gin files",
)
flags.DEFINE_bool("trusted", False, program.TRUSTED)
flags.DEFINE_bool(
    "run_once", False, "Evaluate or sample only the latest checkpoint, then exit."
)
flags.DEFINE_integer(
    "initial_delay_secs",
    None,
    "Seconds to wait before evaluating or sampling.",
    lower_bound=0,
)


def delay_start() -> None:
    """Waits for `--initial_delay_secs`, so that a training can start first."""
    if FLAGS.initial_delay_secs:
        logging.info("Waiting for %d seconds", FLAGS.initial_delay_secs)
        time.sleep(FLAGS.initial_delay_secs)


def parse_gin(restore_dir: str) -> None:
    """Parses the gin config of the run.

    Later bindings override earlier ones: the defaults of optimization and evaluation,
    the config that the model in `restore_dir` was trained with, if there is one,
    `--gin_file`, and `--gin_param`.

    Args:
      restore_dir: Model directory, or a checkpoint in it.

    Raises:
      ValueError: If a gin file does not exist, or a file or a parameter contains an
        unknown name.
    """
    gin.config.register_file_reader(tf.io.gfile.GFile, tf.io.gfile.exists)
    for path in [gin_files.config_dir(), *FLAGS.gin_search_path]:
        gin.add_config_file_search_path(files.expand_path(path))
    optimization = "base_tpu.gin" if FLAGS.tpu else "base.gin"
    with _quiet():
        if FLAGS.gin_file:
            with gin_state.isolated():
                # The config of a model may use names that these files import.
                _parse_files()
        with gin_state.unlocked():
            gin.parse_config_file(f"optimization/{optimization}")
            gin.parse_config_file("eval/basic.gin")
            _parse_config_of_run(restore_dir)
            _parse_files()
            for binding in FLAGS.gin_param:
                _parse(
                    f"gin parameter '{binding}'",
                    functools.partial(gin.parse_config, binding),
                )
            gin.finalize()


def _parse_config_of_run(directory: str) -> None:
    try:
        trained_with = train_util.get_latest_operative_config(directory)
    except FileNotFoundError:
        return  # Not trained yet.
    # Older versions had other parameters.
    older_configs.parse(trained_with, FLAGS.trusted, whole_run=True)
    configs.check_references(f"The config {trained_with!r}")
    rate_bindings.complete_config()
    rate_bindings.loosen_lengths()


def _parse_files() -> None:
    for path in FLAGS.gin_file:
        _parse(
            f"gin file '{path}'",
            functools.partial(gin.parse_config_file, path, skip_unknown=_UNRELEASED),
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences gin, which logs an error for each directory without the file."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.FATAL)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


def _parse(what: str, parse: Callable[[], object]) -> None:
    """Parses a file or parameter; errors become one line that names it."""
    try:
        parse()
    except (ValueError, SyntaxError, OSError, ImportError) as error:
        message = " ".join(str(error).split())
        raise ValueError(f"Cannot parse {what}: {message}") from error


def allow_memory_growth() -> None:
    """Makes TensorFlow allocate GPU memory as needed."""
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def main(unused_argv: list[str]) -> None:
    """Runs the selected mode."""
    if FLAGS.hypertune:
        raise program.UserError(
            "--hypertune is not supported, since the hyperparameter service is "
            "retired, got True."
        )
    save_dir = files.expand_path(FLAGS.save_dir)
    restore_dir = files.expand_path(FLAGS.restore_dir or save_dir)
    if FLAGS.allow_memory_growth:
        allow_memory_growth()
    if FLAGS.mode == "train":
        _train(save_dir, restore_dir)
    else:
        _evaluate(save_dir, restore_dir)


def _train(save_dir: str, restore_dir: str) -> None:
    # A resumed training continues with its own config, not that of restore_dir.
    resumes = bool(checkpoints.list_checkpoints(save_dir))
    parse_gin(save_dir if resumes else restore_dir)
    strategy = train_util.get_strategy(
        tpu=FLAGS.tpu, cluster_config=FLAGS.cluster_config
    )
    if FLAGS.seed is not None:
        # Layers draw the seeds of their weights when they are created.
        keras.utils.set_random_seed(FLAGS.seed)
    train_util.set_precision()
    data_provider = configurable.bound_argument(
        "ddsp.training.train_util.train", "data_provider"
    )
    with strategy.scope(), rate_bindings.derived(data_provider):
        model = models.get_model()
        trainer = trainers.get_trainer_class()(model, strategy)
    given = {
        "early_stop_loss_value": FLAGS.early_stop_loss_value,
        "early_stop_patience": FLAGS.early_stop_patience,
        "seed": FLAGS.seed,
    }
    train_util.train(
        data_provider=data_provider,
        trainer=trainer,
        save_dir=save_dir,
        restore_dir=restore_dir,
        **{name: value for name, value in given.items() if value is not None},
    )


def _evaluate(save_dir: str, restore_dir: str) -> None:
    parse_gin(restore_dir)
    delay_start()
    name = {"eval": "evaluate", "sample": "sample"}[FLAGS.mode]
    data_provider = configurable.bound_argument(
        f"ddsp.training.eval_util.{name}", "data_provider"
    )
    with rate_bindings.derived(data_provider):
        model = models.get_model()
    run = getattr(eval_util, name)
    run(
        data_provider=data_provider,
        model=model,
        save_dir=save_dir,
        restore_dir=restore_dir,
        run_once=FLAGS.run_once,
    )


def console_entry_point() -> None:
    """Entry point of the command `ddsp_run`."""
    program.run_main(main)


if __name__ == "__main__":
    console_entry_point()
