"""Timbre transfer of synthetic recordings with a tiny model."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from ddsp import effects, processors, synths
from ddsp.playing import adjustment, rendering, timbre_transfer, transfer_report
from ddsp.playing.adjustment import Adjustment
from ddsp.training import decoders, models, postprocessing, preprocessing

RATE = 16000
HOP = 64
REVERB_LENGTH = 4000

CONFIG = """
get_model.model = @models.Autoencoder()
Autoencoder.preprocessor = @preprocessing.F0LoudnessPreprocessor()
Autoencoder.decoder = @decoders.RnnFcDecoder()
Autoencoder.processor_group = @processors.ProcessorGroup()
F0LoudnessPreprocessor.time_steps = 100
RnnFcDecoder.rnn_channels = 16
RnnFcDecoder.ch = 16
RnnFcDecoder.layers_per_stack = 1
RnnFcDecoder.input_keys = ('ld_scaled', 'f0_scaled')
RnnFcDecoder.output_splits = (('amps', 1), ('harmonic_distribution', 8))
ProcessorGroup.dag = [
    (@synths.Harmonic(), ['amps', 'harmonic_distribution', 'f0_hz'])]
Harmonic.n_samples = 6400
"""


def make_model(noise=False, reverb=False):
    """A model with random weights; its reverb rings for a quarter of a second."""
    tf.keras.utils.set_random_seed(0)
    splits = [("amps", 1), ("harmonic_distribution", 8)]
    dag = [
        (
            synths.Harmonic(n_samples=100 * HOP),
            ["amps", "harmonic_distribution", "f0_hz"],
        )
    ]
    dry = "harmonic/signal"
    if noise:
        splits.append(("noise_magnitudes", 9))
        dag.append((synths.FilteredNoise(n_samples=100 * HOP), ["noise_magnitudes"]))
        dag.append((processors.Add(), [dry, "filtered_noise/signal"]))
        dry = "add/signal"
    if reverb:
        dag.append((effects.Reverb(trainable=True, reverb_length=REVERB_LENGTH), [dry]))
    model = models.Autoencoder(
        preprocessor=preprocessing.F0LoudnessPreprocessor(time_steps=100),
        decoder=decoders.RnnFcDecoder(
            rnn_channels=16,
            ch=16,
            layers_per_stack=1,
            input_keys=("ld_scaled", "f0_scaled"),
            output_splits=splits,
        ),
        processor_group=processors.ProcessorGroup(dag),
    )
    model.build_variables()
    if reverb:
        decay = np.exp(-np.arange(REVERB_LENGTH) / 800.0)
        response = 0.3 * np.random.default_rng(0).normal(size=REVERB_LENGTH) * decay
        model.processor_group.processors[-1].trainable_variables[0].assign(response)
    return model


@pytest.fixture(scope="module")
def model():
    return make_model()


@pytest.fixture(scope="module")
def statistics():
    loudness = np.random.default_rng(1).normal(-30.0, 5.0, size=2000)
    return {
        "note_on_fraction": 0.8,
        "mean_pitch": 81.0,
        "quantile_transform": postprocessing.QuantileTransformer().fit(loudness),
    }


def sine(seconds, hz, rate=44100, amplitude=0.3):
    return amplitude * np.sin(2.0 * np.pi * hz * np.arange(int(seconds * rate)) / rate)


def recording(path, rate=44100, channels=2):
    """A second of 440 Hz, then half a second of silence."""
    audio = np.concatenate([sine(1.0, 440.0, rate), np.zeros(rate // 2)])
    soundfile.write(path, np.stack([audio] * channels, axis=1), rate)
    return str(path)


def performance(n_frames, gate=None, seed=0):
    rng = np.random.default_rng(seed)
    wander = np.cumsum(rng.normal(size=n_frames)) / 120.0
    return rendering.Performance(
        f0_hz=(330.0 * 2.0**wander).astype(np.float32),
        loudness_db=rng.uniform(-50.0, -10.0, n_frames).astype(np.float32),
        gate=np.ones(n_frames, np.float32) if gate is None else gate,
    )


def play(model, played, block_secs=100.0):
    return np.concatenate(list(rendering.render(model, played, block_secs)))


def loudest_hz(audio, rate=RATE):
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 8 * len(audio)))
    return np.argmax(spectrum) * rate / (8 * len(audio))


def read(path):
    audio, rate = soundfile.read(path)
    return audio, rate


def test_one_block_is_what_the_model_plays(model):
    played = performance(120)
    outputs = model(
        {
            "f0_hz": played.f0_hz[np.newaxis],
            "loudness_db": played.loudness_db[np.newaxis],
        },
        training=False,
        n_samples=120 * HOP,
    )
    expected = outputs["audio_synth"][0]
    # The same arithmetic: compiled or not, float32 rounds to 1e-6 of the peak.
    np.testing.assert_allclose(play(model, played), expected, atol=1e-5)


def test_blocks_join_without_a_seam():
    model = make_model(noise=True, reverb=True)
    played = performance(700)
    tf.keras.utils.set_random_seed(3)
    whole = play(model, played)
    tf.keras.utils.set_random_seed(3)
    blocks = play(model, played, block_secs=0.4)
    # The reverb is a sum of parts in another order.
    limit = 1e-5 * max(1.0, np.max(np.abs(whole)))
    n_samples = min(len(whole), len(blocks))
    np.testing.assert_allclose(blocks[:n_samples], whole[:n_samples], atol=limit)


def test_a_longer_performance_begins_as_a_shorter_one():
    model = make_model(noise=True, reverb=True)
    long = performance(700)
    short = rendering.Performance(
        long.f0_hz[:300], long.loudness_db[:300], long.gate[:300]
    )
    tf.keras.utils.set_random_seed(3)
    expected = play(model, short, block_secs=0.3)[: 299 * HOP]
    tf.keras.utils.set_random_seed(3)
    np.testing.assert_allclose(
        play(model, long, block_secs=1.0)[: 299 * HOP], expected, atol=1e-5
    )


def test_a_closed_gate_is_silence_but_for_the_reverb():
    model = make_model(noise=True, reverb=True)
    gate = np.zeros(200, np.float32)
    assert np.all(play(model, performance(200, gate)) == 0.0)
    gate[:100] = 1.0
    audio = play(model, performance(200, gate))
    assert np.std(audio[100 * HOP : 100 * HOP + 1000]) > 1e-4
    assert np.all(np.abs(audio[102 * HOP + REVERB_LENGTH :]) < 1e-6)


def test_the_tail_of_the_reverb_is_rendered():
    model = make_model(reverb=True)
    audio = play(model, performance(100))
    tail = audio[100 * HOP :]
    assert 0 < len(tail) <= REVERB_LENGTH
    assert np.max(np.abs(tail)) > 1e-3


@pytest.mark.parametrize("centered", [False, True])
def test_pitch_is_measured_where_the_model_learned_to_hear_it(tmp_path, centered):
    """A step of pitch after one second, seen by CREPE's frames of 1024 samples."""
    time = np.arange(2 * RATE) / RATE
    f0 = np.where(time < 1.0, 220.0, 440.0)
    path = tmp_path / "step.wav"
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * np.cumsum(f0) / RATE), RATE)
    recording = timbre_transfer.probing.probe(str(path))
    features = timbre_transfer.measure(recording, 250, centered=centered)
    assert len(features.f0_hz) == 500
    step = np.argmax(features.f0_hz > 311.0) / 250
    # Half a frame is 32 ms; where within a frame CREPE changes its mind is its own
    # affair, to some 12 ms.
    assert abs(step - (1.0 if centered else 0.968)) < 0.012


