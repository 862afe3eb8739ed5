"""Saving, emptying and restoring gin's global settings.

A model reads gin's settings while it is built, under one lock, and never afterwards;
see `bound_functions`.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import gin

from ddsp._compat import gin_internals

# Held wherever gin's settings are exchanged, or read for a model, so that a thread
# never sees the settings of another thread's model.
LOCK = threading.RLock()


@contextlib.contextmanager
def isolated() -> Iterator[None]:
    """Empties gin's settings inside the block and restores them afterwards.

    Other threads that enter, or that build layers, wait.

    Example:

    >>> import gin
    >>> from ddsp import gin_state
    >>> with gin_state.isolated():
    ...     gin.bind_parameter("Harmonic.n_samples", 640)
    ...     ddsp.synths.Harmonic().n_samples
    640
    >>> ddsp.synths.Harmonic().n_samples
    64000
    """
    with unlocked(), gin.config_scope(None), gin_internals.empty_stores():
        yield


@contextlib.contextmanager
def unlocked() -> Iterator[None]:
    """Allows changes to gin's settings inside the block, even after `gin.finalize`.

    Example:

    >>> import gin
    >>> from ddsp import gin_state
    >>> with gin_state.unlocked():
    ...     gin.config_is_locked()
    False
    """
    with LOCK:
        # gin's own context manager does not lock again after an error.
        unlock = gin.unlock_config()
        unlock.__enter__()
        try:
            yield
        finally:
            unlock.__exit__(None, None, None)


def note_operative(scope: str, selector: str, bound: dict[str, Any]) -> None:
    """Adds bindings to gin's operative config, as gin does for its own calls.

    A model is rebuilt from its operative config, which must be complete.

    Args:
      scope: Scope of the bindings, such as 'loud'.
      selector: Complete name of a class or function, such as 'ddsp.synths.Harmonic'.
      bound: {argument: value}.

    Example:

    >>> import gin
    >>> from ddsp import gin_state
    >>> with gin_state.isolated():
    ...     gin_state.note_operative("", "ddsp.synths.Harmonic", {"n_samples": 640})
    ...     print(gin_state.used_config().strip().splitlines()[-1])
    Harmonic.n_samples = 640
    """
    if bound:
        gin_internals.add_operative(scope, selector, bound)


def used_config() -> str:
    """Returns a gin config of the settings used so far, without imports.

    Example:

    >>> from ddsp import gin_state
    >>> with gin_state.isolated():
    ...     gin_state.used_config().strip()
    ''
    """
    with gin_internals.without_imports():
        return gin.operative_config_str() + "\n"
