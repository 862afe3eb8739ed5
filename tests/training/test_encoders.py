"""Encoders, compared with NumPy and with their components."""

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from ddsp import core, spectral_ops
from ddsp.training import encoders, nn, preprocessing

N_SAMPLES, N_FRAMES = 8000, 125


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def features(rng):
    def uniform(*shape):
        return tf.constant(rng.uniform(size=[2, *shape]), tf.float32)

    return {
        "audio": uniform(N_SAMPLES) - 0.5,
        "f0_scaled": uniform(N_FRAMES, 1),
        "ld_scaled": uniform(N_FRAMES, 1),
        "instrument": tf.constant([3, 1]),
        "f0_midi": 60.0 + 10.0 * uniform(N_FRAMES, 1),
        "loudness": -50.0 * uniform(N_FRAMES, 1),
        "amps": -50.0 * uniform(N_FRAMES, 1),
        "hd": -50.0 * uniform(N_FRAMES, 4),
        "noise": -50.0 * uniform(N_FRAMES, 3),
        "sin_freqs": 4000.0 * uniform(9, 5),
        "sin_amps": uniform(9, 5),
    }


def randomize(layer, rng):
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])


def standardized(x, axes):
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5)


def resampled(x, n):
    return np.asarray(core.resample(tf.constant(x, tf.float32), n))


def mfccs(audio, fft_size, mel_bins, mfcc_bins):
    return np.asarray(
        spectral_ops.compute_mfcc(audio, 20.0, 8000.0, fft_size, mel_bins, mfcc_bins)
    )


@pytest.mark.parametrize("skip_expand", [True, False])
def test_one_hot_encoder_looks_up_a_vector(features, skip_expand):
    encoder = encoders.OneHotEncoder(vocab_size=4, n_dims=3, skip_expand=skip_expand)
    z = encoder(features)["z"]
    expected = encoder.embedding.get_weights()[0][[3, 1]]
    if not skip_expand:
        expected = np.repeat(expected[:, None], N_FRAMES, axis=1)
    np.testing.assert_allclose(z, expected, atol=1e-7)


def test_aggregate_encoder_projects_the_mean(features, rng):
    encoder = encoders.AggregateFeaturesEncoder(4)
    encoder(features)
    randomize(encoder, rng)
    kernel, bias = encoder.get_weights()
    both = np.concatenate([features["f0_scaled"], features["ld_scaled"]], axis=-1)
    expected = both.mean(axis=1, keepdims=True) @ kernel + bias
    z = encoder(features)["z"]
    np.testing.assert_allclose(z, np.repeat(expected, N_FRAMES, 1), atol=1e-5)


def test_mfcc_encoder_joins_analyses(features):
    encoder = encoders.MfccEncoder((1024, 512), (64, 32), (10, 5), time_steps=50)
    analyses = [(1024, 64, 10), (512, 32, 5)]
    joined = np.concatenate(
        [resampled(mfccs(features["audio"], *a), 50) for a in analyses], axis=-1
    )
    expected = resampled(standardized(joined, 1), N_FRAMES)
    np.testing.assert_allclose(encoder(features)["z"], expected, atol=1e-4)


@pytest.mark.parametrize("mean_aggregate", [False, True])
def test_mfcc_rnn_encoder_is_one_vector_an_example(features, mean_aggregate, rng):
    encoder = encoders.MfccRnnEncoder(4, z_dims=3, mean_aggregate=mean_aggregate)
    z = encoder(features)["z"].numpy()
    assert z.shape == (2, N_FRAMES, 3)
    whole = nn.Rnn(4, "gru")
    x = standardized(mfccs(features["audio"], 1024, 128, 30), 1).astype(np.float32)
    whole(x)
    whole.set_weights(encoder.rnn.get_weights())
    states = whole(x).numpy()
    state = states.mean(1) if mean_aggregate else states[:, -1]
    kernel, bias = encoder.dense_z.get_weights()
    np.testing.assert_allclose(z[:, 0], state @ kernel + bias, atol=1e-4)
    np.testing.assert_allclose(z[:, -1], z[:, 0], atol=1e-6)