@pytest.mark.parametrize("padding", ["center", "causal"])
def test_loudness_is_of_the_form_that_the_model_was_made_for(tmp_path, padding):
    """The loudness of a click is heard in the hops after it, or in those before."""
    model = make_model()
    model.preprocessor.padding = padding
    audio = np.zeros(RATE)
    audio[RATE // 2] = 0.9
    source, path = tmp_path / "click.wav", str(tmp_path / "out.wav")
    soundfile.write(source, audio, RATE)
    transferred = timbre_transfer.transfer(str(source), path, model)
    heard = np.flatnonzero(transferred.before.loudness_db > -79.0)
    # Frames of 512 samples: eight hops, of which the outermost see the click through
    # the ends of the window.
    if padding == "causal":
        assert heard.min() >= 125 and heard.max() <= 132
    else:
        assert heard.min() < 120 and heard.max() <= 125


@pytest.mark.parametrize(("octaves", "semitones"), [(1, 0), (-1, 7)])
def test_shifts_change_the_pitch(tmp_path, model, octaves, semitones):
    source = recording(tmp_path / "in.wav")
    path = str(tmp_path / "out.wav")
    shifts = Adjustment(octave_shift=octaves, pitch_shift=semitones)
    done = timbre_transfer.transfer(source, path, model, adjustment=shifts)
    factor = 2.0 ** (octaves + semitones / 12.0)
    frames = slice(50, 200)
    np.testing.assert_allclose(
        done.after.f0_hz[frames], done.before.f0_hz[frames] * factor, rtol=1e-4
    )
    audio, rate = read(path)
    assert rate == RATE
    # Of the harmonics of a random model any may be the loudest.
    harmonic = loudest_hz(audio[3200:12800]) / (440.0 * factor)
    # The tracker is off by up to 10 cents.
    assert harmonic == pytest.approx(round(harmonic), rel=0.01)


def test_silence_stays_quiet_and_nothing_clips(tmp_path, statistics):
    loud = make_model(noise=True, reverb=True)
    response = loud.processor_group.processors[-1].trainable_variables[0]
    response.assign(10.0 * response)
    path = str(tmp_path / "out.wav")
    done = timbre_transfer.transfer(
        recording(tmp_path / "in.wav"),
        path,
        loud,
        statistics,
        adjustment=Adjustment(loudness_shift=20.0),
    )
    audio, _ = read(path)
    assert done.gain < 1.0
    # One step of 16 bits.
    assert np.max(np.abs(audio)) <= timbre_transfer.PEAK_LIMIT + 2.0**-15
    silent = audio[RATE + RATE // 4 + REVERB_LENGTH :]
    assert np.all(np.abs(silent) < 1e-3)
    assert any("clip" in line for line in done.describe())
    assert any("2 channels" in line for line in done.describe())


def test_the_range_of_the_model_is_sought(tmp_path, model, statistics):
    source = recording(tmp_path / "in.wav", rate=22050, channels=1)
    path = str(tmp_path / "out.flac")
    done = timbre_transfer.transfer(source, path, model, statistics, sample_rate=48000)
    # A4 is 69; the octave above is nearest to 81.
    assert done.after.octaves == 1
    assert done.after.mapped
    assert read(path)[1] == 48000
    on = done.after.mask_on
    assert np.mean(done.after.loudness_db[on]) == pytest.approx(-30.0, abs=2.0)


def test_a_report_needs_nothing_else(tmp_path, model):
    source = recording(tmp_path / "in <b>.wav")
    path = str(tmp_path / "out.wav")
    done = timbre_transfer.transfer(source, path, model)
    page = Path(transfer_report.write_report(done))
    text = page.read_text(encoding="utf-8")
    assert page == tmp_path / "out.html"
    assert text.count("<audio") == 2
    assert text.count("data:image/png;base64,") == 4
    assert "in &lt;b&gt;.wav" in text
    assert "http" not in text
    assert str(tmp_path) not in text


def test_transposing_and_tuning():
    midi = np.array([60.3, 61.3, 0.0, 64.3])
    on = np.array([True, True, False, True])
    tuning = adjustment.get_tuning_factor(midi, np.ones(4), on)
    assert tuning == pytest.approx(0.3)
    np.testing.assert_allclose(
        adjustment.auto_tune(midi, tuning, on, amount=1.0), [60.0, 61.0, 0.0, 64.0]
    )
    np.testing.assert_allclose(
        adjustment.auto_tune(midi, tuning, on, amount=0.5), [60.15, 61.15, 0.0, 64.15]
    )
    assert adjustment.nearest_octaves(np.array([50.0, 54.0]), 75.0) == 2


def test_the_background_is_not_raised_with_the_notes(statistics):
    loudness = np.concatenate([np.linspace(-60.0, -50.0, 100), np.full(50, -70.0)])
    on = np.arange(150) < 100
    mapped = adjustment.map_loudness(loudness, on, statistics["quantile_transform"])
    assert np.mean(mapped[on]) == pytest.approx(-30.0, abs=1.0)
    assert np.all(mapped[~on] <= -70.0)


def test_what_is_no_note_is_turned_down():
    """A note, loud noise without pitch, then silence."""
    third = np.repeat([0, 1, 2], 200)
    adjusted = adjustment.adjust_features(
        f0_hz=np.full(600, 440.0),
        f0_confidence=np.choose(third, [0.95, 0.05, 0.5]),
        loudness_db=np.choose(third, [-20.0, -20.0, -80.0]),
        adjustment=Adjustment(loudness_shift=3.0),
    )
    # Confidence is averaged over 40 frames, so the edges are left out.
    note, noise, silence = (slice(i + 40, i + 160) for i in (0, 200, 400))
    np.testing.assert_allclose(adjusted.loudness_db[note], -17.0)
    np.testing.assert_allclose(adjusted.gate[note], 1.0)
    assert np.all(adjusted.loudness_db[noise] < -36.0)
    assert np.all(adjusted.gate[noise] < 10.0 ** (-50.0 / 20.0))
    assert np.all(adjusted.gate[silence] == 0.0)
    assert not adjusted.mapped


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"autotune": 2.0}, "autotune.*2.0"),
        ({"quiet": -1.0}, "quiet.*-1.0"),
        ({"threshold": 0.0}, "threshold.*0.0"),
        ({"pitch_shift": np.nan}, "pitch_shift.*nan"),
    ],
)
def test_bad_adjustments_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Adjustment(**settings)


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (np.zeros(0), "empty"),
        (np.zeros(8000), "silent"),
        (np.full(8000, np.nan), "NaN"),
    ],
)
def test_bad_recordings_are_refused(tmp_path, model, audio, message):
    source = str(tmp_path / "in.wav")
    soundfile.write(source, audio, RATE, subtype="FLOAT")
    with pytest.raises(ValueError, match=message):
        timbre_transfer.transfer(source, str(tmp_path / "out.wav"), model)
    assert [file.name for file in tmp_path.iterdir()] == ["in.wav"]


