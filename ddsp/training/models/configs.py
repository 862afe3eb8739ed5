"""Parsing of untrusted gin configs, without running what they name.

The config of a model may come from anyone. gin imports the modules that it lists and
builds any class that it names, and Keras has classes that load and run code. Here the
statements are parsed one by one, and only what is known to be harmless is evaluated.
"""

import contextlib
import re
import sys
import tokenize
from collections.abc import Iterator
from typing import Any

import gin
from gin import config_parser

from ddsp._compat import gin_internals
from ddsp._crepe.weights import MODEL_SIZES

# Modules of the parts of a model. None of them opens files, except for `_TRACKERS`.
_MODEL_MODULES = (
    "ddsp.core",
    "ddsp.dags",
    "ddsp.effects",
    "ddsp.losses",
    "ddsp.processors",
    "ddsp.spectral_ops",
    "ddsp.synths",
    "ddsp.training.decoders",
    "ddsp.training.encoders",
    "ddsp.training.models",
    "ddsp.training.nn",
    "ddsp.training.preprocessing",
)
# These classes open models by their path.
_NEVER = "ddsp.playing"
_OWN, _KERAS, _MACRO = "ddsp", "tf.keras", "gin.macro"

# Layers that depend only on their inputs and weights. Others run code (`Lambda`), load
# models (`TFSMLayer`) or read files (vocabularies).
_KERAS_LAYERS = frozenset(
    """
    Activation Add Average AveragePooling1D AveragePooling2D BatchNormalization
    Bidirectional Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Dense
    DepthwiseConv1D Dropout ELU Embedding Flatten GRU GRUCell GaussianNoise
    GlobalAveragePooling1D GlobalAveragePooling2D GroupNormalization Identity LSTM
    LSTMCell LayerNormalization LeakyReLU MaxPooling1D MaxPooling2D Maximum Minimum
    MultiHeadAttention Multiply PReLU Permute RNN ReLU RepeatVector Reshape
    SeparableConv1D Sequential SimpleRNN Softmax Subtract TimeDistributed UpSampling1D
    UpSampling2D ZeroPadding1D ZeroPadding2D
    """.split()  # noqa: SIM905
)

_TRUST = "To allow it for a config that you trust: trusted=True, in commands --trusted"
# Keys of dictionaries in which Keras describes an object of any module.
_KERAS_OBJECT = {"class_name", "registered_name", "module"}
# Arguments that hold the size or the path of a pitch tracker's weights.
_TRACKERS = {"crepe_saved_model_path", "model_capacity"}
# Far above all sizes in use: 11 minutes of audio at 48 kHz.
_LARGEST_NUMBER = 2**25
# Numbers of layers, which are created before their variables can be counted.
_COUNTS = re.compile("layers|stacks|n_rnn")
_MOST_LAYERS = 1000
_MOST_CHARACTERS = 2**20
_MOST_OBJECTS = 10_000
_DEEPEST = 20

# Errors of gin's parser and Python's tokenizer for damaged text.
_PARSER_ERRORS = (
    ValueError,
    TypeError,
    SyntaxError,
    LookupError,
    AttributeError,
    RecursionError,
    MemoryError,
    StopIteration,
    AssertionError,
    tokenize.TokenError,
)