@pytest.mark.parametrize("pool_time", [True, False])
def test_expression_encoder(features, pool_time, rng):
    encoder = encoders.ExpressionEncoder(
        nn.Identity(), 3, ["ld_scaled", "f0_scaled"], pool_time=pool_time
    )
    encoder(features)
    randomize(encoder, rng)
    both = np.concatenate([features["ld_scaled"], features["f0_scaled"]], axis=-1)
    (scale, shift), (kernel, bias) = (
        layer.get_weights() for layer in (encoder.norm, encoder.dense_out)
    )
    expected = (standardized(both, (1, 2)) * scale[0] + shift[0]) @ kernel + bias
    if pool_time:
        expected = np.repeat(expected.mean(1, keepdims=True), N_FRAMES, axis=1)
    np.testing.assert_allclose(encoder(features)["z"], expected, atol=1e-4)


@pytest.mark.parametrize("keys", [("audio", "ld_scaled"), ("ld_scaled", "audio")])
def test_expression_encoder_puts_mfccs_behind_the_features(features, keys):
    encoder = encoders.ExpressionEncoder(
        nn.Identity(), 3, keys, mfcc_bins=6, pool_time=False
    )
    z = encoder(features)["z"]
    cepstrum = standardized(mfccs(features["audio"], 1024, 128, 6), 1)
    both = np.concatenate(
        [features["ld_scaled"], resampled(cepstrum, N_FRAMES)], axis=-1
    )
    kernel, bias = encoder.dense_out.get_weights()
    expected = standardized(both, (1, 2)) @ kernel + bias
    np.testing.assert_allclose(z, expected, atol=1e-4)


def test_expression_encoder_of_audio_alone(features):
    encoder = encoders.ExpressionEncoder(
        nn.Identity(), 3, ["audio"], mfcc_bins=6, pool_time=False
    )
    assert encoder(features)["z"].shape == [2, N_FRAMES, 3]


@pytest.mark.parametrize("f0_residual", [True, False])
@pytest.mark.parametrize(
    ("encoder_class", "keys"),
    [
        (encoders.MidiEncoder, ["f0_midi", "loudness"]),
        (encoders.HarmonicToMidiEncoder, ["f0_midi", "amps", "hd", "noise"]),
    ],
)
def test_note_encoders(encoder_class, keys, f0_residual, features, rng):
    encoder = encoder_class(nn.Identity(), f0_residual)
    encoder(features)
    randomize(encoder, rng)
    x = np.concatenate([features[key] for key in keys], axis=-1)
    (scale, shift), (kernel, bias) = (
        layer.get_weights() for layer in (encoder.norm, encoder.dense_out)
    )
    expected = (standardized(x, (1, 2)) * scale[0] + shift[0]) @ kernel + bias
    outputs = encoder(features)
    pitch = outputs["z_pitch"] - (features["f0_midi"] if f0_residual else 0.0)
    # The resolution of float32 at 70 is 8e-6.
    np.testing.assert_allclose(pitch, expected[..., :1], atol=1e-4)
    np.testing.assert_allclose(outputs["z_vel"], expected[..., 1:], atol=1e-4)


def test_sinusoidal_to_harmonic_encoder(features, rng):
    encoder = encoders.SinusoidalToHarmonicEncoder(
        nn.Identity(), n_harmonics=20, f0_depth=8, sample_rate=8000
    )
    encoder(features)
    randomize(encoder, rng)
    midi = core.hz_to_midi(features["sin_freqs"]) / core.hz_to_midi(4000.0)
    x = np.concatenate([midi, features["sin_amps"]], axis=-1)
    amp, shares, f0 = (
        x @ layer.get_weights()[0] + layer.get_weights()[1]
        for layer in (encoder.amp_out, encoder.hd_out, encoder.f0_out)
    )
    softmax = np.exp(f0) / np.exp(f0).sum(-1, keepdims=True)
    unit = (softmax * np.linspace(0, 1, 8)).sum(-1, keepdims=True)
    f0_hz = 20.0 * 60.0**unit
    shares = np.asarray(core.exp_sigmoid(shares))
    shares = np.where(f0_hz * np.arange(1, 21) < 4000.0, shares, 0.0)
    assert (shares == 0).any()
    outputs = encoder(features)
    np.testing.assert_allclose(outputs["f0_hz"], f0_hz, rtol=1e-4)
    np.testing.assert_allclose(outputs["harm_amp"], core.exp_sigmoid(amp), rtol=1e-3)
    expected = shares / shares.sum(-1, keepdims=True)
    np.testing.assert_allclose(outputs["harm_dist"], expected, rtol=1e-3, atol=1e-7)