def test_bad_files_are_refused(tmp_path, model):
    source = recording(tmp_path / "in.wav")
    with pytest.raises(ValueError, match=r"\.wav.*out\.xyz"):
        timbre_transfer.transfer(source, str(tmp_path / "out.xyz"), model)
    with pytest.raises(FileNotFoundError, match=r"nothing\.wav"):
        timbre_transfer.transfer(str(tmp_path / "nothing.wav"), "out.wav", model)
    (tmp_path / "text.wav").write_text("no audio")
    with pytest.raises(ValueError, match="decoded"):
        timbre_transfer.transfer(
            str(tmp_path / "text.wav"), str(tmp_path / "out.wav"), model
        )
    with pytest.raises(FileNotFoundError, match="empty folder"):
        (tmp_path / "empty folder").mkdir()
        timbre_transfer.load_model(str(tmp_path / "empty folder"))


def test_a_model_that_breaks_leaves_no_file(tmp_path):
    blocks = [np.ones(10, np.float32), np.full(10, np.nan, np.float32)]
    with pytest.raises(ValueError, match="NaN"):
        timbre_transfer.write_audio(str(tmp_path / "out.wav"), blocks, RATE, RATE)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    path = str(tmp_path / "file" / "out.wav")
    with pytest.raises(OSError, match=r"Cannot write .*out\.wav"):
        timbre_transfer.write_audio(path, [np.ones(10, np.float32)], RATE, RATE)


