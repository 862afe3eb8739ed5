"""Music composed by rule and from a seed: what the bundled recordings play.

A line of music is a list of strokes. A stroke is one bow stroke or one breath: one
attack, and the pitches that are slurred after it.
"""

import math
import random
from dataclasses import dataclass

TONIC = 62  # D4
MINOR = (0, 2, 3, 5, 7, 8, 10)
MAJOR = (0, 2, 4, 5, 7, 9, 11)
BOW_CHANGE = 0.03  # Seconds of silence between two strokes played legato.


@dataclass
class Section:
    """The rules for one section of a piece; degrees count scale steps from D4."""

    bpm: float
    scale: tuple[int, ...]
    cells: tuple[tuple[float, ...], ...]  # Rhythms of one bar; negative: a rest.
    center: int
    low: int
    high: int
    levels: tuple[float, ...]  # A phrase each: its dynamics, 0 (pp) to 1 (ff).
    slur: float  # Chance that a note is slurred to the one before.
    staccato: float = 0.0
    accent: float = 0.0
    slide: float = 0.0
    swell: float = 0.2  # Depth of the swell within a stroke.


@dataclass
class Stroke:
    """One attack: pitches with their durations in seconds, and how to play them."""

    start: float
    pitches: list[int]
    durations: list[float]
    level: float
    swell: float
    staccato: bool = False
    accent: bool = False
    slide_from: int | None = None

    @property
    def duration(self) -> float:
        return sum(self.durations)

    @property
    def sounding(self) -> float:
        return self.duration * 0.5 if self.staccato else self.duration - BOW_CHANGE


def violin_sections() -> list[Section]:
    """A theme, two quick and one slow variation, and the theme's return."""
    singing = ((2, 1, 1), (3, 1), (1.5, 0.5, 2), (1, 1, 2), (2, 2))
    running = ((0.5,) * 8, (1, 0.5, 0.5, 1, 0.5, 0.5), (0.5, 0.5, 1, 1, -1))
    slow = ((4,), (3, 1), (2, 2), (2, 1, 1))
    dancing = ((1, 0.5, 0.5, 1, -1), (0.75, 0.25, 1, 0.5, 0.5, 1), (0.5,) * 8)
    theme = Section(
        bpm=88,
        scale=MINOR,
        cells=singing,
        center=3,
        low=-4,
        high=9,
        levels=(0.45, 0.7, 0.55),
        slur=0.75,
        slide=0.4,
    )
    allegro = Section(
        bpm=124,
        scale=MAJOR,
        cells=running,
        center=4,
        low=-4,
        high=11,
        levels=(0.6, 0.35, 0.75, 0.5, 0.95),
        slur=0.4,
        staccato=0.35,
        accent=0.2,
    )
    adagio = Section(
        bpm=60,
        scale=MINOR,
        cells=slow,
        center=2,
        low=-4,
        high=9,
        levels=(0.25, 0.6),
        slur=0.5,
        slide=0.5,
        swell=0.45,
    )
    vivace = Section(
        bpm=138,
        scale=MAJOR,
        cells=dancing,
        center=5,
        low=-2,
        high=11,
        levels=(0.8, 0.5, 1.0, 0.3, 0.9),
        slur=0.2,
        staccato=0.6,
        accent=0.35,
    )
    farewell = Section(
        bpm=80,
        scale=MINOR,
        cells=singing,
        center=3,
        low=-4,
        high=11,
        levels=(0.7, 0.45, 0.2),
        slur=0.75,
        slide=0.5,
        swell=0.3,
    )
    return [theme, allegro, adagio, vivace, farewell]


def flute_sections() -> list[Section]:
    """One phrase, in the register that the two instruments share."""
    cells = ((1.5, 0.5, 1, 1), (2, 1, 1), (1, 0.5, 0.5, 2))
    phrase = Section(
        bpm=76,
        scale=MINOR,
        cells=cells,
        center=5,
        low=0,
        high=10,
        levels=(0.7,),
        slur=0.5,
        slide=0.2,
    )
    return [phrase]


