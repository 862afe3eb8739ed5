"""Made-up notes: random controls of a harmonic and a noise synthesizer.

Their pitch is known, so a model can learn to find it before it hears recordings, as in
Engel et al., "Self-supervised Pitch Detection by Inverse Audio Synthesis" (ICML 2020
workshop).
"""

import dataclasses

import numpy as np

from ddsp import core
from ddsp._core import checks

# Of the pitch, MIDI; C1 to C6, what most instruments play.
_LOWEST, _HIGHEST = 24.0, 84.0
_VIBRATO_HZ = (3.0, 8.0)
_VIBRATO_SEMITONES = 1.0
_GLIDE_SEMITONES = 2.0
_JITTER_SEMITONES = 0.05
# Peaks of the spectral envelopes, and how much of the range one covers.
_MAX_RESONANCES = 6
_RESONANCE_WIDTH = (0.02, 0.3)


@dataclasses.dataclass(frozen=True)
class NoteSettings:
    """What synthetic notes are like.

    Attributes:
      n_timesteps: Frames in an example.
      n_harmonics: Harmonics, and as many sinusoids.
      n_mags: Bands of the noise.
      sample_rate: Samples per second; harmonics above half of it are left out.
      example_secs: What an example lasts, seconds: 4 s in 125 frames are 31.25 frames
        a second.
      min_note_length: Of a note, frames, >= 1. The last one of an example is cut off.
      max_note_length: Of a note, frames.
      p_silent: Share of the notes that are rests, with noise alone, 0 to 1.
      p_vibrato: Share of the notes with vibrato, 0 to 1.

    Raises:
      ValueError: If a setting is out of range.
    """

    n_timesteps: int = 125
    n_harmonics: int = 100
    n_mags: int = 65
    sample_rate: int = 16000
    example_secs: float = 4.0
    min_note_length: int = 5
    max_note_length: int = 25
    p_silent: float = 0.1
    p_vibrato: float = 0.5

    def __post_init__(self):
        for name, value in dataclasses.asdict(self).items():
            if name.startswith("p_"):
                if not 0.0 <= value <= 1.0:
                    raise ValueError(f"`{name}` must be from 0 to 1, got {value}.")
            else:
                checks.positive(name, value)
        if self.min_note_length > self.max_note_length:
            raise ValueError(
                "`min_note_length` must not exceed `max_note_length`, got "
                f"{self.min_note_length} and {self.max_note_length}."
            )

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.n_timesteps / self.example_secs


def generate_notes(
    seed: int, index: int, settings: NoteSettings
) -> dict[str, np.ndarray]:
    """Makes one example of a data set, the same whenever and wherever it is made.

    One note follows the other. Each has a pitch that may glide and vibrate, a level
    that changes in the shape of an attack, a decay and a release, and spectral
    envelopes of its harmonics and of noise that change from its start to its end.

    Args:
      seed: Of the data set, >= 0.
      index: Of the example in it, >= 0.
      settings: What the notes are like.

    Returns:
      Controls as synthesizers take them, float32: `f0_hz` [n_timesteps, 1], Hz, 0 in
      rests; `harm_amp` [n_timesteps, 1], 0 to 1; `harm_dist` [n_timesteps,
      n_harmonics], of sum 1; `sin_amps` and `sin_freqs` (Hz) [n_timesteps,
      n_harmonics], the same sound as sinusoids; `noise_magnitudes` [n_timesteps,
      n_mags], linear.
    """
    rng = np.random.default_rng([seed, index])
    notes = [_note(rng, length, settings) for length in _note_lengths(rng, settings)]
    f0_midi, amplitude, harmonics, noise = (
        np.concatenate(parts)[np.newaxis].astype(np.float32)
        for parts in zip(*notes, strict=True)
    )
    f0_hz = core.midi_to_hz(f0_midi, midi_zero_silence=True)
    distribution = core.normalize_harmonics(harmonics, f0_hz, settings.sample_rate)
    sin_amps, sin_freqs = core.harmonic_to_sinusoidal(
        amplitude, distribution, f0_hz, settings.sample_rate
    )
    controls = {
        "f0_hz": f0_hz,
        "harm_amp": amplitude,
        "harm_dist": distribution,
        "sin_amps": sin_amps,
        "sin_freqs": sin_freqs,
        "noise_magnitudes": noise,
    }
    return {name: np.asarray(value)[0] for name, value in controls.items()}