@pytest.mark.parametrize("suffix", [".mp3", ".ogg"])
def test_a_moment_of_any_rate_to_any_format(tmp_path, model, suffix):
    source = str(tmp_path / "in.wav")
    tone = sine(0.01, 440.0, 8000)
    soundfile.write(source, np.stack([tone] * 6, axis=1), 8000)
    path = str(tmp_path / f"out{suffix}")
    done = timbre_transfer.transfer(source, path, model, sample_rate=44100)
    assert done.seconds == pytest.approx(0.012, abs=1e-4)
    assert not done.after.mask_on.any()
    assert any("No notes" in line for line in done.describe())
    assert read(path)[1] == 44100


def test_a_recording_is_not_overwritten(tmp_path, model):
    source = recording(tmp_path / "in.wav")
    before = Path(source).read_bytes()
    (tmp_path / "link.wav").symlink_to(source)
    for path in (source, str(tmp_path / "link.wav")):
        with pytest.raises(ValueError, match="another file than the recording"):
            timbre_transfer.transfer(source, path, model)
    assert Path(source).read_bytes() == before
    with pytest.raises(ValueError, match="another folder than that of the recordings"):
        timbre_transfer.plan_outputs(str(tmp_path), str(tmp_path))
    with pytest.raises(ValueError, match=r"must be UTF-8, got .*\\xe9\.wav"):
        timbre_transfer.transfer(source, str(tmp_path / "\udce9.wav"), model)


