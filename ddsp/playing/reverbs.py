"""Reverbs of a trained model: removed, frozen, or extracted."""

import tensorflow as tf

from ddsp import effects, processors


def impulse_response(reverb: effects.Reverb) -> tf.Tensor:
    """Returns the impulse response of a trained reverb; noise in it is drawn anew.

    Args:
      reverb: A reverb with a trained response.

    Returns:
      [n_samples]. The reverb ignores the first sample, the direct sound.

    Raises:
      ValueError: If the reverb takes its response at the call.

    Example:

    >>> from ddsp.playing import reverbs
    >>> group = ddsp.testing.tiny_autoencoder().processor_group
    >>> reverbs.impulse_response(group.reverb).shape
    TensorShape([128])
    """
    return reverb.get_controls(tf.zeros([1, 1]))["ir"][0]


def trained_reverbs(group: processors.ProcessorGroup) -> list[effects.Reverb]:
    """Returns the reverbs of a group whose only input is audio.

    Args:
      group: The processor group of a model.

    Example:

    >>> from ddsp.playing import reverbs
    >>> group = ddsp.testing.tiny_autoencoder().processor_group
    >>> [reverb.name for reverb in reverbs.trained_reverbs(group)]
    ['reverb']
    """
    return [
        getattr(group, name)
        for name, keys, *_ in group.dag
        if isinstance(getattr(group, name), effects.Reverb) and len(keys) == 1
    ]


def without_reverbs(group: processors.ProcessorGroup) -> processors.ProcessorGroup:
    """Returns a group without reverbs, with their inputs connected to their outputs.

    Args:
      group: The processor group of a model; it is not changed.

    Raises:
      ValueError: If the group has only reverbs.

    Example:

    >>> from ddsp.playing import reverbs
    >>> group = ddsp.testing.tiny_autoencoder().processor_group
    >>> reverbs.without_reverbs(group).processor_names
    ['harmonic', 'noise', 'add']
    """
    source: dict[str, str] = {}
    nodes = []
    for name, keys, *rest in group.dag:
        keys = [source.get(key, key) for key in keys]
        if isinstance(getattr(group, name), effects.Reverb):
            source[f"{name}/signal"] = keys[0]
        else:
            nodes.append((getattr(group, name), keys, *rest))
    if not nodes:
        raise ValueError(
            f"`{group.name}` must have other processors than reverbs, got "
            f"{[name for name, *_ in group.dag]}."
        )
    return processors.ProcessorGroup(nodes, name=group.name)


def with_fixed_reverbs(group: processors.ProcessorGroup) -> processors.ProcessorGroup:
    """Returns a group whose trained reverbs have the same response at every call.

    Args:
      group: The processor group of a model; it is not changed.

    Example:

    >>> from ddsp.playing import reverbs
    >>> group = ddsp.testing.tiny_autoencoder().processor_group
    >>> reverbs.with_fixed_reverbs(group).processor_names
    ['harmonic', 'noise', 'add', 'reverb']
    """
    fixed = {reverb.name: _fixed(reverb) for reverb in trained_reverbs(group)}
    nodes = [
        (fixed.get(name, getattr(group, name)), *rest) for name, *rest in group.dag
    ]
    return processors.ProcessorGroup(nodes, name=group.name)


def _fixed(reverb: effects.Reverb) -> effects.Reverb:
    response = impulse_response(reverb)
    fixed = effects.Reverb(
        trainable=True,
        reverb_length=response.shape[0],
        add_dry=reverb.get_config()["add_dry"],
        name=reverb.name,
    )
    fixed.build(None)
    fixed.set_weights([response])
    return fixed
