"""Sinusoids in float64 with their gradients, and how large a graph's tensors are."""

import numpy as np

SAMPLE_RATE = 16000


def raised_cosine(hop):
    return 0.5 - 0.5 * np.cos(np.pi * np.arange(hop) / hop)


def line(hop):
    return np.arange(hop) / hop


RAMPS = {"window": raised_cosine, "linear": line}


def between(frames, ramp):
    """[n_frames, channels] to samples, along a ramp; the last frame is held."""
    following = np.concatenate([frames[1:], frames[-1:]])
    step = (following - frames)[:, np.newaxis] * ramp[:, np.newaxis]
    return (frames[:, np.newaxis] + step).reshape(-1, frames.shape[-1])


def gathered(samples, ramp):
    """The transpose of `between`: what every frame gives to the samples."""
    parts = samples.reshape(-1, len(ramp), samples.shape[-1])
    own = np.sum(parts * (1 - ramp)[:, np.newaxis], axis=1)
    following = np.sum(parts * ramp[:, np.newaxis], axis=1)
    own[1:] += following[:-1]
    own[-1] += following[-1]
    return own


def oracle(hz, amplitudes, hop, method, upstream):
    """Audio in float64, and the gradients of its product with `upstream`."""
    hz, amplitudes = hz.astype(np.float64), amplitudes.astype(np.float64)
    envelope, ramp = between(hz, line(hop)), RAMPS[method](hop)
    heard = between(amplitudes, ramp) * (envelope < SAMPLE_RATE / 2)
    phase = np.cumsum(envelope, axis=0) * 2 * np.pi / SAMPLE_RATE
    audio = np.sum(heard * np.sin(phase), axis=1)
    audible = upstream[:, np.newaxis] * (envelope < SAMPLE_RATE / 2)
    d_phase = upstream[:, np.newaxis] * heard * np.cos(phase)
    d_envelope = np.cumsum(d_phase[::-1], axis=0)[::-1] * 2 * np.pi / SAMPLE_RATE
    d_amplitudes = gathered(audible * np.sin(phase), ramp)
    return audio, gathered(d_envelope, line(hop)), d_amplitudes


def largest_tensor(graph):
    """Elements of the largest tensor in a graph and in the functions it calls."""
    functions = [f.graph for f in graph._functions.values()]
    operations = [op for g in [graph, *functions] for op in g.get_operations()]
    shapes = [output.shape for op in operations for output in op.outputs]
    return max(s.num_elements() or 0 for s in shapes if s.rank is not None)
