"""Every config of the original exists, parses and builds its objects.

`parity/configs.json` holds the files they include and their bindings, as gin writes
values, with spaces for line breaks.
"""

import json
import os
from pathlib import Path

import gin
import pytest
from gin import config_parser

from ddsp import training
from ddsp.training import gin_files, models
from tests.training.composing import compose

CONFIGS = json.loads(
    (Path(__file__).parents[1] / "parity" / "configs.json").read_text()
)
# Rates and lengths are derived from the data; the original binds default values.
DERIVED = {
    "F0LoudnessPreprocessor.time_steps": "1000",
    "FilteredNoise.n_samples": "64000",
    "Harmonic.n_samples": "64000",
    "Harmonic.sample_rate": "16000",
    "Reverb.reverb_length": "48000",
}
UNRELEASED = "models/midiae/mixins/hmm_prior.gin"


class Spelled(config_parser.ParserDelegate):
    """Keeps references unchanged."""

    def configurable_reference(self, scoped_configurable_name, evaluate):
        return f"@{scoped_configurable_name}{'()' if evaluate else ''}"

    def macro(self, macro_name):
        return f"%{macro_name}"


def bindings_of(name):
    """Bindings of the original, except those that are derived from the data."""
    bindings = CONFIGS[name]["bindings"]
    return {k: v for k, v in bindings.items() if DERIVED.get(k) != v}


def statements(text):
    """Returns ({binding: value}, [included file])."""
    bindings, includes = {}, []
    for statement in config_parser.ConfigParser(text, Spelled()):
        if isinstance(statement, config_parser.IncludeStatement):
            includes.append(statement.filename)
        else:
            scope, selector, argument = statement[:3]
            key = "/".join(filter(None, [scope, selector]))
            key = f"{key}.{argument}" if argument else key
            assert key not in bindings, f"{key} is bound twice"
            bindings[key] = statement.value
    return bindings, includes


@pytest.mark.parametrize("start", ["", "ddsp", os.path.dirname(training.__file__)])
def test_configs_are_found_where_the_original_has_them(start):
    name = "optimization/base.gin"
    place = f"{start}/../training/gin" if start else "ddsp/training/gin"
    with gin.unlock_config():
        gin.clear_config()
        gin.parse_config_file(f"{place}/{name}")
    assert gin.query_parameter("Trainer.lr_decay_rate") == 0.98
    with pytest.raises(OSError, match=r"training/gin/none\.gin"):
        gin.parse_config_file(f"{place}/none.gin")


def test_all_configs_of_the_original_are_there():
    root = Path(gin_files.config_dir())
    ours = {str(path.relative_to(root)) for path in root.rglob("*.gin")}
    assert len(CONFIGS) == 33
    assert set(CONFIGS) <= ours


@pytest.mark.parametrize("name", CONFIGS)
def test_config_has_the_originals_bindings(name):
    expected, _ = statements(
        "\n".join(f"{key} = {value}" for key, value in bindings_of(name).items())
    )
    text = (Path(gin_files.config_dir()) / name).read_text()
    assert statements(text) == (expected, CONFIGS[name]["include"])


@pytest.mark.parametrize("name", [name for name in CONFIGS if name != UNRELEASED])
def test_config_parses_with_what_it_includes(name):
    compose([name])
    # The last binding wins; bindings of a file follow its includes.
    for key in bindings_of(name):
        if "." in key and not key.startswith(("HmmMidiAutoencoder", "eval_discrete")):
            gin.query_parameter(key)


def test_a_config_of_what_no_release_has_says_so():
    with pytest.raises(ValueError, match=r"hmm_prior.gin'.*HmmPrior"):
        compose(["models/midiae/midiae.gin", UNRELEASED])


@pytest.mark.parametrize(
    "name", [name for name in CONFIGS if name.startswith("models/vst/")]
)
def test_plug_in_config_makes_a_model(name):
    compose([name])
    model = models.get_model()
    bindings = CONFIGS[name]["bindings"]
    assert model.sample_rate == int(bindings["sample_rate"])
    assert model.hop_size == int(bindings["Crop.frame_size"])
    assert str(model.decoder.output_splits) == bindings["RnnFcDecoder.output_splits"]
