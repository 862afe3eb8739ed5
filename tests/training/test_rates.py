"""Models synthesize the correct pitch at the rates of their data."""

import gin
import numpy as np
import pytest
import tensorflow as tf

import ddsp
from ddsp import losses, playing, processors, synths
from ddsp.playing import bundle
from ddsp.training import (
    data,
    decoders,
    encoders,
    models,
    preprocessing,
    rate_bindings,
    rates,
    train_util,
)
from ddsp.training.data import manifest as manifests
from tests.training.composing import compose

RATES = [
    (16000, 250),
    (22050, 50),
    (24000, 250),
    (32000, 250),
    (44100, 100),
    (48000, 250),
]
SECS = 0.5
F0_HZ = 220.0
# With one harmonic, the loudest frequency is f0, also with an untrained decoder.
SMALL = [
    "RnnFcDecoder.rnn_channels=4",
    "RnnFcDecoder.ch=4",
    "RnnFcDecoder.output_splits=(('amps', 1), ('harmonic_distribution', 1), "
    "('noise_magnitudes', 5))",
]


def write_data(
    folder,
    sample_rate,
    frame_rate,
    with_manifest=True,
    secs=SECS,
    center=False,
    **extra,
):
    """Writes one example; returns the file pattern."""
    n_frames = round(secs * frame_rate) + center
    lengths = {
        "audio": round(secs * sample_rate),
        "f0_hz": n_frames,
        "f0_confidence": n_frames,
        "loudness_db": n_frames,
        **extra,
    }
    features = {
        name: tf.train.Feature(float_list=tf.train.FloatList(value=np.zeros(length)))
        for name, length in lengths.items()
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    with tf.io.TFRecordWriter(str(folder / "mine-00000-of-00001")) as writer:
        writer.write(example.SerializeToString())
    if with_manifest:
        data.Manifest(
            sample_rate=sample_rate,
            frame_rate=frame_rate,
            example_secs=secs,
            hop_secs=secs,
            center=center,
            features=lengths,
            pitch_tracker={},
            splits={"all": {"examples": 1, "shards": 1}},
            statistics={},
            recordings=[],
        ).write(manifests.path_for(str(folder / "mine")))
    return f"{folder}/mine-*"


def built(pattern, *params, config="papers/iclr2020/solo_instrument.gin"):
    """Returns model and data of `ddsp_run` with the flags of the README."""
    compose([config], [f"TFRecordProvider.file_pattern={pattern!r}", *SMALL, *params])
    provider = data.TFRecordProvider()
    with rate_bindings.derived(provider):
        model = models.get_model()
    rates.check(model, provider)
    return model, provider


def controls(n_frames):
    frames = tf.ones([1, n_frames, 1])
    return {"f0_hz": F0_HZ * frames, "loudness_db": -20.0 * frames}


def frequency(audio, sample_rate):
    """Frequency of the loudest partial, by parabolic interpolation of the spectrum.

    In a Hann window of 0.5 s it is off by less than 0.1 Hz; rates mistaken for one
    another are off by 9 % and more.
    """
    audio = np.asarray(audio, np.float64).reshape(-1)
    spectrum = np.log(np.abs(np.fft.rfft(audio * np.hanning(len(audio)))) + 1e-12)
    peak = int(np.argmax(spectrum))
    below, top, above = spectrum[peak - 1 : peak + 2]
    peak += 0.5 * (below - above) / (below - 2.0 * top + above)
    return peak * sample_rate / len(audio)


@pytest.mark.parametrize(("sample_rate", "frame_rate"), RATES)
def test_220_hz_at_the_rates_of_the_data(tmp_path, sample_rate, frame_rate):
    model, _ = built(write_data(tmp_path, sample_rate, frame_rate))
    n_samples, n_frames = round(SECS * sample_rate), round(SECS * frame_rate)
    assert model.sample_rate == sample_rate
    assert model.hop_size == sample_rate // frame_rate
    assert model.preprocessor.sample_rate == sample_rate
    assert model.preprocessor.time_steps == n_frames
    # The reverb has the same duration at every rate.
    assert model.processor_group.reverb._reverb_length == 3 * sample_rate
    audio = model(controls(n_frames), training=False)["audio_synth"]
    assert audio.shape == [1, n_samples]
    assert frequency(audio, sample_rate) == pytest.approx(F0_HZ, abs=0.5)

    # The same after loading, from the config only.
    run = tmp_path / "run"
    tf.train.Checkpoint(model=model).write(str(run / "ckpt-1"))
    train_util.write_gin_config(None, str(run), 1)
    gin.clear_config()
    loaded = models.load(run)
    assert loaded.preprocessor.frame_rate == frame_rate
    again = loaded(controls(n_frames), training=False)["audio_synth"]
    assert frequency(again, sample_rate) == pytest.approx(F0_HZ, abs=0.5)


def test_220_hz_in_a_bundle_and_in_blocks(tmp_path):
    sample_rate, frame_rate = 44100, 100
    model, _ = built(write_data(tmp_path, sample_rate, frame_rate))
    model.build_variables()
    run = tmp_path / "run"
    tf.train.Checkpoint(model=model).write(str(run / "ckpt-1"))
    train_util.write_gin_config(None, str(run), 1)
    path = bundle.write(tmp_path / "bundle", run, need_statistics=False)
    opened = ddsp.load(path)
    assert opened.info.sample_rate == sample_rate
    assert opened.info.frame_rate == frame_rate
    stream = playing.StreamingModel(opened.model, crepe_model=None, jit_compile=False)
    assert stream.sample_rate == sample_rate
    noise = np.random.default_rng(0).normal(scale=0.1, size=sample_rate)
    played = stream.process(noise.astype(np.float32), F0_HZ)
    settled = played[stream.latency_samples :]
    assert frequency(settled, sample_rate) == pytest.approx(F0_HZ, abs=0.5)


@pytest.mark.parametrize(
    "binding",
    [
        "TFRecordProvider.sample_rate=44100",
        "TFRecordProvider.frame_rate=100",
        "TFRecordProvider.example_secs=0.5",
    ],
)
def test_records_without_a_manifest(tmp_path, binding):
    pattern = write_data(tmp_path, 44100, 100, with_manifest=False)
    model, provider = built(pattern, binding)
    assert (provider.sample_rate, provider.frame_rate) == (44100, 100)
    assert (model.sample_rate, model.hop_size) == (44100, 441)


def test_audio_at_16_khz_tells_the_rates(tmp_path):
    pattern = write_data(tmp_path, 44100, 100, with_manifest=False, audio_16k=8000)
    model, _ = built(pattern)
    assert (model.sample_rate, model.hop_size) == (44100, 441)


def test_what_no_record_tells_is_asked_for(tmp_path):
    pattern = write_data(tmp_path, 44100, 100, with_manifest=False)
    with pytest.raises(ValueError, match=r"mine-00000.*TFRecordProvider\.sample_rate"):
        built(pattern)


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ("Harmonic.sample_rate=16000", r"Harmonic\.sample_rate=16000 contra.* 44100"),
        ("Harmonic.n_samples=64000", r"Harmonic\.n_samples=64000 contra.* 22050"),
        (
            "F0LoudnessPreprocessor.time_steps=1000",
            r"F0LoudnessPreprocessor\.time_steps=1000 contradicts.* 50",
        ),
        (
            "F0LoudnessPreprocessor.frame_rate=250",
            r"F0LoudnessPreprocessor\.frame_rate=250 contradicts.*manifest-mine",
        ),
        (
            "SpectralLoss.sample_rate=16000\nSpectralLoss.loudness_weight=1.0",
            r"SpectralLoss\.sample_rate=16000 contradicts",
        ),
        (
            "TFRecordProvider.sample_rate=16000",
            r"TFRecordProvider\.sample_rate=16000 contradicts.*44100 \(.*manifest-mine",
        ),
    ],
)
def test_a_binding_that_contradicts_the_data_is_named(tmp_path, binding, message):
    pattern = write_data(tmp_path, 44100, 100)
    with pytest.raises(ValueError, match=message):
        built(pattern, *binding.split("\n"))


