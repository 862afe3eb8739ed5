"""The parts of a model that plug-ins know: harmonics, noise, and what feeds them."""

import dataclasses
from typing import Any

from ddsp import synths
from ddsp.training import models


@dataclasses.dataclass(frozen=True)
class Voice:
    """Harmonics and filtered noise of a model.

    Attributes:
      harmonic: The synthesizer of harmonics.
      harmonic_keys: Keys of its inputs.
      noise: The synthesizer of noise.
      noise_keys: Keys of its inputs.
      n_harmonics: Number of harmonics.
      n_noise: Number of bands of the noise's filter.
    """

    harmonic: synths.Harmonic
    harmonic_keys: tuple[str, ...]
    noise: synths.FilteredNoise
    noise_keys: tuple[str, ...]
    n_harmonics: int
    n_noise: int


def find_voice(model: models.Autoencoder) -> Voice:
    """The voice of a model.

    Args:
      model: It need not be built.

    Raises:
      ValueError: If it does not have one `synths.Harmonic` and one
        `synths.FilteredNoise`, fed by its decoder.
    """
    harmonic, harmonic_keys = _find(model, synths.Harmonic)
    noise, noise_keys = _find(model, synths.FilteredNoise)
    sizes = dict(model.decoder.output_splits)
    shares, magnitudes = harmonic_keys[1], noise_keys[0]
    for key in (shares, magnitudes):
        if key not in sizes:
            raise ValueError(
                f"The decoder of a model for plug-ins must give '{key}', which its "
                f"synthesizers take; got {model.decoder.output_splits}."
            )
    return Voice(
        harmonic, harmonic_keys, noise, noise_keys, sizes[shares], sizes[magnitudes]
    )


def _find(model: models.Autoencoder, kind: type) -> tuple[Any, tuple[str, ...]]:
    group = model.processor_group
    found = [
        (getattr(group, name), keys)
        for name, keys, *_ in group.dag
        if isinstance(getattr(group, name), kind)
    ]
    if len(found) != 1:
        names = [type(processor).__name__ for processor in group.processors]
        raise ValueError(
            f"A model for plug-ins must have one {kind.__name__}, got {names}."
        )
    return found[0]