def test_sinusoidal_to_harmonic_encoder_takes_a_network_of_dicts(features):
    class Net(keras.layers.Layer):
        def call(self, x):
            return {"out": x, "other": x[..., :1]}

    outputs = encoders.SinusoidalToHarmonicEncoder(
        Net(), freq_scale_fn=lambda x: 100.0 + 0.0 * x[..., :1]
    )(features)
    np.testing.assert_array_equal(outputs["f0_hz"], np.full([2, 9, 1], 100.0))
    assert outputs["harm_dist"].shape == [2, 9, 100]


def test_resnet_sinusoidal_encoder(features):
    encoder = encoders.ResnetSinusoidalEncoder((("frequencies", 12), ("amplitudes", 3)))
    outputs = encoder(features)
    # Frames of 2048 samples with an overlap of 75 %: a hop of 512.
    assert outputs["frequencies"].shape == [2, 16, 12]
    assert outputs["amplitudes"].shape == [2, 16, 3]
    alone = encoder(features["audio"][1:])
    # The summation order depends on the batch size.
    np.testing.assert_allclose(
        alone["frequencies"], outputs["frequencies"][1:], atol=1e-4
    )


def test_configs_set_the_spectrogram():
    with gin.unlock_config():
        gin.parse_config(
            """
            ResnetSinusoidalEncoder.spectral_fn = @f0/spectral_ops.compute_logmel
            f0/compute_logmel.bins = 40
            f0/compute_logmel.fft_size = 1024
            """
        )
        try:
            spectral_fn = encoders.ResnetSinusoidalEncoder().spectral_fn
            assert spectral_fn(tf.zeros([1, 2048])).shape == [1, 8, 40]
        finally:
            gin.clear_config()


def test_resnet_f0_encoder_is_the_mean_of_log_spaced_bins(features):
    encoder = encoders.ResnetF0Encoder("tiny")
    encoder(features)
    kernel, bias = encoder.dense_out.get_weights()
    for f0_bin in (0, 50, 127):
        encoder.dense_out.set_weights([0 * kernel, 100.0 * np.eye(128)[f0_bin]])
        outputs = encoder(features)
        hz = np.geomspace(8.2, 13300.0, 128)[f0_bin]
        np.testing.assert_allclose(outputs["f0_hz"], np.full([2, 125, 1], hz), 1e-4)
        midi = 69 + 12 * np.log2(hz / 440.0)
        np.testing.assert_allclose(outputs["f0_scaled"], midi / 127, atol=1e-5)
    # The mean of a uniform distribution on a logarithmic scale.
    encoder.dense_out.set_weights([0 * kernel, 0 * bias])
    middle = np.sqrt(8.2 * 13300.0)
    np.testing.assert_allclose(encoder(features)["f0_hz"][0, 0], [middle], rtol=1e-4)


def test_resnet_f0_encoder_at_other_rates(features):
    encoder = encoders.ResnetF0Encoder("tiny", frame_rate=100, sample_rate=8000)
    assert encoder(features)["f0_hz"].shape == [2, 100, 1]
    with pytest.raises(ValueError, match="got sample_rate=16000, frame_rate=252"):
        encoders.ResnetF0Encoder("tiny", frame_rate=252)


