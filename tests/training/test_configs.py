"""Configs have the bindings of the original's, and are installed with the package.

`parity/configs.json` holds them as gin writes values, with spaces for line breaks.
"""

import json
from pathlib import Path

import gin
import pytest

from ddsp.training import models, train_util

BINDINGS = json.loads(
    (Path(__file__).parents[1] / "parity" / "configs.json").read_text()
)


def parsed(text):
    """{name: value as gin prints it} of a config."""
    gin.clear_config()
    gin.parse_config(text)
    lines = gin.config_str(max_line_length=10_000).splitlines()
    pairs = [x.split(" = ", 1) for x in lines if x and not x.startswith("#")]
    gin.clear_config()
    return dict(pairs)


@pytest.mark.parametrize("name", BINDINGS)
def test_config_has_the_originals_bindings(name):
    assert not BINDINGS[name]["include"]
    macros = {"frame_rate", "frame_size", "sample_rate", "n_samples"}
    expected = "\n".join(
        f"{key} = {value}" for key, value in BINDINGS[name]["bindings"].items()
    )
    text = (Path(train_util.config_dir()) / name).read_text()
    ours = parsed(text)
    assert macros <= set(ours)
    assert ours == parsed(expected)


@pytest.mark.parametrize("name", BINDINGS)
def test_config_makes_a_model(name):
    gin.parse_config((Path(train_util.config_dir()) / name).read_text())
    model = models.get_model()
    bindings = BINDINGS[name]["bindings"]
    assert model.sample_rate == int(bindings["sample_rate"])
    assert model.hop_size == int(bindings["Crop.frame_size"])
    assert str(model.decoder.output_splits) == bindings["RnnFcDecoder.output_splits"]
