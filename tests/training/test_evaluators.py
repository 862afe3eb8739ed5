"""Evaluators of notes and of f0 from sinusoids, created by configs."""

from pathlib import Path

import gin
import numpy as np
import pytest
import tensorflow as tf

from ddsp import synths
from ddsp.training import eval_util, evaluators, forward, gin_files, midi
from tests.training import test_models

RATE, SAMPLE_RATE, N_FRAMES = 250, 16000, 250
# An A, a rest, an E.
PLAYED = [(69, 100, 0.0, 0.4), (76, 100, 0.6, 1.0)]
CONFIGS = Path(gin_files.config_dir())


def parse(name):
    """Returns the evaluators and settings of `evaluate` in a config."""
    gin.parse_config((CONFIGS / "eval" / f"{name}.gin").read_text())
    bindings = gin.get_bindings(eval_util.evaluate)
    return [make(SAMPLE_RATE, RATE) for make in bindings.get("evaluator_classes", [])]


def roll_of(notes):
    return midi.to_pianoroll(midi.make_midi(notes), RATE, N_FRAMES)


def recording(notes=PLAYED):
    """Returns a batch of one: notes, pitch, level and audio."""
    roll = roll_of(notes)
    on = roll.any(axis=1)
    f0_hz = np.where(on, 440.0 * 2.0 ** ((roll.argmax(axis=1) - 69) / 12), 0.0)
    features = {
        "f0_hz": f0_hz,
        "f0_confidence": on,
        "loudness_db": np.where(on, -20.0, -80.0),
        "note_active_velocities": roll,
        "audio": np.zeros(SAMPLE_RATE),
    }
    return {key: np.float32(value)[np.newaxis] for key, value in features.items()}


def rendered(batch):
    """Returns controls and audio of a harmonic synthesizer for a batch."""
    on = batch["f0_confidence"][..., np.newaxis]
    harmonic = synths.Harmonic(n_samples=SAMPLE_RATE, scale_fn=None)
    outputs = harmonic(
        0.3 * on,
        np.float32(np.tile([1.0, 0.5, 0.25], [*on.shape[:2], 1])),
        np.maximum(batch["f0_hz"], 100.0)[..., np.newaxis],
        return_outputs_dict=True,
    )
    return {"harmonic": outputs, "audio_gen": outputs["signal"]}


def midi_autoencoder(batch, notes):
    """Outputs of a MIDI autoencoder that detects some notes, with 0 in rests."""
    pitch = roll_of(notes).argmax(axis=1)
    outputs = {
        "q_pitch": pitch[:, np.newaxis],
        "pianoroll": np.eye(128)[pitch],
        "f0_midi_pred": pitch[:, np.newaxis],
        "f0_hz_pred": 440.0 * 2.0 ** ((pitch[:, np.newaxis] - 69) / 12),
        "amps": np.zeros([N_FRAMES, 1]),
        "hd": np.full([N_FRAMES, 4], 0.25),
        "noise": np.zeros([N_FRAMES, 3]),
        "midi_audio": np.zeros(SAMPLE_RATE),
    }
    made = {key: tf.constant(np.float32(x)[np.newaxis]) for key, x in outputs.items()}
    return {**batch, **made, "synth_audio": made["midi_audio"]}


@pytest.fixture
def tags(tmp_path):
    """Runs a function with a summary writer; returns the written tags."""

    def run(function, *args):
        writer = tf.summary.create_file_writer(str(tmp_path))
        with writer.as_default():
            function(*args)
        writer.close()
        (path,) = tmp_path.glob("events*")
        return {
            value.tag
            for event in tf.compat.v1.train.summary_iterator(str(path))
            for value in event.summary.value
        }

    return run


def run(evaluator, batch, outputs):
    """Runs one evaluation like `forward.run_evaluators`."""
    return forward.run_evaluators(
        lambda _: (outputs, {"total_loss": tf.constant(0.5)}),
        [tf.nest.map_structure(tf.constant, batch)],
        step=1,
        measure=evaluator,
        show=evaluator,
    )


def test_midi_autoencoder(tags):
    chosen = parse("midi_ae")
    assert [type(x).__name__ for x in chosen] == [
        "BasicEvaluator",
        "MidiAutoencoderEvaluator",
    ]
    batch = recording()
    # The first note and the rests are correct; the second is off by a semitone.
    outputs = midi_autoencoder(batch, [PLAYED[0], (77, 100, 0.6, 1.0)])
    outputs["audio_gen"] = outputs["midi_audio"]
    results = {}
    written = tags(lambda: results.update(run(chosen, batch, outputs)))
    assert results["losses/total_loss"] == 0.5
    learned = {
        key.removeprefix("metrics/midi/learned/"): value
        for key, value in results.items()
        if key.startswith("metrics/midi")
    }
    measures = ("f1", "precision", "recall")
    expected = {"onset": 0.5, "full_note": 0.5, "frame": 1.0}
    assert learned == {
        f"{name}/{measure}": value
        for name, value in expected.items()
        for measure in measures
    }
    assert {
        "audio_original",
        "midi_audio",
        "synth_audio",
        "midi_audio/0",
        "waveform_midi_audio/0",
        "f0_midi_f0_hz_rec/0",
        "pianoroll/0",
        "midiae_decoder_pitch/0",
        "amplitudes/0",
        "harmonic_dist/0",
        "noise_mags/0",
        *results,
    } <= written


