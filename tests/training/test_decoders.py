"""Encoders and decoders: shapes, parameter counts, streaming."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddsp.training import decoders, encoders

SPLITS = (("amps", 1), ("harmonic_distribution", 6))


def n_trainable(layer):
    return sum(int(np.prod(v.shape)) for v in layer.trainable_variables)


@pytest.fixture
def features():
    rng = np.random.default_rng(0)
    return {
        "ld_scaled": rng.uniform(size=[2, 9, 1]).astype(np.float32),
        "f0_scaled": rng.uniform(size=[2, 9, 1]).astype(np.float32),
        "z": rng.normal(size=[2, 9, 4]).astype(np.float32),
    }


@pytest.mark.parametrize("layers_per_stack", [0, 1, 3])
@pytest.mark.parametrize("rnn_type", ["gru", "lstm"])
def test_decoder(layers_per_stack, rnn_type, features):
    decoder = decoders.RnnFcDecoder(
        16, rnn_type, 8, layers_per_stack, output_splits=SPLITS
    )
    outputs = decoder(features)
    assert {k: tuple(v.shape) for k, v in outputs.items()} == {
        "amps": (2, 9, 1),
        "harmonic_distribution": (2, 9, 6),
    }

    def stack(n_in):
        return sum(n * 8 + 3 * 8 for n in [n_in, 8, 8][:layers_per_stack])

    channels = 3 * 8 if layers_per_stack else 1 + 1 + 4
    if rnn_type == "gru":
        rnn = 3 * 16 * (channels + 16 + 2)
    else:
        rnn = 4 * 16 * (channels + 16 + 1)
    stacks = stack(1) + stack(1) + stack(4) + stack(channels + 16)
    dense = ((8 if layers_per_stack else channels + 16) + 1) * 7
    assert n_trainable(decoder) == stacks + rnn + dense


@pytest.mark.parametrize(("rnn_type", "n_state"), [("gru", 16), ("lstm", 32)])
def test_stateless_decoder_in_blocks_is_the_decoder(rnn_type, n_state, features):
    settings = {"rnn_channels": 16, "rnn_type": rnn_type, "ch": 8}
    decoder = decoders.RnnFcDecoder(**settings)
    whole = decoder(features)
    stateless = decoders.RnnFcDecoder(**settings, stateless=True)
    assert stateless.input_keys[-1] == stateless.output_keys[-1] == "state"

    state = {"state": tf.zeros([2, n_state])}
    stateless(features, state)
    stateless.set_weights(decoder.get_weights())
    blocks = []
    for start, stop in [(0, 2), (2, 3), (3, 9)]:
        outputs = stateless({k: v[:, start:stop] for k, v in features.items()}, state)
        state = {"state": outputs["state"]}
        blocks.append(outputs["amps"])
    np.testing.assert_allclose(np.concatenate(blocks, axis=1), whole["amps"], atol=1e-5)


def test_decoder_config_round_trip(features):
    decoder = decoders.RnnFcDecoder(16, ch=8, layers_per_stack=1, output_splits=SPLITS)
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(decoder)
    )
    decoder(features), copy(features)
    copy.set_weights(decoder.get_weights())
    np.testing.assert_array_equal(copy(features)["amps"], decoder(features)["amps"])


def test_decoder_takes_unknown_lengths(features):
    decoder = decoders.RnnFcDecoder(16, ch=8, input_keys=("ld_scaled", "f0_scaled"))

    @tf.function(input_signature=[tf.TensorSpec([None, None, 1])] * 2)
    def decode(ld_scaled, f0_scaled):
        return decoder(ld_scaled, f0_scaled)["amps"]

    inputs = features["ld_scaled"], features["f0_scaled"]
    np.testing.assert_allclose(decode(*inputs), decoder(*inputs)["amps"], atol=1e-5)


@pytest.mark.parametrize(
    ("z_time_steps", "hop"),
    [(63, 1024), (125, 512), (250, 256), (500, 128), (1000, 64)],
)
def test_encoder(z_time_steps, hop, features):
    encoder = encoders.MfccTimeDistributedRnnEncoder(
        rnn_channels=8, z_dims=4, z_time_steps=z_time_steps
    )
    rng = np.random.default_rng(0)
    audio = rng.normal(scale=0.1, size=[2, 8192]).astype(np.float32)
    assert encoder.compute_z(audio).shape == [2, 8192 // hop, 4]
    z = encoder({"audio": audio, **features})["z"]
    assert z.shape == [2, 9, 4]
    assert np.all(np.isfinite(z)) and np.std(z) > 0
    gru, dense, norm = 3 * 8 * (30 + 8 + 2), (8 + 1) * 4, 2 * 30
    assert n_trainable(encoder) == gru + dense + norm


def test_encoder_holds_one_z_over_time():
    encoder = encoders.ZEncoder(input_keys=["audio"])
    z = encoder.expand_z(tf.constant([[1.0, 2.0]]), 3)
    np.testing.assert_array_equal(z, [[[1.0, 2.0]] * 3])


def test_encoder_refuses_unknown_steps():
    with pytest.raises(ValueError, match="got 100"):
        encoders.MfccTimeDistributedRnnEncoder(z_time_steps=100)
