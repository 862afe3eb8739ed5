"""What the launchers of the programs show."""

import signal
import sys
import types

import gin
import keras
import pytest
import tensorflow as tf
from absl import flags
from absl.testing import flagsaver

from ddsp import program


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
    program._set_help("a_program")
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
    assert program._message(error.value) == "Two axes, got (1, 2, 3)."


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
    message = program._message(caught.value)
    assert message.startswith(f"No gin file binds {unbound}: ")
    assert "\n" not in message


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_ends_in_one_line(monkeypatch, capsys, number, code, changed):
    cleared = []

    def main(argv):
        try:
            signal.raise_signal(number)
        finally:
            # As `timeout` does: to the process, then to its group.
            signal.raise_signal(number)
            cleared.append(True)
            if changed:
                # What C code makes of the exception in the midst of a call.
                raise SystemError("bad argument to internal function")

    handlers = {each: signal.getsignal(each) for each in program._SIGNALS}
    # Tests that run in the background are started with it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(sys, "argv", ["a_program"])
    monkeypatch.setattr(program, "_received_at", float("-inf"))
    monkeypatch.setattr(program, "_received", None)
    monkeypatch.setattr(program, "_set_help", lambda module: None)
    try:
        with flagsaver.flagsaver(), pytest.raises(SystemExit) as stop:
            program.run_main(main)
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
    assert stop.value.code == code and cleared
    assert capsys.readouterr().err == f"stopped by {signal.Signals(number).name}\n"


def test_tensorflows_errors_are_one_line():
    error = tf.errors.PermissionDeniedError(None, None, "a; Read-only\n\t [[graph]]")
    assert program._is_user_error(error)
    assert program._message(error) == "a; Read-only"