def test_all_that_knows_a_rate_gets_it(tmp_path):
    model, _ = built(
        write_data(tmp_path, 44100, 100),
        "SpectralLoss.loudness_weight=1.0",
        "PretrainedCREPEEmbeddingLoss.weight=0.1",
        config="models/unsupervised_ae.gin",
    )
    assert model.encoder.sample_rate == 44100
    assert model.encoder.f0_encoder.hop_size == 441
    assert [loss.sample_rate for loss in model.loss_objs] == [44100, 44100]
    bound = gin.query_parameter("spectral_ops.compute_logmel.sample_rate")
    assert bound == 44100


def test_plug_in_configs_have_the_lengths_of_their_data(tmp_path):
    config = "models/vst/vst_48k.gin"
    dataset = ["train.data_provider=@data.TFRecordProvider()"]
    pattern = write_data(tmp_path, 48000, 50, secs=4, center=True)
    model, _ = built(pattern, *dataset, config=config)
    assert (model.sample_rate, model.hop_size) == (48000, 960)
    gin.clear_config()
    other = tmp_path / "other"
    other.mkdir()
    pattern = write_data(other, 48000, 50, secs=1, center=True)
    with pytest.raises(ValueError, match=r"n_samples=192960 contra.* 48960 \("):
        built(pattern, *dataset, config=config)


