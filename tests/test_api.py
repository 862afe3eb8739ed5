"""Every public name has the original's parameters: names, order and defaults.

New parameters may follow. `parity/api.json` writes a signature as Python would print
it, with the names of functions that are defaults.
"""

import importlib
import inspect
import json
import re
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from ddsp import core, files, losses

API = json.loads((Path(__file__).parent / "parity" / "api.json").read_text())


# What a signature names instead of writing it out.
NAMED = ("exp_sigmoid", "sigmoid", "frequencies_sigmoid", "compute_logmel", "Trainer")


# Of Keras 2, where a class of the original inherited it.
OLD_LAYER_INIT = "(trainable=True, name=None, dtype=None, dynamic=False, **kwargs)"

# Power is no loudness: what both share has a base class of its own.
OTHER_BASES = {"F0PowerPreprocessor": {"F0LoudnessPreprocessor"}}

# Inherited from TensorFlow Probability, where they raise NotImplementedError for hidden
# Markov models.
NEVER_WORKED = {"HmmTranscriber": {"cross_entropy", "kl_divergence"}}


def written(default):
    return default.__name__ if callable(default) else repr(default)


def parameters(function):
    """Parameters as (prefixed name, written default or None), without `self`."""
    prefix = {
        inspect.Parameter.VAR_POSITIONAL: "*",
        inspect.Parameter.VAR_KEYWORD: "**",
    }
    return [
        (
            prefix.get(p.kind, "") + p.name,
            None if p.default is p.empty else written(p.default),
        )
        for p in inspect.signature(function).parameters.values()
        if p.name != "self"
    ]


def stub(text):
    """The parameters of a signature written as text."""
    text = re.sub(r"<class '[\w.]*?(\w+)'>", r"\1", text)
    # A folder of the machine on which the list was made.
    text = text.replace("<default directory>", repr(files.DEFAULT_DIR))
    names: dict = {name: type(name, (), {"__name__": name}) for name in NAMED}
    names["tf"] = tf
    return parameters(eval(f"lambda {text[1:-1]}: 0", names))


def assert_accepts(function, text):
    expected, got = stub(text), parameters(function)
    variadic = [p for p in expected if p[0].startswith("**")]
    fixed = [p for p in expected if not p[0].startswith("**")]
    assert got[: len(fixed)] == fixed
    assert set(variadic) <= set(got)
    for name, default in got[len(fixed) :]:
        assert default is not None or name.startswith("*"), name


FUNCTIONS = [
    pytest.param(module, name[4:], text, id=f"{module}.{name[4:]}")
    for module, names in API.items()
    for name, text in names.items()
    if name.startswith("def ")
]
CLASSES = [
    pytest.param(module, name[6:], description, id=f"{module}.{name[6:]}")
    for module, names in API.items()
    for name, description in names.items()
    if name.startswith("class ")
]


@pytest.mark.parametrize(("module", "name", "text"), FUNCTIONS)
def test_function(module, name, text):
    assert_accepts(getattr(importlib.import_module(module), name), text)


@pytest.mark.parametrize(("module", "name", "description"), CLASSES)
def test_class(module, name, description):
    cls = getattr(importlib.import_module(module), name)
    if issubclass(cls, keras.layers.SpectralNormalization):
        # The original wrote it; Keras has it by now, with a signature of its own.
        return
    if description["init"] not in (None, OLD_LAYER_INIT):
        assert_accepts(cls.__init__, description["init"])
    bases = {c.__name__ for c in cls.__mro__}
    assert set(description["bases"]) - OTHER_BASES.get(name, set()) <= bases
    for method, text in description["methods"].items():
        # Keras 3 calls `build` with shapes named after the arguments of `call`.
        if method not in {"build"} | NEVER_WORKED.get(name, set()):
            assert_accepts(getattr(cls, method), text)
    for name in description["properties"]:
        assert isinstance(inspect.getattr_static(cls, name), property)


def test_losses_of_a_group_are_its_layers():
    loss = losses.SpectralLoss()
    assert losses.LossGroup([(loss, ["a", "b"])]).losses == [loss]


def test_configurable_functions_keep_their_names():
    assert core.exp_sigmoid.__name__ == "exp_sigmoid"
    assert core.exp_sigmoid.__doc__
