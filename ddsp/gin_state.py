"""Gin's global settings, set aside and put back.

Gin keeps its settings in global dictionaries, without a public way to set aside what
was parsed and used so far. A model reads them while it is built, under one lock, and
never after; see `bound_functions`.
"""

import contextlib
import threading
from collections.abc import Iterator

import gin

# Held wherever gin's settings are exchanged or read for a model, so that a thread never
# sees those of another thread's model.
LOCK = threading.RLock()

_STORES = ("_CONFIG", "_SINGLETONS", "_IMPORTS", "_OPERATIVE_CONFIG")


@contextlib.contextmanager
def isolated() -> Iterator[None]:
    """Inside, gin has no settings; afterwards, exactly those of before.

    Other threads that enter, or that build layers, wait.
    """
    stores = [getattr(gin.config, name) for name in _STORES]
    with unlocked(), gin.config_scope(None):
        saved = [store.copy() for store in stores]
        _replace(stores, [()] * len(stores))
        try:
            yield
        finally:
            _replace(stores, saved)


@contextlib.contextmanager
def unlocked() -> Iterator[None]:
    """Inside, gin's settings can be changed, also after `gin.finalize`."""
    with LOCK:
        locked = gin.config.config_is_locked()
        gin.config._set_config_is_locked(False)
        try:
            yield
        finally:
            gin.config._set_config_is_locked(locked)


def _replace(stores, contents) -> None:
    with gin.config._OPERATIVE_CONFIG_LOCK:
        for store, content in zip(stores, contents, strict=True):
            store.clear()
            store.update(content)


def note_operative(scope: str, selector: str, bound: dict) -> None:
    """Adds bindings to gin's operative config, as gin does where it calls by itself.

    A model is built from its operative config again: without them it would be another.
    """
    if bound:
        with gin.config._OPERATIVE_CONFIG_LOCK:
            used = gin.config._OPERATIVE_CONFIG
            used.setdefault((scope, selector), {}).update(bound)


def used_config() -> str:
    """A gin config of what was used so far, without the modules that were imported."""
    imported = gin.config._IMPORTS.copy()
    gin.config._IMPORTS.clear()
    try:
        return gin.operative_config_str() + "\n"
    finally:
        gin.config._IMPORTS.update(imported)