def compose(sections: list[Section], seed: int) -> list[Stroke]:
    """Phrases of four bars: a motif, its sequence, a free bar, a cadence."""
    rng = random.Random(seed)
    strokes: list[Stroke] = []
    now = 0.3
    for section in sections:
        degree = section.center
        beat = 60 / section.bpm
        for i, level in enumerate(section.levels):
            last = i == len(section.levels) - 1
            notes, degree = _phrase(section, degree, last, rng)
            played = _articulate(notes, section, beat, level, now, rng)
            strokes.extend(played)
            breath = 0.9 if last else 0.35
            now += sum(abs(beats) for _, beats in notes) * beat + breath
    return strokes


def _pick(options, rng: random.Random):
    # `random()` alone promises the same numbers on every Python version.
    return options[int(rng.random() * len(options))]


def _phrase(
    section: Section, degree: int, last: bool, rng: random.Random
) -> tuple[list[tuple[int, float]], int]:
    """Returns (degree, beats) pairs, beats negative for a rest, and the end."""
    cell = _pick(section.cells, rng)
    motif = list(zip(_walk(section, degree, len(cell), rng), cell, strict=True))
    shift = _pick((-2, -1, 1, 2), rng)
    sequence = [(_within(section, d + shift), beats) for d, beats in motif]
    cell = _pick(section.cells, rng)
    free = list(zip(_walk(section, sequence[-1][0], len(cell), rng), cell, strict=True))
    # The cadence steps down to the fifth or, at the end of a section, the tonic.
    goal = _nearest((0, 7) if last else (4, -3), free[-1][0])
    cadence = [(goal + 2, 1.0), (goal + 1, 1.0), (goal, 2.0)]
    cadence = [(_within(section, d), beats) for d, beats in cadence]
    return [*motif, *sequence, *free, *cadence], goal


def _walk(section: Section, degree: int, n: int, rng: random.Random) -> list[int]:
    """A melody that mostly steps, turns back after a leap and seeks its center."""
    degrees = []
    leap = 0
    for _ in range(n):
        degrees.append(degree)
        step = _pick((-1, -1, 1, 1, -2, 2, -4, 4), rng)
        if abs(leap) > 2:
            step = -int(math.copysign(1, leap))
        elif rng.random() < abs(degree - section.center) / 10:
            step = int(math.copysign(step, section.center - degree))
        leap = step
        degree = _within(section, degree + step)
    return degrees


def _within(section: Section, degree: int) -> int:
    if degree > section.high:
        return 2 * section.high - degree
    if degree < section.low:
        return 2 * section.low - degree
    return degree


def _nearest(options: tuple[int, ...], degree: int) -> int:
    return min(options, key=lambda option: abs(option - degree))


def _articulate(
    notes: list[tuple[int, float]],
    section: Section,
    beat: float,
    level: float,
    start: float,
    rng: random.Random,
) -> list[Stroke]:
    """Groups notes into strokes and shapes the phrase: it swells, then recedes."""
    strokes: list[Stroke] = []
    total = sum(abs(beats) for _, beats in notes)
    position = 0.0
    previous: Stroke | None = None
    for degree, beats in notes:
        if beats < 0:
            position -= beats
            previous = None
            continue
        pitch = _pitch(degree, section.scale)
        arch = 0.75 + 0.25 * math.sin(math.pi * min(1.0, position / total * 1.15))
        staccato = beats <= 1 and rng.random() < section.staccato
        slurred = rng.random() < section.slur and not staccato
        slide = rng.random() < section.slide
        accent = rng.random() < section.accent
        if slurred and previous and _can_slur(previous, pitch):
            previous.pitches.append(pitch)
            previous.durations.append(beats * beat)
        else:
            stroke = Stroke(
                start=start + position * beat,
                pitches=[pitch],
                durations=[beats * beat],
                level=level * arch,
                swell=section.swell,
                staccato=staccato,
                accent=accent,
            )
            if slide and previous and 0 < abs(previous.pitches[-1] - pitch) <= 5:
                stroke.slide_from = previous.pitches[-1]
            strokes.append(stroke)
            previous = None if staccato else stroke
        position += beats
    return strokes


def _can_slur(stroke: Stroke, pitch: int) -> bool:
    # Bending a sample further than this is heard as a change of instrument.
    pitches = [*stroke.pitches, pitch]
    return (
        len(pitches) <= 4
        and pitch != stroke.pitches[-1]
        and max(pitches) - min(pitches) <= 5
        and stroke.duration < 3
    )


def _pitch(degree: int, scale: tuple[int, ...]) -> int:
    octave, step = divmod(degree, len(scale))
    return TONIC + 12 * octave + scale[step]
