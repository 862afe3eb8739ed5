"""Gin configs of trained models, also as earlier versions of the original wrote them.

An operative config names classes and parameters as they were called when the model was
trained. What has another name today gets it before gin sees it.
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
# Parameters that went, with the one value that a model can still have, if it matters.
_REMOVED = {
    "DilatedConvDecoder.resample": None,
    "RnnFcDecoder.append_f0_loudness": "True",
    "SpectralLoss.delta_delta_freq_weight": None,
    "SpectralLoss.delta_delta_time_weight": None,
}
# What was so without saying while a class had its former name.
_IMPLIED = {
    # Loudness came with the data, on a scale of 120 dB.
    "DefaultPreprocessor": {
        "F0LoudnessPreprocessor.compute_loudness": "False",
        "F0LoudnessPreprocessor.db_range": "120.0",
    },
    "TrainableReverb": {"Reverb.trainable": "True"},
    "ZRnnFcDecoder": {"RnnFcDecoder.input_keys": "('f0_scaled', 'ld_scaled', 'z')"},
    "RnnFcDecoder": {"RnnFcDecoder.input_keys": "('f0_scaled', 'ld_scaled')"},
}
_OPPOSITE = {"True": "False", "False": "True"}

# The name of a class where a binding begins, or in a reference.
_CLASS = re.compile(
    r"((?:^|@)(?:[\w-]+/)*)((?:\w+\.)*?)([A-Z]\w*)(?=[.()\s,\]]|$)", re.M
)
_BINDING = re.compile(r"(?:[\w-]+/)*(?:\w+\.)*?(\w+\.\w+) *= *(?:\\\s*)?(.*)", re.S)


def parse(path: str, trusted: bool = False, whole_run: bool = False) -> None:
    """Adds the settings of a trained model to gin's; see `configs.parse`.

    Args:
      path: An `operative_config-N.gin`. What it says about things that are not known is
        passed over.
      trusted: Whether it may import modules and name anything that gin knows.
      whole_run: Whether its data and training are to be read too.

    Raises:
      ValueError: If it is no gin config, binds a parameter that a class does not have,
        or does what only a trusted config may.
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
    """A gin config with today's names.

    Args:
      text: A gin config, of this library or of the original in any version.

    Returns:
      The same settings.

    Raises:
      ValueError: If it binds a parameter that is no more, to what no model can have.
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
        # Keras has a layer of that name too.
        module = "processors."
    return f"{start}{module}{_CLASSES.get(name, name)}"


def _statements(text: str) -> Iterator[str]:
    """The statements of a config: further lines of one do not begin with a name."""
    yield from re.split(r"(?m)^(?=[A-Za-z_#])", text)


def _updated_statement(statement: str) -> str:
    match = _BINDING.match(statement)
    if not match:
        return statement
    binding, value = match[1], match[2].strip()
    if binding in _REMOVED:
        if _REMOVED[binding] not in (None, value):
            raise ValueError(
                f"`{binding}` is no more; models can be restored with "
                f"{_REMOVED[binding]} alone, got {value}."
            )
        return ""
    if binding == "Reverb.reverb_only" and value in _OPPOSITE:
        return f"Reverb.add_dry = {_OPPOSITE[value]}\n"
    if binding in _PARAMETERS:
        return statement.replace(binding, _PARAMETERS[binding], 1)
    return statement