def test_f0_is_learned_through_synthesis(features):
    encoder = encoders.ResnetF0Encoder("tiny")
    with tf.GradientTape() as tape:
        f0_hz = encoder(features)["f0_hz"]
        amplitudes = tf.ones_like(f0_hz)
        audio = core.harmonic_synthesis(f0_hz, amplitudes, n_samples=N_SAMPLES)
        loss = tf.reduce_mean((audio - features["audio"]) ** 2)
    gradients = tape.gradient(loss, encoder.trainable_variables)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert max(np.abs(gradient).max() for gradient in gradients) > 1e-6


def test_pitch_of_an_encoder_replaces_that_of_the_batch(features):
    f0_encoder = encoders.ResnetF0Encoder("tiny")
    encoder = encoders.AggregateFeaturesEncoder(4, f0_encoder=f0_encoder)
    assert encoder.input_keys == ["ld_scaled", "audio"]
    outputs = encoder({k: features[k] for k in ("ld_scaled", "audio")})
    f0 = f0_encoder(features)
    expected = encoders.AggregateFeaturesEncoder(4)
    expected({**features, **f0})
    expected.set_weights(encoder.fc.get_weights())
    np.testing.assert_array_equal(outputs["f0_hz"], f0["f0_hz"])
    z = expected({**features, **f0})["z"]
    np.testing.assert_allclose(outputs["z"], z, atol=1e-6)
    scaled = preprocessing.scale_f0_hz(outputs["f0_hz"])
    np.testing.assert_allclose(outputs["f0_scaled"], scaled, atol=1e-6)


SMALL = [
    lambda: encoders.OneHotEncoder(vocab_size=4, n_dims=3),
    lambda: encoders.AggregateFeaturesEncoder(3),
    lambda: encoders.MfccEncoder(mfcc_bins=(5,)),
    lambda: encoders.MfccRnnEncoder(3, "lstm", 2),
    lambda: encoders.MfccTimeDistributedRnnEncoder(3, z_dims=2),
    lambda: encoders.ExpressionEncoder(nn.FcStack(3, 1), input_keys=("audio", "amps")),
    lambda: encoders.MidiEncoder(nn.FcStack(3, 1)),
    lambda: encoders.HarmonicToMidiEncoder(nn.FcStack(3, 1), False),
    lambda: encoders.SinusoidalToHarmonicEncoder(nn.FcStack(3, 1)),
]


def cases(*further):
    return pytest.mark.parametrize(
        "make", [*SMALL, *further], ids=lambda make: type(make()).__name__
    )


@cases(lambda: encoders.ResnetSinusoidalEncoder((("amplitudes", 2),)))
def test_config_round_trip(make, features):
    encoder = make()
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(encoder)
    )
    expected = encoder(features)
    copy(features)
    copy.set_weights(encoder.get_weights())
    outputs = copy(features)
    assert set(outputs) == set(encoder.output_keys)
    for name, value in expected.items():
        np.testing.assert_array_equal(outputs[name], value)


@cases(lambda: encoders.ResnetF0Encoder("tiny", 16))
def test_graphs_of_any_batch_and_length(make, features):
    encoder = make()
    inputs = {key: features[key] for key in encoder.input_keys}
    expected = encoder(inputs)

    def unknown(x):
        shape = [None] if len(x.shape) == 1 else [None, None, *x.shape[2:]]
        return tf.TensorSpec(shape, x.dtype)

    run = tf.function(
        lambda inputs: encoder(inputs),
        input_signature=[{key: unknown(x) for key, x in inputs.items()}],
    )
    for name, value in run(inputs).items():
        # Kernels differ; frequencies have a relative tolerance.
        np.testing.assert_allclose(value, expected[name], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "encoder_class",
    [
        encoders.ExpressionEncoder,
        encoders.MidiEncoder,
        encoders.HarmonicToMidiEncoder,
        encoders.SinusoidalToHarmonicEncoder,
    ],
)
def test_a_missing_network_is_refused(encoder_class):
    with pytest.raises(ValueError, match="requires a network"):
        encoder_class()


def test_sizes_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match=r"must have equal lengths, got \[1024, 512\]"):
        encoders.MfccEncoder(fft_sizes=(1024, 512))