def test_midi_autoencoder_on_silence():
    batch = recording([])
    evaluator = evaluators.MidiAutoencoderEvaluator(SAMPLE_RATE, RATE)
    results = run([evaluator], batch, midi_autoencoder(batch, []))
    assert len(results) == 9 and set(results.values()) == {0.0}


@pytest.mark.parametrize("name", [None, "heuristic", "heuristic_power"])
def test_midi_heuristic(tags, name):
    if name:
        assert parse(name) == []
    batch = recording()
    outputs = rendered(batch)
    evaluator = evaluators.MidiHeuristicEvaluator(SAMPLE_RATE, RATE)
    if name == "heuristic_power":
        # Detected from the audio only: these amplitudes contain no notes.
        batch["audio"] = outputs["audio_gen"].numpy()
        quiet = tf.zeros_like(outputs["harmonic"]["controls"]["amplitudes"])
        outputs["harmonic"]["controls"]["amplitudes"] = quiet
    results = {}
    written = tags(lambda: results.update(run([evaluator], batch, outputs)))
    for measure in ("onset", "full_note"):
        assert results[f"metrics/midi/heuristic/{measure}/f1"] == 1.0
    # Power windows extend two frames into the rest at both ends.
    assert results["metrics/midi/heuristic/frame/f1"] >= 0.98
    assert {"midi_heuristic/0", "pianoroll_heuristic/0", *results} <= written


def test_midi_heuristic_of_a_model():
    """All outputs of an autoencoder: nested controls, reverb, energy shares."""
    model = test_models.small(n_samples=SAMPLE_RATE)
    batch = recording()
    forward.build(model, batch)
    evaluator = evaluators.MidiHeuristicEvaluator(SAMPLE_RATE, RATE)
    results = forward.run_evaluators(
        forward.make_forward(model),
        [tf.nest.map_structure(tf.constant, batch)],
        step=1,
        measure=[evaluator],
        show=[evaluator],
    )
    # The amplitude of an untrained model is constant, so only pitch defines notes.
    assert results["metrics/midi/heuristic/onset/f1"] == 1.0


def test_midi_heuristic_on_silence():
    batch = recording([])
    evaluator = evaluators.MidiHeuristicEvaluator(SAMPLE_RATE, RATE)
    results = run([evaluator], batch, rendered(batch))
    assert len(results) == 9 and set(results.values()) == {0.0}


def test_missing_notes_are_named():
    batch = recording()
    outputs = rendered(batch)
    del batch["note_active_velocities"]
    with pytest.raises(ValueError, match="'note_active_velocities'"):
        run([evaluators.MidiHeuristicEvaluator(SAMPLE_RATE, RATE)], batch, outputs)


def sinusoids(f0_hz):
    """Five harmonics of f0 and some noise sinusoids, shuffled."""
    order = np.array([3, 1, 5, 2, 4])
    frequencies = np.where(f0_hz > 0, f0_hz, 200.0)[..., np.newaxis] * order
    amplitudes = np.broadcast_to(0.5 / order, frequencies.shape)
    controls = {"frequencies": frequencies, "amplitudes": amplitudes}
    return {key: tf.constant(np.float32(x)) for key, x in controls.items()}


@pytest.mark.parametrize("frames_of_model", [N_FRAMES, N_FRAMES // 5])
def test_two_way_mismatch(tags, frames_of_model):
    (*others, evaluator) = parse("basic_f0_ld_twm")
    names = [type(x).__name__ for x in (*others, evaluator)]
    assert names == ["BasicEvaluator", "F0LdEvaluator", "TWMEvaluator"]
    batch = recording()
    controls = sinusoids(batch["f0_hz"][:, :: N_FRAMES // frames_of_model])
    outputs = {"sinusoidal": {"controls": controls}}
    results = {}
    written = tags(lambda: results.update(run([evaluator], batch, outputs)))
    accuracy = results["metrics/f0_twm/raw_pitch_accuracy"]
    # With fewer frames, interpolation smears the pitch at the edges of the rest.
    assert accuracy == 1.0 if frames_of_model == N_FRAMES else accuracy > 0.9
    assert "f0_midi_f0_twm/0" in written


def test_noise_counts_for_nothing():
    """Louder noise sinusoids mask f0, unless they are excluded."""
    batch = recording()
    tone = sinusoids(batch["f0_hz"])
    numbers = np.arange(1.0, 11.0, dtype=np.float32)
    stray = 1.2 * tf.reduce_min(tone["frequencies"], axis=-1, keepdims=True) * numbers
    controls = {
        "frequencies": tf.concat([tone["frequencies"], stray], axis=-1),
        "amplitudes": tf.concat([tone["amplitudes"], 0.0 * stray + 50 / numbers], -1),
        "noise_ratios": np.tile(np.repeat([0.0, 1.0], [5, 10]), [1, N_FRAMES, 1]),
    }
    outputs = {"mine": {"controls": controls}}
    accuracy = {}
    for noisy in (False, True):
        evaluator = evaluators.TWMEvaluator(SAMPLE_RATE, RATE, "mine", noisy)
        results = run([evaluator], batch, outputs)
        accuracy[noisy] = results["metrics/f0_twm/raw_pitch_accuracy"]
    assert accuracy == {False: 0.0, True: 1.0}


def test_missing_sinusoids_are_named():
    with pytest.raises(ValueError, match=r"'sinusoidal', got \['audio_gen', 'harm"):
        batch = recording()
        run([evaluators.TWMEvaluator(SAMPLE_RATE, RATE)], batch, rendered(batch))
