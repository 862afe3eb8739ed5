"""Private parts of gin.

gin keeps its state in module-level dictionaries. Its public functions add to them or
clear them, but cannot save and restore them.
"""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import gin

# {(scope, selector): {argument: value}}.
Settings: TypeAlias = dict[tuple[str, str], dict[str, Any]]

_STORES = ("_CONFIG", "_SINGLETONS", "_IMPORTS", "_OPERATIVE_CONFIG")

# A reference to something that gin does not know.
#
# Why: gin's own parser puts these in place of names that it skips, and `gin.finalize`
# complains about them. `configs` parses statement by statement and must do the same.
# Known to work: gin-config 0.5.0.
# Without it: configs that name unknown layers cannot be parsed.
UnknownReference = gin.config._UnknownConfigurableReference


def settings() -> Settings:
    """Returns the bindings in effect. Changes to the dictionary take effect.

    Why: `gin.get_bindings` needs the name of one configurable, and `gin.config_str`
    returns text.
    Known to work: gin-config 0.5.0.
    Without it: rates cannot be shared between layers, and configs from others cannot
    be checked.
    """
    return gin.config._CONFIG


def operative(scope: str, selector: str) -> dict[str, Any]:
    """Returns the bindings of one configurable that were used so far.

    Why: the public `gin.operative_config_str` returns text.
    Known to work: gin-config 0.5.0.
    Without it: saved configs lack the rates that layers derive.
    """
    with gin.config._OPERATIVE_CONFIG_LOCK:
        return dict(gin.config._OPERATIVE_CONFIG.get((scope, selector), {}))


def add_operative(scope: str, selector: str, bindings: dict[str, Any]) -> None:
    """Marks bindings as used, as gin does when it calls a configurable.

    Why: layers are registered, not made configurable, so gin does not see them being
    built.
    Known to work: gin-config 0.5.0.
    Without it: `gin.operative_config_str` lacks the layers, and saved runs cannot be
    loaded.
    """
    with gin.config._OPERATIVE_CONFIG_LOCK:
        used = gin.config._OPERATIVE_CONFIG
        used.setdefault((scope, selector), {}).update(bindings)


@contextlib.contextmanager
def empty_stores() -> Iterator[None]:
    """Empties gin's state inside the block and restores it afterwards.

    Why: the public `gin.clear_config` cannot be undone.
    Known to work: gin-config 0.5.0.
    Without it: loading a model would change the program's own settings.
    """
    stores = [getattr(gin.config, name) for name in _STORES]
    saved = [store.copy() for store in stores]
    _replace(stores, [()] * len(stores))
    try:
        yield
    finally:
        _replace(stores, saved)


@contextlib.contextmanager
def without_imports() -> Iterator[None]:
    """Hides the modules that configs imported, so that saved configs do not name them.

    Why: `gin.operative_config_str` has no option for this.
    Known to work: gin-config 0.5.0.
    Without it: bundles would import modules of the program that wrote them.
    """
    imports = gin.config._IMPORTS
    saved = imports.copy()
    imports.clear()
    try:
        yield
    finally:
        imports.update(saved)


def _replace(stores: list[Any], contents: list[Any]) -> None:
    with gin.config._OPERATIVE_CONFIG_LOCK:
        for store, content in zip(stores, contents, strict=True):
            store.clear()
            store.update(content)


def matching_selectors(selector: str) -> list[str]:
    """Lists the full names of the configurables whose names end in `selector`.

    Why: `gin.get_configurable` raises where there are several, without their names.
    Known to work: gin-config 0.5.0.
    Without it: layers of this library cannot take precedence over others of the same
    name.
    """
    return gin.config._REGISTRY.matching_selectors(selector)


def find_configurable(function: Callable) -> gin.config.Configurable | None:
    """Returns gin's entry for a function, or None if gin does not configure it.

    Why: `gin.get_configurable` returns the function that reads gin's bindings, but
    neither its name nor the plain function behind it.
    Known to work: gin-config 0.5.0.
    Without it: layers would read gin's bindings at every call.
    """
    return gin.config._inverse_lookup(function)


def split_scope(function: Callable) -> tuple[list[str], Callable]:
    """Splits a reference such as `@loud/core.exp_sigmoid` into scopes and function.

    Why: gin returns a closure that enters the scopes; they have no public name.
    Known to work: gin-config 0.5.0.
    Without it: layers would ignore the bindings of a scope.

    Args:
      function: Any function of Python.

    Returns:
      The scopes, outermost first, empty for other functions; and the function.
    """
    if function.__code__.co_name != "scoping_wrapper":
        return [], function
    variables = inspect.getclosurevars(function).nonlocals
    return variables["scope_components"], variables["fn_or_cls"]
