"""What the launchers of the programs show."""

import sys
import types

import gin
import keras
import pytest
from absl import flags

from ddsp.training import cli


def test_help_is_that_of_the_program_not_of_its_launcher(monkeypatch):
    module = types.ModuleType("a_program", "Does a thing.")
    monkeypatch.setitem(sys.modules, "a_program", module)
    monkeypatch.setattr(sys.modules["__main__"], "__doc__", "A launcher.")
    monkeypatch.setattr(sys, "argv", ["/bin/a_program"])
    values = flags.FlagValues()
    monkeypatch.setattr(flags, "FLAGS", values)
    flag = flags.Flag(
        flags.ArgumentParser(), flags.ArgumentSerializer(), "thing", None, "Which."
    )
    flags.DEFINE_flag(flag, values, module_name="a_program")
    cli._help_of("a_program")
    assert sys.modules["__main__"].__doc__ == "Does a thing."
    assert "--thing: Which." in values.main_module_help()


def test_an_error_in_a_layer_is_its_message_alone():
    class Picky(keras.layers.Layer):
        def call(self, x):
            raise ValueError(f"Two axes, got {x.shape}.")

    @gin.configurable("call_picky")
    def call_picky():
        Picky()(keras.ops.zeros([1, 2, 3]))

    with pytest.raises(ValueError, match="Arguments received") as error:
        call_picky()
    assert cli._message(error.value) == "Two axes, got (1, 2, 3)."


@gin.configurable
def trains_on(data=gin.REQUIRED):
    return data


@gin.configurable
def reads(folder):
    return folder


@pytest.mark.parametrize(
    ("call", "error", "unbound"),
    [
        (trains_on, RuntimeError, "trains_on.data"),
        (reads, TypeError, "reads.folder"),
    ],
)
def test_what_no_config_binds_is_named(call, error, unbound):
    with pytest.raises(error) as caught:
        call()
    message = cli._message(caught.value)
    assert message.startswith(f"Nothing binds {unbound}: ")
    assert "\n" not in message