def parse(
    text: str, source: str, trusted: bool = False, whole_run: bool = False
) -> None:
    """Parses a gin config without building what it names.

    Ambiguous names refer to this library. Settings of unknown classes are ignored, as
    are those of data and training unless `whole_run` is set.

    Args:
      text: A gin config.
      source: Subject of error messages, such as 'The config x.gin'.
      trusted: Whether the config may import modules and name anything that gin knows.
      whole_run: Whether to parse the settings of data and training as well. Imports of
        modules that are loaded already are then ignored.

    Raises:
      ValueError: If the text is not a gin config, or needs to be trusted and is not.

    Example:

    >>> import gin
    >>> from ddsp import gin_state
    >>> from ddsp.training.models import configs
    >>> with gin_state.isolated():
    ...     configs.parse("Harmonic.n_samples = 640", "This config")
    ...     gin.query_parameter("Harmonic.n_samples")
    640
    >>> configs.parse("import antigravity", "This config")
    Traceback (most recent call last):
    ValueError: This config cannot be read: it imports a module, which runs it, got ...
    """
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(
            f"{source} cannot be read: it must have at most {_MOST_CHARACTERS} "
            f"characters, got {len(text)}."
        )
    try:
        if trusted and "__gin__" in text:
            # Features of gin's own parser.
            gin.parse_config(text, skip_unknown=True)
        elif trusted:
            _parse(text, _Names())
        else:
            _parse(text, _SafeNames(whole_run))
    except (*_PARSER_ERRORS, ImportError, OSError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{source} cannot be read: {message}") from error


def check_references(source: str) -> None:
    """Refuses settings that name what only a trusted config may.

    Separate from `parse`, so that a setting can be overridden first.

    Args:
      source: Subject of error messages, such as 'The config x.gin'.

    Raises:
      ValueError: If a setting needs to be trusted.

    Example:

    >>> from ddsp import gin_state
    >>> from ddsp.training.models import configs
    >>> with gin_state.isolated():
    ...     configs.parse("Harmonic.scale_fn = @tf.keras.layers.Lambda", "It")
    ...     configs.check_references("It")
    Traceback (most recent call last):
    ValueError: It is refused: ddsp.synths.Harmonic.scale_fn may not name @tf.keras...
    """
    for (_, selector), bindings in gin_internals.settings().items():
        for argument, value in bindings.items():
            for x in _flattened(value):
                # A macro may be used for data or training only.
                if isinstance(x, _Refused) and selector != _MACRO:
                    raise ValueError(
                        f"{source} is refused: {selector}.{argument} may not name "
                        f"@{x.selector}, {x.reason}"
                    )


class _Names(config_parser.ParserDelegate):
    """Resolves the names in a config, and decides what it may do."""

    def __init__(self) -> None:
        self._built = 0
        self._depth = 0

    def configurable_reference(self, scoped_selector: str, evaluate: bool) -> Any:
        *scopes, selector = scoped_selector.split("/")
        full_name = find(selector)
        if full_name is None:
            return gin_internals.UnknownReference(scoped_selector, evaluate)
        if not self.allows(full_name):
            return _Refused(scoped_selector, evaluate)
        return _Reference("/".join([*scopes, full_name]), evaluate, self)

    def macro(self, name: str) -> Any:
        reference = gin.config.ParserDelegate().macro(name)
        return _Reference(reference.scoped_selector, True, self)

    @contextlib.contextmanager
    def building(self, name: str) -> Iterator[None]:
        """Counts objects, since references can multiply or be circular.

        Python's own limit on recursion would leave scopes of Keras open.
        """
        self._built += 1
        self._depth += 1
        try:
            if self._built > _MOST_OBJECTS or self._depth > _DEEPEST:
                raise ValueError(
                    f"A config may build at most {_MOST_OBJECTS} objects, nested at "
                    f"most {_DEEPEST} deep, got more at @{name}."
                )
            yield
        finally:
            self._depth -= 1

    def allows(self, full_name: str) -> bool:
        """Whether a configurable may be bound and referred to."""
        return True

    def check_value(self, full_name: str, argument: str, value: Any) -> None:
        """Refuses a value that may not be bound, after everything is parsed."""

    def run(self, statement: Any) -> None:
        """Imports a module, or includes another config."""
        if isinstance(statement, config_parser.ImportStatement):
            gin.parse_config(statement.format(), skip_unknown=True)
        else:
            gin.parse_config_file(statement.filename, skip_unknown=True)


class _SafeNames(_Names):
    """Resolves only names that can neither run code nor open files."""

    def __init__(self, whole_run: bool):
        super().__init__()
        self._whole_run = whole_run

    def allows(self, full_name: str) -> bool:
        if _is_within(full_name, _OWN):
            if self._whole_run:
                return not _is_within(full_name, _NEVER)
            return any(_is_within(full_name, module) for module in _MODEL_MODULES)
        if _is_within(full_name, _KERAS):
            return full_name.rpartition(".")[2] in _KERAS_LAYERS
        # Part of gin, or registered by the running program.
        return True

    def check_value(self, full_name: str, argument: str, value: Any) -> None:
        if self._whole_run:
            return
        name = f"{full_name}.{argument}"
        if argument in _TRACKERS and value not in (None, *MODEL_SIZES):
            raise ValueError(
                f"{name} must be one of {list(MODEL_SIZES)}, got {value!r}. {_TRUST}."
            )
        largest = _MOST_LAYERS if _COUNTS.search(argument) else _LARGEST_NUMBER
        for n_parts, x in enumerate(_flattened(value, follow_macros=True)):
            if isinstance(x, dict) and _KERAS_OBJECT & x.keys():
                raise ValueError(
                    f"{name} may not describe an object of Keras, got {x}. {_TRUST}."
                )
            if isinstance(x, int | float) and abs(x) > largest:
                raise ValueError(
                    f"{name} must be at most {largest}, got {x:.6g}. {_TRUST}."
                )
            if n_parts > _MOST_OBJECTS:
                raise ValueError(
                    f"{name} may have at most {_MOST_OBJECTS} parts, got more."
                )

    def run(self, statement: Any) -> None:
        if isinstance(statement, config_parser.IncludeStatement):
            raise ValueError(
                f"it includes another file, got {statement.filename!r}. {_TRUST}."
            )
        known = self._whole_run and statement.module in sys.modules
        if not known and statement.module.split(".")[0] != _OWN:
            raise ValueError(
                f"it imports a module, which runs it, got {statement.module!r}. "
                f"{_TRUST}."
            )


class _Reference(gin.config.ConfigurableReference):
    """A reference that counts the objects it builds."""

    def __init__(self, scoped_selector: str, evaluate: bool, names: _Names):
        self._names = names
        super().__init__(scoped_selector, evaluate)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        with self._names.building(self.scoped_selector):
            return super().__deepcopy__(memo)

    def __eq__(self, other: object) -> bool:
        # gin parses a reference again and compares the two before it writes one.
        return (
            isinstance(other, gin.config.ConfigurableReference)
            and self.configurable == other.configurable
            and self.evaluate == other.evaluate
        )

    __hash__ = gin.config.ConfigurableReference.__hash__


class _Refused(gin_internals.UnknownReference):
    """A reference that only a trusted config may contain; see `check_references`."""

    reason = f"which could run or read anything. {_TRUST}."

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        raise ValueError(f"It may not name @{self.selector}, {self.reason}")


def find(selector: str) -> str | None:
    """Finds a configurable by the end of its name.

    Args:
      selector: A name such as 'synths.Harmonic'. This library takes precedence.

    Returns:
      The full name, such as 'ddsp.synths.Harmonic', or None if there is none.

    Raises:
      ValueError: If the name is ambiguous.

    Example:

    >>> from ddsp.training.models import configs
    >>> configs.find("Harmonic")
    'ddsp.synths.Harmonic'
    """
    found = gin_internals.matching_selectors(selector)
    own = [name for name in found if _is_within(name, _OWN)]
    best = own or found
    if len(best) > 1:
        raise ValueError(f"The name {selector} must be unique, got {best}.")
    return best[0] if best else None


def _parse(text: str, names: _Names) -> None:
    parser = config_parser.ConfigParser(text, names)
    bound = []
    while (statement := parser.parse_statement()) is not None:
        if isinstance(statement, config_parser.BindingStatement):
            bound += _bind(statement, names)
        elif not isinstance(statement, config_parser.BlockDeclaration):
            names.run(statement)
    for binding in bound:
        names.check_value(*binding)


def _bind(
    statement: config_parser.BindingStatement, names: _Names
) -> list[tuple[str, str, Any]]:
    """Binds a value; returns (name, argument, value), nothing for a macro."""
    scope, selector, argument, value, _ = statement
    if not argument:
        macro = f"{scope}/{selector}" if scope else selector
        gin.bind_parameter((macro, _MACRO, "value"), value)
        return []
    full_name = find(selector)
    if full_name is None or not names.allows(full_name):
        return []
    gin.bind_parameter((scope, full_name, argument), value)
    return [(full_name, argument, value)]


def _flattened(value: Any, *, follow_macros: bool = False) -> Iterator[Any]:
    """Yields a value and everything in it, also by macros if wanted."""
    yield value
    contents: Any = ()
    if isinstance(value, gin.config.ConfigurableReference):
        if follow_macros and value.config_key[1] == _MACRO:
            contents = gin_internals.settings().get(value.config_key, {}).values()
    elif isinstance(value, dict):
        contents = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple):
        contents = value
    for x in contents:
        yield from _flattened(x, follow_macros=follow_macros)


def _is_within(full_name: str, module: str) -> bool:
    return full_name.startswith(f"{module}.")
