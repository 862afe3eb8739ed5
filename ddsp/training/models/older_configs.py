"""Gin configs of trained models, including those by earlier versions of the original.

An operative config uses the names that classes and parameters had when the model was
trained. Former names are replaced before gin parses the config.
"""

import re
from collections.abc import Iterator

import tensorflow as tf

from ddsp.training.models import configs

_CLASSES = {
    "Additive": "Harmonic",
    "DefaultPreprocessor": "F0LoudnessPreprocessor",
    "TrainableReverb": "Reverb",
    "ZRnnFcDecoder": "RnnFcDecoder",
}
_PARAMETERS = {
    "FilteredNoise.amp_scale_fn": "FilteredNoise.scale_fn",
    "Harmonic.amp_scale_fn": "Harmonic.scale_fn",
}
# Removed parameters, with the only value that is still supported, if it matters.
_REMOVED = {
    "DilatedConvDecoder.resample": None,
    "RnnFcDecoder.append_f0_loudness": "True",
    "SpectralLoss.delta_delta_freq_weight": None,
    "SpectralLoss.delta_delta_time_weight": None,
}
# Settings that a class implied while it had its former name.
_IMPLIED = {
    # The data included the loudness, with a range of 120 dB.
    "DefaultPreprocessor": {
        "F0LoudnessPreprocessor.compute_loudness": "False",
        "F0LoudnessPreprocessor.db_range": "120.0",
    },
    "TrainableReverb": {"Reverb.trainable": "True"},
    "ZRnnFcDecoder": {"RnnFcDecoder.input_keys": "('f0_scaled', 'ld_scaled', 'z')"},
    "RnnFcDecoder": {"RnnFcDecoder.input_keys": "('f0_scaled', 'ld_scaled')"},
}
_OPPOSITE = {"True": "False", "False": "True"}

# The name of a class, at the start of a binding or in a reference.
_CLASS = re.compile(
    r"((?:^|@)(?:[\w-]+/)*)((?:\w+\.)*?)([A-Z]\w*)(?=[.()\s,\]]|$)", re.M
)
_BINDING = re.compile(r"(?:[\w-]+/)*(?:\w+\.)*?(\w+\.\w+) *= *(?:\\\s*)?(.*)", re.S)


def parse(path: str, trusted: bool = False, whole_run: bool = False) -> None:
    """Parses the config of a trained model; see `configs.parse`.

    Args:
      path: An `operative_config-N.gin`. Settings of unknown classes are ignored.
      trusted: Whether the config may import modules and name anything that gin knows.
      whole_run: Whether to parse the settings of data and training as well.

    Raises:
      ValueError: If the file is not a gin config, binds unknown parameters, or needs to
        be trusted.
      OSError: If it cannot be read.
    """
    source = f"The config {path!r}"
    try:
        with tf.io.gfile.GFile(path) as file:
            text = updated(file.read())
    except (tf.errors.OpError, ValueError) as error:
        raise ValueError(f"{source} cannot be read: {error}") from error
    configs.parse(text, source, trusted, whole_run)


def updated(text: str) -> str:
    """Replaces the former names in a gin config.

    Args:
      text: A gin config, of this library or any version of the original.

    Returns:
      The same settings under today's names.

    Raises:
      ValueError: If it binds a removed parameter to an unsupported value.

    Example:

    >>> from ddsp.training.models import older_configs
    >>> older_configs.updated("Additive.n_samples = 64000")
    'Harmonic.n_samples = 64000'
    """
    names = {match[3] for match in _CLASS.finditer(text)}
    former = names & _CLASSES.keys()
    text = _CLASS.sub(_renamed_class, text)
    if "Additive" in former:
        text = re.sub(r"(?<=['\"])additive(?=['\"/])", "harmonic", text)
    statements = [_updated_statement(statement) for statement in _statements(text)]
    bound = {match[1] for x in statements if (match := _BINDING.match(x))}
    implied = [
        f"\n{binding} = {value}\n"
        for name, bindings in _IMPLIED.items()
        if former and name in names
        for binding, value in bindings.items()
        if binding not in bound
    ]
    return "".join([*statements, *implied])


def _renamed_class(match: re.Match) -> str:
    start, module, name = match.groups()
    if name == "Add" and not module:
        # Keras has a layer of the same name.
        module = "processors."
    return f"{start}{module}{_CLASSES.get(name, name)}"


def _statements(text: str) -> Iterator[str]:
    """Splits a config into statements. Continuation lines do not begin with a name."""
    yield from re.split(r"(?m)^(?=[A-Za-z_#])", text)


def _updated_statement(statement: str) -> str:
    match = _BINDING.match(statement)
    if not match:
        return statement
    binding, value = match[1], match[2].strip()
    if binding in _REMOVED:
        if _REMOVED[binding] not in (None, value):
            raise ValueError(
                f"The removed parameter `{binding}` must be {_REMOVED[binding]}, got "
                f"{value}."
            )
        return ""
    if binding == "Reverb.reverb_only" and value in _OPPOSITE:
        return f"Reverb.add_dry = {_OPPOSITE[value]}\n"
    if binding in _PARAMETERS:
        return statement.replace(binding, _PARAMETERS[binding], 1)
    return statement