def test_pitch_out_of_range_is_said(tmp_path):
    soundfile.write(tmp_path / "in.wav", sine(1.0, 2200.0, RATE), RATE)
    found = timbre_transfer.probing.probe(str(tmp_path / "in.wav"))
    (warning,) = timbre_transfer.measure(found, 250).warnings
    assert "out of the pitch tracker's range" in warning


def test_plans_of_sub_folders(tmp_path):
    for name in ("a.wav", "x/a.wav", "x/b.wav", "x/b.flac", "y.z/a.b.wav"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    planned = timbre_transfer.plan_outputs(str(tmp_path / "in"), "/out")
    assert {os.path.relpath(k, tmp_path / "in"): v for k, v in planned.items()} == {
        "a.wav": "/out/a.wav",
        "x/a.wav": "/out/x/a.wav",
        "x/b.flac": "/out/x/b.flac.wav",
        "x/b.wav": "/out/x/b.wav.wav",
        "y.z/a.b.wav": "/out/y.z/a.b.wav",
    }


def test_plans(tmp_path):
    folder = tmp_path / "chants d'été"
    folder.mkdir()
    for name in ("a.wav", "b.flac", "b.wav"):
        (folder / name).touch()
    out = str(tmp_path / "out")
    planned = timbre_transfer.plan_outputs(str(folder), out)
    assert [Path(path).name for path in planned.values()] == [
        "a.wav",
        "b.flac.wav",
        "b.wav.wav",
    ]
    with pytest.raises(ValueError, match="folder"):
        timbre_transfer.plan_outputs(str(folder), str(tmp_path / "out.wav"))
    with pytest.raises(ValueError, match="file"):
        timbre_transfer.plan_outputs(str(folder / "a.wav"), str(tmp_path))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        timbre_transfer.plan_outputs(str(tmp_path / "nowhere"), out)


def test_the_program_plays_a_folder(tmp_path, model, statistics):
    trained = tmp_path / "a model"
    trained.mkdir()
    (trained / "operative_config-1.gin").write_text(CONFIG)
    tf.train.Checkpoint(model=model).write(str(trained / "ckpt-1"))
    postprocessing.save_dataset_statistics(statistics, str(trained))
    folder = tmp_path / "été 1"
    folder.mkdir()
    recording(folder / "ein Ton.wav")
    (folder / "bad.wav").write_text("no audio")
    (folder / "phone.m4a").write_text("no audio")
    (folder / "notes.txt").write_text("no audio")
    os.mkfifo(folder / "pipe.wav")
    damaged = sine(1.0, 440.0)
    damaged[100] = 1e29
    soundfile.write(folder / "damaged.wav", damaged, 44100, subtype="FLOAT")
    (folder / "deeper").mkdir()
    (folder / "deeper/loop").symlink_to(folder)
    opposite = np.stack([sine(1.0, 440.0), -sine(1.0, 440.0)], axis=1)
    soundfile.write(folder / "deeper/opposite.wav", opposite, 44100)
    os.rename(folder / "deeper/opposite.wav", os.fsencode(folder) + b"/deeper/\xe9.wav")
    # Within the folder: what is written must not be read by the next run.
    out = folder / "out"
    out.mkdir()
    recording(out / "of an earlier run.wav")
    arguments = [str(folder), f"--model={trained}", "-o", str(out), "--report"]
    done = subprocess.run(
        [sys.executable, "-m", "ddsp.commands.ddsp_timbre_transfer", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(str(file.relative_to(out)) for file in out.rglob("*.*")) == [
        "deeper/\\xe9.html",
        "deeper/\\xe9.wav",
        "ein Ton.html",
        "ein Ton.wav",
        "of an earlier run.wav",
    ]
    assert "Mapped the loudness" in done.stdout
    assert "channels that cancel each other" in done.stdout
    audio, rate = read(out / "deeper/\\xe9.wav")
    assert np.std(audio[rate // 4 : rate // 2]) > 1e-3
    for line in (
        "bad.wav: The recording cannot be decoded",
        "phone.m4a: The recording cannot be decoded: convert it",
        "damaged.wav: The recording holds a sample of 1e+29",
        "pipe.wav: The recording is a named pipe",
        "Left out, not audio by their names: notes.txt.",
        "2 of 6 recordings transferred.",
    ):
        assert line in done.stderr
    assert "Traceback" not in done.stderr
