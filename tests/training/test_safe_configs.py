"""Untrusted configs are read, but never executed."""

import sys

import gin
import keras
import pytest
import tensorflow as tf
from absl.testing import flagsaver

from ddsp import gin_state
from ddsp.commands import ddsp_run
from ddsp.playing import bundle, timbre_transfer
from ddsp.training import models
from ddsp.training.models import configs, loading
from tests.training import small_run

LAMBDA = "{'class_name': 'Lambda', 'config': {}, 'module': 'keras.layers'}"


def build(extra, trusted=False):
    """Loads the model of a config with additional statements."""
    with gin_state.isolated():
        configs.parse(f"{small_run.CONFIG}\n{extra}\n", "This", trusted)
        return loading.build("This")


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """A module that records its execution."""
    (tmp_path / "evil.py").write_text(
        "import pathlib, gin\n"
        "pathlib.Path(__file__).with_name('ran').touch()\n"
        "gin.external_configurable(dict, 'Evil', module='evil')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    forget(tmp_path)


def forget(folder):
    """Reverts the effects of the module."""
    (folder / "ran").unlink(missing_ok=True)
    sys.modules.pop("evil", None)
    if "evil.Evil" in gin.config._REGISTRY:
        gin.config._REGISTRY.pop("evil.Evil")


@pytest.mark.parametrize(
    "line",
    [
        "import evil",
        "import evil as ddsp",
        "from evil import x",
        "import os",
        "from __gin__ import dynamic_registration",
        "include 'evil.gin'",
    ],
)
def test_nothing_is_imported_or_included(evil, line):
    (evil / "evil.gin").write_text("import evil")
    with pytest.raises(ValueError, match=r"^This cannot be read: .*trusted=True"):
        build(line)
    assert not (evil / "ran").exists()


def test_trusted_configs_are_code(evil, monkeypatch):
    monkeypatch.chdir(evil)
    (evil / "evil.gin").write_text("exp_sigmoid.exponent = 5.0")
    model = build("import evil\ninclude 'evil.gin'", trusted=True)
    assert (evil / "ran").exists()
    assert model.processor_group.harmonic.scale_fn.arguments["exponent"] == 5.0


def test_imports_of_this_library_are_passed_over():
    build("import ddsp\nimport ddsp.training as ddsp2\nfrom ddsp import training")


@pytest.mark.parametrize(
    "reference",
    [
        "@tf.keras.layers.TFSMLayer()",
        "@tf.keras.layers.Lambda()",
        "@keras.layers.TextVectorization()",
        "@any/scope/tf.keras.layers.Lambda()",
        "[1, {'a': (@tf.keras.layers.Lambda(),)}]",
        "@inference.VSTPredictControls()",
        "@train()",
        "@Trainer",
        "@data.TFRecordProvider()",
        "@evaluate",
        "%hidden",
        "@gin.singleton()",
    ],
)
def test_nothing_that_could_run_or_read_is_named(reference):
    extra = f"""
        hidden = @tf.keras.layers.Lambda()
        gin.singleton.constructor = @tf.keras.layers.Lambda
        Autoencoder.encoder = {reference}
        """
    with pytest.raises(ValueError, match=r"^(This|The config 'This') .*could run or"):
        build("\n".join(line.strip() for line in extra.splitlines()))


def test_plain_layers_and_what_the_program_registered_are_allowed():
    class Mine(keras.layers.Layer):
        pass

    gin.external_configurable(Mine, module="mine_alone")
    try:
        assert isinstance(build("Autoencoder.encoder = @Mine()").encoder, Mine)
    finally:
        gin.config._REGISTRY.pop("mine_alone.Mine")
    model = build("Autoencoder.encoder = @tf.keras.layers.Dense()\nDense.units = 3")
    assert model.encoder.units == 3


def test_data_and_training_are_not_read():
    build(
        """
evaluators = [@BasicEvaluator]
evaluate.evaluator_classes = %evaluators
train.data_provider = @data.TFRecordProvider()
TFRecordProvider.file_pattern = '/dev/zero'
"""
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"tf.keras.layers.Dense.kernel_initializer = {LAMBDA}", "object of Keras"),
        (f"RnnFcDecoder.dtype = [{LAMBDA}]", "object of Keras"),
        (f"x = {LAMBDA}\nRnnFcDecoder.dtype = %x", "object of Keras"),
        ("OnlineF0PowerPreprocessor.crepe_saved_model_path = '/dev/zero'", "'/dev/z"),
        ("x = '/x'\nPretrainedCREPE.model_capacity = %x", "model_capacity must be"),
        ("Harmonic.n_samples = 1000000000000", "at most 33554432, got 1e"),
        ("x = -1e300\nHarmonic.n_samples = %x", "at most"),
        ("FcStack.layers = 2000000", "at most 1000"),
        ("x = 30000000\nDilatedConvStack.stacks = %x", "at most 1000"),
        ("x = (%x, %x)\nHarmonic.n_samples = %x", "cannot be read"),
        ("Harmonic.n_samples = " + "(" * 500 + "1" + ",)" * 500, "cannot be read"),
        ("Harmonic.n_samples = '", "cannot be read"),
        ("Harmonic.n_samples = 3 4", "cannot be read"),
        ("Harmonic.n_samples", "cannot be read"),
        ("\x00", "cannot be read"),
        ("x = 1" + "0" * 5000, "cannot be read"),
        ("x = 1\n" * 400_000, "at most 1048576 characters"),
        ("Autoencoder.encoder = @models.Autoencoder()", "does not describe a model"),
        ("get_model.model = 3", "does not describe a model"),
        ("Harmonic.sample_rate = @core.exp_sigmoid()", "does not describe a model"),
        ("Nothing.at_all = @nothing()\nAutoencoder.encoder = @nothing()", "nothing"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(line, message):
    with pytest.raises(ValueError, match=message) as caught:
        build(line)
    assert "\n" not in str(caught.value)
    assert "This" in str(caught.value)


def test_references_that_lead_to_themselves_leave_keras_whole():
    for line in (
        "Autoencoder.encoder = @models.Autoencoder()",
        "x = %y\ny = %x\nAutoencoder.encoder = %x",
    ):
        with pytest.raises(ValueError, match=r"at most 20 deep|recursion"):
            build(line)
    layer = keras.layers.Dense(2)
    layer.build([1, 3])
    assert isinstance(layer.kernel.value, tf.Variable)


def test_references_cannot_multiply():
    """Fifty lines that define 2^50 layers."""
    lines = ["x0 = @nn.Identity()", *(f"x{i + 1} = [%x{i}, %x{i}]" for i in range(50))]
    with pytest.raises(ValueError, match="10000"):
        build("\n".join([*lines, "Autoencoder.encoder = %x50"]))


def test_a_run_without_a_config_that_can_be_read(tmp_path):
    config = tmp_path / "operative_config-1.gin"
    config.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="operative_config-1"):
        loading.from_config(str(config))
    config.unlink()
    config.mkdir()
    with pytest.raises(ValueError, match="operative_config-1"):
        loading.from_config(str(config))


def test_a_model_is_no_larger_than_its_checkpoint(tmp_path):
    """A kernel of 10^7 by 3 * 10^7 values is never allocated."""
    small_run.save_run(tmp_path)
    config = tmp_path / "operative_config-7.gin"
    config.write_text(f"{config.read_text()}\nRnnFcDecoder.rnn_channels = 10000000\n")
    with pytest.raises(ValueError, match="larger model than"):
        models.load(tmp_path)


def test_runs_are_trusted_on_request(evil, tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    small_run.save_run(run)
    config = run / "operative_config-7.gin"
    config.write_text(f"import evil\n{config.read_text()}")
    bundled = run / "bundle"
    for load in (
        models.load,
        lambda path, **trust: timbre_transfer.load_model(str(path), **trust),
        lambda path, **trust: bundle.write(bundled, path, **trust),
    ):
        with pytest.raises(ValueError, match=r"operative_config-7\.gin.*trusted=True"):
            load(run)
        assert not (evil / "ran").exists()
        load(run, trusted=True)
        assert (evil / "ran").exists()
        forget(evil)
    # The recipient of the bundle does not have the module.
    assert "evil" not in (bundled / "config.gin").read_text()
    assert bundle.load(bundled).check() <= 1e-6


def test_ddsp_run_knows_what_its_own_gin_file_imports(evil, tmp_path):
    """Running the command again resumes an interrupted training."""
    (tmp_path / "mine.gin").write_text("import evil")
    (tmp_path / "operative_config-1.gin").write_text(
        "import evil\nHarmonic.n_samples = 640\ntrain.batch_size = 3"
    )

    def parse(*flags):
        gin.clear_config()
        provider = "--gin_param=train.data_provider=@data.TFRecordProvider()"
        with flagsaver.flagsaver():
            ddsp_run.FLAGS(["ddsp_run", provider, *flags])
            ddsp_run.parse_gin(str(tmp_path))
        return gin.query_parameter("train.batch_size")

    with pytest.raises(ValueError, match="--trusted"):
        parse()
    assert not (evil / "ran").exists()
    assert parse(f"--gin_file={tmp_path}/mine.gin") == 3
    forget(evil)
    assert parse("--trusted") == 3
    assert (evil / "ran").exists()