def test_data_of_another_rate_is_refused(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir(), second.mkdir()
    model, _ = built(write_data(first, 44100, 100))
    gin.clear_config()
    other = data.TFRecordProvider(write_data(second, 24000, 100))
    with pytest.raises(ValueError, match=r"sample_rate=44100 contradicts.* 24000 \("):
        rates.check(model, other)


def parts(**changes):
    settings = {
        "preprocessor": {"time_steps": 50, "frame_rate": 100, "sample_rate": 44100},
        "harmonic": {"n_samples": 22050, "sample_rate": 44100},
        "noise": {"n_samples": 22050},
        "loss": {"loudness_weight": 1.0, "sample_rate": 44100},
        "encoder": {"sample_rate": 44100},
    }
    settings = {name: settings[name] | changes.get(name, {}) for name in settings}
    settings = {
        name: {k: v for k, v in values.items() if v != "default"}
        for name, values in settings.items()
    }
    return {
        "preprocessor": preprocessing.F0LoudnessPreprocessor(
            **settings["preprocessor"]
        ),
        "encoder": encoders.MfccTimeDistributedRnnEncoder(4, **settings["encoder"]),
        "decoder": decoders.RnnFcDecoder(),
        "processor_group": processors.ProcessorGroup(
            [
                (synths.Harmonic(**settings["harmonic"]), ["a", "b", "f0_hz"]),
                (synths.FilteredNoise(**settings["noise"]), ["m"]),
                (processors.Add(), ["filtered_noise/signal", "harmonic/signal"]),
            ]
        ),
        "losses": [losses.SpectralLoss(**settings["loss"])],
    }


def test_layers_that_agree_make_a_model():
    assert models.Autoencoder(**parts()).hop_size == 441
    # Any length, with the hop of the rates.
    any_length = {"n_samples": None, "hop_size": 441}
    models.Autoencoder(**parts(harmonic=any_length, noise=any_length))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # Trained at 44.1 kHz, such a model synthesized 606 Hz instead of 220 Hz.
        (
            {"harmonic": {"sample_rate": "default"}},
            r"sample_rate.*=44100 and Harmonic\.sample_rate=16000 \(the default\)",
        ),
        (
            {"loss": {"sample_rate": "default"}},
            r"SpectralLoss\.sample_rate=16000 \(the default\)",
        ),
        (
            {"encoder": {"sample_rate": 16000}},
            r"MfccTimeDistributedRnnEncoder\.sample_rate=16000",
        ),
        (
            {"noise": {"n_samples": "default"}},
            r"Harmonic\.n_samples=22050 and FilteredNoise\.n_samples=64000 \(the def",
        ),
        # 1,000 frames for half a second.
        (
            {"preprocessor": {"time_steps": "default"}},
            r"make 441 samples.*n_samples=22050 and .*time_steps=1000.*make 22\.05",
        ),
        (
            {"harmonic": {"n_samples": None, "hop_size": 64}},
            r"make 441 samples per frame, got Harmonic\.hop_size=64",
        ),
    ],
)
def test_layers_that_disagree_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        models.Autoencoder(**parts(**changes))


# Operative config, including defaults that were not bound.
TRAINED = """
F0LoudnessPreprocessor.frame_rate = 250
F0LoudnessPreprocessor.sample_rate = 16000
F0LoudnessPreprocessor.time_steps = {time_steps}
FilteredNoise.n_samples = {n_samples}
Harmonic.n_samples = {n_samples}
Harmonic.sample_rate = {sample_rate}
"""


def loaded_from(tmp_path, **lengths):
    compose(["models/solo_instrument.gin"], SMALL)
    config = tmp_path / "operative_config-0.gin"
    config.write_text(gin.config_str() + TRAINED.format(**lengths))
    return models.loading.from_config(str(config))


@pytest.mark.parametrize(
    ("sample_rate", "n_samples", "time_steps", "frame_rate"),
    [(48000, 192000, 1000, 250), (16000, 64000, 500, 125), (44100, 22050, 50, 100)],
)
def test_defaults_in_the_config_of_a_run_give_way(
    tmp_path, sample_rate, n_samples, time_steps, frame_rate
):
    model = loaded_from(
        tmp_path, sample_rate=sample_rate, n_samples=n_samples, time_steps=time_steps
    )
    assert model.sample_rate == model.preprocessor.sample_rate == sample_rate
    assert model.preprocessor.frame_rate == frame_rate
    assert model.hop_size == n_samples // time_steps
    assert model.processor_group.reverb._reverb_length == 48000


def test_a_run_that_learned_another_rate_than_its_own_is_refused(tmp_path):
    # Data of 44.1 kHz, a synthesizer of 16 kHz.
    with pytest.raises(ValueError, match=r"make 64 samples per frame.*which make 441"):
        loaded_from(tmp_path, sample_rate=16000, n_samples=22050, time_steps=50)


def test_lengths_of_a_trained_model_give_way(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir(), second.mkdir()
    built(write_data(first, 44100, 100))
    config = gin.operative_config_str()
    gin.clear_config()
    with gin.unlock_config():
        gin.parse_config(config.replace("22050", "44100").replace("= 50", "= 100"))
        rate_bindings.loosen_lengths()
    assert gin.query_parameter("Harmonic.n_samples") == 44100
    provider = data.TFRecordProvider(write_data(second, 44100, 100))
    rate_bindings.bind(rates.of_data(provider))
    assert gin.query_parameter("Harmonic.n_samples") == 22050
    assert gin.query_parameter("F0LoudnessPreprocessor.time_steps") == 50
