"""Renders the bundled recordings: a solo violin to learn from, a flute to transfer.

The music is composed by rule (see `composition.py`) and from fixed seeds, and the
same files come out every time. The script is only needed to make the recordings
again; the library does not depend on what it uses:

    apt-get install fluidsynth musescore-general-soundfont
    pip install ddsp mido
    python examples/render_recordings.py

A stroke becomes a single MIDI note whose later pitches are reached by pitch bend,
so that a slur has no second attack and two notes never sound at once. Vibrato and
slides are pitch bend too. Dynamics are controller 2, which the soundfont's
expressive presets map to loudness, together with the filter's cutoff, so that soft
tones are darker.
"""

import argparse
import math
import random
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import mido
import numpy as np
import soundfile
import soxr
from composition import Stroke, compose, flute_sections, violin_sections

SOUNDFONT = Path("/usr/share/sounds/sf3/MuseScore_General_Full.sf3")
EXPRESSIVE_BANK = 17
VIOLIN, FLUTE = 40, 73
RENDER_RATE, SAMPLE_RATE = 48000, 16000
PEAK = 0.8

TICKS_PER_SECOND = 1000
CONTROL_STEP = 0.01  # Seconds between two values of a controller.
BEND_RANGE = 12  # Semitones, set by registered parameter 0.
RELEASE_NRPN, CUTOFF_NRPN = 38, 8  # SoundFont 2.01 generators, settable by NRPN.
DARKEST_CENTS = 3000  # How far the low-pass filter closes on the softest tone.


def pitch_curve(stroke: Stroke, times: np.ndarray, vibrato_hz: float) -> np.ndarray:
    """MIDI pitch at `times` seconds after the attack: slurs, slide, vibrato."""
    pitch = np.full(times.shape, float(stroke.pitches[0]))
    if stroke.slide_from is not None:
        ramp = _smooth_step(times, 0.02, 0.18)
        # The slide is heard best from close by: a semitone or two is enough.
        away = np.clip(stroke.slide_from - stroke.pitches[0], -2, 2)
        pitch += away * (1 - ramp)
    onsets = np.cumsum([0.0, *stroke.durations[:-1]])
    for k in range(1, len(stroke.pitches)):
        step = stroke.pitches[k] - stroke.pitches[k - 1]
        pitch += step * _smooth_step(times, onsets[k] - 0.02, onsets[k] + 0.04)
    sounding = np.searchsorted(onsets, times, side="right") - 1
    since = times - onsets[sounding]
    long_enough = np.array(stroke.durations)[sounding] > 0.45
    depth = 0.12 + 0.2 * stroke.level
    vibrato = depth * _smooth_step(since, 0.15, 0.5) * long_enough
    return pitch + vibrato * np.sin(2 * np.pi * vibrato_hz * times)


def dynamics_curve(stroke: Stroke, times: np.ndarray) -> np.ndarray:
    """Level, 0 to 1, at `times` seconds after the attack."""
    x = np.clip(times / stroke.duration, 0, 1)
    shape = 1 - stroke.swell + stroke.swell * np.sin(np.pi * x**0.8)
    level = stroke.level * shape
    if stroke.accent:
        level = level + (1 - stroke.level) * 0.6 * np.exp(-times / 0.12)
    return np.clip(level, 0, 1)


