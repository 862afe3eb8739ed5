"""Reverbs of a trained model: left out, held fixed, or taken by themselves."""

import tensorflow as tf

from ddsp import effects, processors


def impulse_response(reverb: effects.Reverb) -> tf.Tensor:
    """The response that a trained reverb has learned; noise in it is drawn anew.

    Args:
      reverb: One that is trained, not given its response at the call.

    Returns:
      [n_samples]. The first sample, the direct sound, is not heard.

    Raises:
      ValueError: If its response is given at the call.
    """
    return reverb.get_controls(tf.zeros([1, 1]))["ir"][0]


def trained_reverbs(group: processors.ProcessorGroup) -> list[effects.Reverb]:
    """The reverbs of a group that are given nothing but audio.

    Args:
      group: The processor group of a model.
    """
    return [
        getattr(group, name)
        for name, keys, *_ in group.dag
        if isinstance(getattr(group, name), effects.Reverb) and len(keys) == 1
    ]


def without_reverbs(group: processors.ProcessorGroup) -> processors.ProcessorGroup:
    """The same processors but for reverbs: what fed them feeds what they fed.

    Args:
      group: Not changed.

    Raises:
      ValueError: If nothing is left.
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
            f"Without reverbs nothing is left of '{group.name}', got only "
            f"{[name for name, *_ in group.dag]}."
        )
    return processors.ProcessorGroup(nodes, name=group.name)


def with_fixed_reverbs(group: processors.ProcessorGroup) -> processors.ProcessorGroup:
    """The same processors, but trained reverbs have one response at every call.

    Args:
      group: Not changed.
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