def _note_lengths(rng: np.random.Generator, settings: NoteSettings) -> list[int]:
    lengths: list[int] = []
    left = settings.n_timesteps
    while left > 0:
        drawn = rng.integers(
            settings.min_note_length, settings.max_note_length, endpoint=True
        )
        lengths.append(min(int(drawn), left))
        left -= lengths[-1]
    return lengths


def _note(
    rng: np.random.Generator, length: int, settings: NoteSettings
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pitch (MIDI, 0 in rests), amplitude, harmonics and noise, [length, channels]."""
    sounding = rng.random() >= settings.p_silent
    pitch = _pitch(rng, length, settings)
    level_db = _level(rng, length)
    harmonics = _spectra(rng, length, settings.n_harmonics)
    noise_db = rng.uniform(-90.0, -20.0) + rng.uniform(-1.0, 1.0, [length, 1])
    noise = _gain(noise_db) * _spectra(rng, length, settings.n_mags)
    return pitch * sounding, _gain(level_db) * sounding, harmonics, noise


def _pitch(rng: np.random.Generator, length: int, settings: NoteSettings) -> np.ndarray:
    frames = np.arange(length)[:, np.newaxis]
    seconds = frames / settings.frame_rate
    pitch = rng.uniform(_LOWEST, _HIGHEST) + _JITTER_SEMITONES * (
        rng.uniform() * rng.standard_normal([length, 1])
    )
    if rng.random() < settings.p_vibrato:
        depth = _VIBRATO_SEMITONES * _blend(rng, length, rng.random(), rng.random())
        rate, phase = rng.uniform(*_VIBRATO_HZ), rng.uniform(0.0, 2.0 * np.pi)
        pitch = pitch + depth * np.sin(2.0 * np.pi * rate * seconds + phase)
    else:
        glide = rng.uniform(-_GLIDE_SEMITONES, _GLIDE_SEMITONES)
        pitch = pitch + _blend(rng, length, glide * rng.random() ** 3, 0.0)
    return np.clip(pitch, _LOWEST - 2.0, _HIGHEST + 2.0)


def _level(rng: np.random.Generator, length: int) -> np.ndarray:
    """Attack, decay or swell, and release, dB below full scale."""
    peak_db = rng.uniform(-30.0, 0.0)
    attack, release = rng.uniform(0.0, 0.3, 2)
    times = [0.0, attack, 1.0 - release, 1.0]
    levels = [
        peak_db - rng.uniform(0.0, 40.0),
        peak_db,
        peak_db - rng.uniform(0.0, 20.0),
        peak_db - rng.uniform(20.0, 60.0),
    ]
    # Half the notes run into the next one, as if they were slurred.
    if rng.random() < 0.5:
        levels[0] = levels[1]
        levels[3] = levels[2]
    envelope = np.interp(np.linspace(0.0, 1.0, length), times, levels)
    shimmer = rng.uniform(0.0, 0.5) * rng.standard_normal(length)
    return np.minimum(envelope + shimmer, 0.0)[:, np.newaxis]


def _spectra(rng: np.random.Generator, length: int, n_bands: int) -> np.ndarray:
    """Linear magnitudes that change from one envelope to another, peak 1 or less."""
    start, end = _spectral_envelope(rng, n_bands), _spectral_envelope(rng, n_bands)
    flutter_db = rng.uniform(0.0, 2.0) * rng.standard_normal([length, n_bands])
    blended = _blend(rng, length, start, end) + flutter_db
    return _gain(blended - np.max(blended))


def _spectral_envelope(rng: np.random.Generator, n_bands: int) -> np.ndarray:
    """A falling line with resonances, [n_bands], dB."""
    bands = np.arange(1, n_bands + 1)
    envelope = -rng.uniform(0.0, 15.0) * np.log2(bands)
    places = bands / n_bands
    for _ in range(rng.integers(0, _MAX_RESONANCES, endpoint=True)):
        distance = (places - rng.random() ** 2) / rng.uniform(*_RESONANCE_WIDTH)
        envelope = envelope + rng.uniform(-20.0, 30.0) * np.exp(-(distance**2))
    # Pipes that are closed at one end have weak even harmonics.
    if rng.random() < 0.3:
        envelope = envelope - rng.uniform(0.0, 40.0) * (bands % 2 == 0)
    return envelope


def _blend(rng: np.random.Generator, length: int, start, end) -> np.ndarray:
    """From one value to another at a random, bent pace, [length, channels]."""
    progress = np.linspace(0.0, 1.0, length)[:, np.newaxis] ** (
        2.0 ** rng.uniform(-2.0, 2.0)
    )
    return start + (end - start) * progress


def _gain(decibels: np.ndarray) -> np.ndarray:
    return 10.0 ** (decibels / 20.0)
