"""A model that listens and plays at once, compared with it offline."""

import gin
import numpy as np
import pytest
import tensorflow as tf

from ddsp import effects, processors, spectral_ops, synths
from ddsp.playing import PitchStream, StreamingModel
from ddsp.training import decoders, encoders, gin_files, models, preprocessing

RATE = 16000
HOP = 64
N_HOPS = 50
N_SAMPLES = N_HOPS * HOP
REVERB_LENGTH = 1000


def make_model(preprocessor=None, encoder=None, level="ld_scaled"):
    """Harmonics, noise and a reverb, with random weights."""
    tf.keras.utils.set_random_seed(0)
    dag = [
        (synths.Harmonic(n_samples=6400), ["amps", "harmonic_distribution", "f0_hz"]),
        (synths.FilteredNoise(n_samples=6400, seed=5), ["noise_magnitudes"]),
        (processors.Add(), ["harmonic/signal", "filtered_noise/signal"]),
        (effects.Reverb(trainable=True, reverb_length=REVERB_LENGTH), ["add/signal"]),
    ]
    splits = [("amps", 1), ("harmonic_distribution", 8), ("noise_magnitudes", 9)]
    model = models.Autoencoder(
        preprocessor=preprocessor or preprocessing.F0LoudnessPreprocessor(100),
        encoder=encoder,
        decoder=decoders.RnnFcDecoder(
            rnn_channels=16,
            ch=16,
            layers_per_stack=1,
            input_keys=(level, "f0_scaled"),
            output_splits=splits,
        ),
        processor_group=processors.ProcessorGroup(dag),
    )
    model.build_variables()
    decay = np.exp(-np.arange(REVERB_LENGTH) / 200.0)
    response = 0.3 * np.random.default_rng(0).normal(size=REVERB_LENGTH) * decay
    model.processor_group.processors[-1].trainable_variables[0].assign(response)
    return model


@pytest.fixture(scope="module")
def model_of():
    return {
        padding: make_model(preprocessing.F0LoudnessPreprocessor(100, padding=padding))
        for padding in ("causal", "center")
    }


@pytest.fixture(scope="module")
def stream_of(model_of):
    """Streams to which the pitch is given, by padding and block size."""
    made = {}

    def make(padding="causal", block_size=None):
        key = padding, block_size
        if key not in made:
            made[key] = StreamingModel(
                model_of[padding], block_size, crepe_model=None, jit_compile=False
            )
        stream = made[key]
        stream.reset()
        stream.pitch_shift = stream.loudness_shift = stream.gain = 0.0
        return stream

    return make


def recording(n_samples=N_SAMPLES):
    time = np.arange(n_samples) / RATE
    swell = 0.3 * np.sin(np.pi * np.arange(n_samples) / n_samples)
    tone = np.sin(2.0 * np.pi * 330.0 * time) + 0.5 * np.sin(2.0 * np.pi * 990.0 * time)
    noise = 0.02 * np.random.default_rng(1).normal(size=n_samples)
    return (swell * tone + noise).astype(np.float32)


def pitches(n_hops=N_HOPS):
    wander = np.cumsum(np.random.default_rng(2).normal(size=n_hops)) / 60.0
    return (330.0 * 2.0**wander).astype(np.float32)