def _smooth_step(x: np.ndarray, start: float, end: float) -> np.ndarray:
    ramp = np.clip((x - start) / (end - start), 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def perform(strokes: list[Stroke], program: int, seed: int) -> mido.MidiFile:
    """Writes strokes as a MIDI file: notes, and controllers every 10 ms."""
    rng = random.Random(seed)
    events: list[tuple[float, mido.Message]] = []
    for message in _setup(program):
        events.append((0.0, message))
    for i, stroke in enumerate(strokes):
        key = round((min(stroke.pitches) + max(stroke.pitches)) / 2)
        following = strokes[i + 1].start if i + 1 < len(strokes) else math.inf
        end = stroke.start + stroke.sounding
        times = np.arange(
            0, min(end + 0.2, following - 0.02) - stroke.start, CONTROL_STEP
        )
        pitch = pitch_curve(stroke, times, 5.2 + 0.9 * rng.random())
        bend = np.clip((pitch - key) / BEND_RANGE * 8192, -8192, 8191)
        dynamics = dynamics_curve(stroke, times)
        for offset, value, level in zip(times, bend, dynamics, strict=True):
            # Controllers lead the attack by a tick: no note starts at the old ones.
            time = stroke.start + offset - 0.001
            events.append((time, mido.Message("pitchwheel", pitch=int(value))))
            events.extend((time, message) for message in _loudness(level))
        velocity = min(127, int(50 + 60 * stroke.level + 17 * stroke.accent))
        note = {"note": key, "velocity": velocity}
        events.append((stroke.start, mido.Message("note_on", **note)))
        events.append((end, mido.Message("note_off", note=key)))
    events.append((strokes[-1].start + strokes[-1].duration + 0.4, _control(123, 0)))
    return _midi_file(events)


def _setup(program: int) -> Iterator[mido.Message]:
    yield _control(0, EXPRESSIVE_BANK)
    yield mido.Message("program_change", program=program)
    yield from (_control(101, 0), _control(100, 0), _control(6, BEND_RANGE))
    # Fast release, so that the end of one note does not ring into the next.
    yield from (_control(99, 120), _control(98, RELEASE_NRPN))
    yield from (_control(38, 0), _control(6, 57))
    yield from (_control(99, 120), _control(98, CUTOFF_NRPN))


def _loudness(level: float) -> Iterator[mido.Message]:
    """Level 0 to 1 as -30 to 0 dB; the synthesizer's gain is the square of CC 2."""
    yield _control(2, round(127 * 10 ** (-30 * (1 - level) / 40)))
    # A soft tone is also a dark one: the low-pass cutoff follows, in units of two
    # cents. The generator to set was chosen in `_setup`.
    cutoff = 8192 + round(-DARKEST_CENTS / 2 * (1 - level))
    yield from (_control(38, cutoff % 128), _control(6, cutoff // 128))


def _control(number: int, value: int) -> mido.Message:
    return mido.Message("control_change", control=number, value=value)


def _midi_file(events: list[tuple[float, mido.Message]]) -> mido.MidiFile:
    file = mido.MidiFile(ticks_per_beat=TICKS_PER_SECOND // 2)  # At 120 beats.
    track = mido.MidiTrack()
    file.tracks.append(track)
    last = 0
    for time, message in sorted(events, key=lambda event: event[0]):
        tick = max(0, round(time * TICKS_PER_SECOND))
        track.append(message.copy(time=tick - last))
        last = tick
    return file


def render(midi: mido.MidiFile, soundfont: Path) -> np.ndarray:
    """Plays a MIDI file dry through fluidsynth; returns mono at 16 kHz."""
    with tempfile.TemporaryDirectory() as folder:
        score, wav = Path(folder, "score.mid"), Path(folder, "score.wav")
        midi.save(score)
        command = ["fluidsynth", "-n", "-i", "-q", "-R", "0", "-C", "0"]
        command += ["-g", "0.6", "-r", str(RENDER_RATE), "-T", "wav", "-O", "float"]
        subprocess.run([*command, "-F", wav, soundfont, score], check=True)
        audio, _ = soundfile.read(wav, dtype="float64")
    audio = audio[: round(midi.length * RENDER_RATE)].mean(axis=1)
    audio = soxr.resample(audio, RENDER_RATE, SAMPLE_RATE, "VHQ")
    return audio * (PEAK / np.abs(audio).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = Path(__file__).parent / "audio"
    parser.add_argument("--output", type=Path, default=folder, help="folder")
    parser.add_argument("--soundfont", type=Path, default=SOUNDFONT)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    pieces = (
        ("solo_violin", violin_sections(), VIOLIN, 11),
        ("melody", flute_sections(), FLUTE, 2),
    )
    for name, sections, program, seed in pieces:
        midi = perform(compose(sections, seed), program, seed)
        audio = render(midi, arguments.soundfont)
        path = arguments.output / f"{name}.flac"
        soundfile.write(path, audio, SAMPLE_RATE, subtype="PCM_16")
        print(f"{path}: {len(audio) / SAMPLE_RATE:.1f} s, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