def offline(model, audio, f0_hz, loudness_shift=0.0):
    """What the model makes of a whole recording, given its features."""
    n_frames = -(-len(audio) // HOP)
    audio = np.pad(audio, (0, n_frames * HOP - len(audio)))
    loudness = spectral_ops.compute_loudness(audio, padding=model.preprocessor.padding)
    features = {
        "f0_hz": f0_hz[np.newaxis, :n_frames],
        "loudness_db": loudness[np.newaxis, :n_frames] + loudness_shift,
    }
    outputs = model(features, training=False, n_samples=n_frames * HOP)
    return outputs["audio_synth"][0].numpy()


def play(stream, audio, sizes, f0_hz=None):
    """All blocks and what is owed at the end, the latency off."""
    done, parts = 0, []
    for size in sizes:
        block = audio[done : done + size]
        hops = slice(done // HOP, (done + size) // HOP)
        given = None if f0_hz is None else f0_hz[hops]
        part = stream.process(block, given)
        assert part.shape == block.shape
        assert part.dtype == np.float32
        parts.append(part)
        done += size
    rest = stream.flush()
    assert rest.shape == (stream.latency_samples,)
    played = np.concatenate([*parts, rest])
    # Nothing sounds before the beginning.
    np.testing.assert_array_equal(played[: stream.latency_samples], 0.0)
    return played[stream.latency_samples :]


def assert_same(played, whole):
    """To 1e-5 of the peak: float32, summed in another order."""
    bound = 1e-5 * max(1.0, np.max(np.abs(whole)))
    np.testing.assert_allclose(played, whole[: len(played)], atol=bound)


def any_sizes(n_samples, seed, largest=400):
    rng = np.random.default_rng(seed)
    sizes = []
    while sum(sizes) < n_samples:
        size = int(rng.integers(1, largest))
        sizes.append(min(size, n_samples - sum(sizes)))
    return sizes


@pytest.mark.parametrize("padding", ["causal", "center"])
@pytest.mark.parametrize("seed", [0, 1])
def test_blocks_of_any_size_are_the_whole(model_of, stream_of, padding, seed):
    audio, f0_hz = recording(), pitches()
    # The larger ones take the way that plays many hops at a time.
    sizes = any_sizes(N_SAMPLES, seed, largest=200 if seed else 2500)
    played = play(stream_of(padding), audio, sizes, f0_hz)
    whole = offline(model_of[padding], audio, f0_hz)
    assert np.max(np.abs(whole)) > 0.05
    assert len(played) == N_SAMPLES
    assert_same(played, whole)


@pytest.mark.parametrize("padding", ["causal", "center"])
@pytest.mark.parametrize("block_size", [64, 100, 160, 256])
def test_blocks_of_one_size_are_the_whole(model_of, stream_of, padding, block_size):
    n_blocks = N_SAMPLES // block_size
    audio, f0_hz = recording(n_blocks * block_size), pitches()
    stream = stream_of(padding, block_size)
    played = play(stream, audio, [block_size] * n_blocks, f0_hz)
    f0_hz = np.append(f0_hz[: len(audio) // HOP], f0_hz[len(audio) // HOP - 1])
    assert_same(played, offline(model_of[padding], audio, f0_hz))


def test_a_last_hop_that_is_not_whole_is_filled_with_silence(model_of, stream_of):
    audio = recording(N_SAMPLES - 30)
    f0_hz = pitches()
    f0_hz[-1] = f0_hz[-2]
    played = play(stream_of("center"), audio, any_sizes(len(audio), 3), f0_hz)
    assert len(played) == len(audio)
    assert_same(played, offline(model_of["center"], audio, f0_hz))


def test_compiled_it_plays_the_same(model_of):
    audio, f0_hz = recording(), pitches()
    stream = StreamingModel(model_of["causal"], HOP, crepe_model=None)
    played = play(stream, audio, [HOP] * N_HOPS, f0_hz)
    assert_same(played, offline(model_of["causal"], audio, f0_hz))


def test_power_instead_of_loudness():
    """The preprocessor of models for plug-ins, which measures power in the audio."""
    preprocessor = preprocessing.F0PowerPreprocessor(
        100, frame_size=256, padding="causal"
    )
    model = make_model(preprocessor, level="pw_scaled")
    audio, f0_hz = recording(), pitches()
    stream = StreamingModel(model, HOP, crepe_model=None, jit_compile=False)
    played = play(stream, audio, [HOP] * N_HOPS, f0_hz)
    power = spectral_ops.compute_power(audio, frame_size=256, padding="causal")
    features = {"f0_hz": f0_hz[np.newaxis], "power_db": power[np.newaxis]}
    whole = model(features, training=False, n_samples=N_SAMPLES)["audio_synth"][0]
    assert_same(played, whole.numpy())


@pytest.mark.parametrize("pitch_padding", ["causal", "center"])
def test_pitch_that_is_tracked(model_of, pitch_padding):
    model = model_of["causal"]
    stream = StreamingModel(model, 160, pitch_padding=pitch_padding, jit_compile=False)
    audio = recording()
    f0_hz, _ = PitchStream(padding=pitch_padding).whole(audio[np.newaxis])
    played = play(stream, audio, [160] * (N_SAMPLES // 160))
    whole = offline(model, audio, f0_hz[0])
    # The tracker, compiled and in other batches, differs in the last digits of the
    # pitch, which the phase adds up.
    np.testing.assert_allclose(played, whole, atol=5e-3 * np.max(np.abs(whole)))


def test_changes_while_it_plays(model_of, stream_of):
    """Half of it an octave higher and softer, as if it had been played so."""
    audio, f0_hz = recording(), pitches()
    stream = stream_of("causal", HOP)
    half = N_HOPS // 2
    parts = [
        stream.process(audio[i * HOP : (i + 1) * HOP], f0_hz[i : i + 1])
        for i in range(half)
    ]
    stream.pitch_shift, stream.loudness_shift = 12.0, -6.0
    parts += [
        stream.process(audio[i * HOP : (i + 1) * HOP], f0_hz[i : i + 1])
        for i in range(half, N_HOPS)
    ]
    played = np.concatenate([*parts, stream.flush()])[stream.latency_samples :]
    later = np.arange(N_HOPS) >= half
    whole = offline(
        model_of["causal"],
        audio,
        np.where(later, 2.0 * f0_hz, f0_hz),
        np.where(later, -6.0, 0.0).astype(np.float32),
    )
    assert_same(played, whole)


def test_gain_amplifies_what_comes_after_it(stream_of):
    audio, f0_hz = recording(), pitches()
    stream = stream_of("causal", HOP)
    plain = play(stream, audio, [HOP] * N_HOPS, f0_hz)
    stream.reset()
    stream.gain = -20.0
    np.testing.assert_allclose(
        play(stream, audio, [HOP] * N_HOPS, f0_hz), 0.1 * plain, atol=1e-6
    )


@pytest.mark.parametrize("value", [float("nan"), 1500.0, -1e30])
@pytest.mark.parametrize("name", ["pitch_shift", "loudness_shift", "gain"])
def test_settings_out_of_range_are_refused(stream_of, name, value):
    stream = stream_of("causal", HOP)
    setattr(stream, name, value)
    with pytest.raises(ValueError, match=f"`{name}` must be between .*, got"):
        stream.process(np.zeros(HOP, np.float32), 440.0)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_state_stays_sound_at_the_ends_of_every_range(stream_of, sign):
    stream = stream_of("causal", HOP)
    stream.pitch_shift, stream.loudness_shift = sign * 120.0, sign * 240.0
    stream.gain = sign * 240.0
    loud = np.resize(np.float32([1e12, -1e12, 1e12]), HOP)
    for block, f0_hz in [(loud, 1e12), (0.0 * loud, 0.0)]:
        assert np.all(np.isfinite(stream.process(block, f0_hz)))
    for x in tf.nest.flatten(stream.state()["model"]):
        assert np.all(np.isfinite(x))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_what_a_graph_is_given_is_bounded(model_of, bad):
    """Where nothing can be refused: in compiled and exported forms."""
    x = tf.constant([[[bad], [440.0]]], tf.float32)
    features = model_of["causal"].preprocessor.scale(x, -x)
    assert all(np.all(np.isfinite(y)) for y in features.values())
    assert features["f0_hz"][0, 1] == 440.0
    if np.isnan(bad):  # silence
        assert features["f0_hz"][0, 0] == 0.0
        assert features["ld_scaled"][0, 0] == 0.0


@pytest.mark.parametrize("block_size", [None, 100])
def test_a_state_is_gone_on_from(stream_of, block_size):
    audio, f0_hz = recording(), pitches()
    stream = stream_of("center", block_size)
    size = block_size or 150

    def blocks(start, stop):
        return [
            stream.process(
                audio[i * size : (i + 1) * size],
                f0_hz[i * size // HOP : (i + 1) * size // HOP],
            )
            for i in range(start, stop)
        ]

    blocks(0, 9)
    state = stream.state()
    first = [*blocks(9, 16), stream.flush()]
    stream.reset()
    blocks(0, 3)
    stream.restore(state)
    again = [*blocks(9, 16), stream.flush()]
    np.testing.assert_array_equal(np.concatenate(again), np.concatenate(first))


def test_a_state_with_tracked_pitch_is_gone_on_from(model_of):
    stream = StreamingModel(model_of["causal"], 256, jit_compile=False)
    audio = recording(256 * 12).reshape(12, 256)
    for block in audio[:6]:
        stream.process(block)
    state = stream.state()
    first = [stream.process(block) for block in audio[6:]]
    stream.reset()
    stream.restore(state)
    again = [stream.process(block) for block in audio[6:]]
    np.testing.assert_array_equal(again, first)


def test_reset_begins_anew(stream_of):
    audio, f0_hz = recording(), pitches()
    stream = stream_of("center")
    first = play(stream, audio, any_sizes(N_SAMPLES, 5), f0_hz)
    stream.reset()
    again = play(stream, audio, any_sizes(N_SAMPLES, 5), f0_hz)
    np.testing.assert_array_equal(again, first)


def test_what_is_no_state_is_refused(stream_of):
    with pytest.raises(ValueError, match="got"):
        stream_of("center", HOP).restore({"model": None})


@pytest.mark.parametrize("other", [("causal", HOP), ("center", None)])
def test_a_state_of_another_stream_is_refused(stream_of, other):
    state = stream_of(*other).state()
    with pytest.raises(ValueError, match="got"):
        stream_of("center", HOP).restore(state)


def test_what_is_kept_does_not_grow(stream_of):
    stream = stream_of("center")
    audio = recording(100)

    def size():
        leaves = tf.nest.flatten(stream.state())
        return sum(np.size(leaf) for leaf in leaves)

    sizes = []
    for _ in range(200):
        n_hops = (len(stream.state()["input"]) + 100) // HOP
        stream.process(audio, np.full(n_hops, 440.0))
        sizes.append(size())
    # What waits for its hop to be full comes and goes.
    assert max(sizes[100:]) <= max(sizes[:100])


@pytest.mark.parametrize(
    ("padding", "block_size", "synthesis", "features", "buffering"),
    [
        ("causal", 64, 64, 0, 0),
        ("causal", 128, 64, 0, 0),
        ("causal", 100, 64, 0, 60),
        ("causal", 96, 64, 0, 32),
        ("causal", None, 64, 0, 63),
        # A centered frame of 512 ends 256 samples after the start of its hop.
        ("center", 64, 64, 192, 0),
    ],
)
def test_where_the_latency_comes_from(
    stream_of, padding, block_size, synthesis, features, buffering
):
    stream = stream_of(padding, block_size)
    latency = stream.latency
    assert latency.synthesis == synthesis
    assert latency.features == features
    assert latency.buffering == buffering
    assert stream.latency_samples == synthesis + features + buffering
    np.testing.assert_allclose(stream.latency_ms, stream.latency_samples / 16.0)


def test_the_config_for_real_time_stays_within_ten_milliseconds():
    with gin.unlock_config():
        gin.clear_config()
        gin.add_config_file_search_path(gin_files.config_dir())
        gin.parse_config_file("models/realtime.gin")
        model = models.get_model()
        gin.clear_config()
    model.build_variables()
    stream = StreamingModel(model, 64, crepe_model=None, jit_compile=False)
    assert stream.latency.features == stream.latency.buffering == 0
    assert stream.latency.synthesis == stream.hop_size == 64
    # The block itself has to be full before it can be played.
    assert stream.latency.ms(64 + stream.latency_samples) <= 10.0


@pytest.mark.parametrize(
    ("audio", "error", "message"),
    [
        (np.zeros([1, 64], np.float32), ValueError, r"got shape \(1, 64\)"),
        (np.float32(0.0), ValueError, r"got shape \(\)"),
        (np.zeros(64), TypeError, "got float64"),
        (np.zeros(64, np.int16), TypeError, "got int16"),
        (np.zeros(65, np.float32), ValueError, "got 65"),
        (np.full(64, np.nan, np.float32), ValueError, "got nan"),
        (np.full(64, np.inf, np.float32), ValueError, "got inf"),
        (np.full(64, 3e38, np.float32), ValueError, r"got 3e\+38"),
    ],
)
def test_blocks_that_cannot_be(stream_of, audio, error, message):
    with pytest.raises(error, match=message):
        stream_of("causal", 64).process(audio, 440.0)


@pytest.mark.parametrize(
    ("f0_hz", "message"),
    [
        (None, "got f0_hz=None"),
        ([440.0, 440.0], r"got shape \(2,\)"),
        (np.nan, "got nan"),
        (-1.0, r"got -1\."),
    ],
)
def test_pitch_that_cannot_be(stream_of, f0_hz, message):
    with pytest.raises(ValueError, match=message):
        stream_of("causal", 64).process(np.zeros(64, np.float32), f0_hz)


def test_a_refused_block_leaves_the_stream_as_it_was(model_of, stream_of):
    audio, f0_hz = recording(), pitches()
    stream = stream_of("causal")
    first = stream.process(audio[:100], f0_hz[:1])
    for bad in (None, np.nan, [1.0, 2.0]):
        with pytest.raises(ValueError, match="got"):
            stream.process(audio[100:300], bad)
    for bad in (np.nan, 3e38):
        with pytest.raises(ValueError, match="got"):
            stream.process(np.append(audio[100:299], np.float32(bad)), f0_hz[1:4])
    stream.pitch_shift = 1500.0
    with pytest.raises(ValueError, match="got 1500"):
        stream.process(audio[100:300], f0_hz[1:4])
    stream.pitch_shift = 0.0
    rest = stream.process(audio[100:], f0_hz[1:])
    played = np.concatenate([first, rest, stream.flush()])[stream.latency_samples :]
    assert_same(played, offline(model_of["causal"], audio, f0_hz))


def test_pitch_beside_a_tracker_is_refused(model_of):
    stream = StreamingModel(model_of["causal"], 64, jit_compile=False)
    with pytest.raises(ValueError, match=r"got f0_hz=440\.0"):
        stream.process(np.zeros(64, np.float32), 440.0)


def test_another_rate_is_refused(model_of, stream_of):
    with pytest.raises(ValueError, match="got sample_rate=44100"):
        StreamingModel(model_of["causal"], 64, crepe_model=None, sample_rate=44100)
    with pytest.raises(ValueError, match="got sample_rate=48000"):
        stream_of("causal", 64).process(
            np.zeros(64, np.float32), 440.0, sample_rate=48000
        )


def test_an_encoder_hears_the_whole():
    model = make_model(encoder=encoders.MfccTimeDistributedRnnEncoder(rnn_channels=4))
    with pytest.raises(ValueError, match="got encoder="):
        StreamingModel(model, 64, crepe_model=None)


def test_blocks_must_have_a_size(model_of):
    with pytest.raises(ValueError, match="got 0"):
        StreamingModel(model_of["causal"], 0, crepe_model=None)
