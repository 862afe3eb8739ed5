"""Models of the original in its checkpoints: MIDI autoencoder, inverse synthesis."""

import gin
import tensorflow as tf

from ddsp.training import decoders, encoders, models, nn, preprocessing
from tests.training import keras2
from tests.training import original_layers as original

TIME, HOP = 32, 64
SPLITS = (("amplitudes", 1), ("harmonic_distribution", 4), ("magnitudes", 5))


def normed_net(n_in, ch, n_out):
    """Convolutional network, normalization and dense layer."""
    return {
        "net": original.dilated_conv_stack(n_in, ch, 2),
        "norm": original.norm(ch),
        "dense_out": keras2.dense(ch, n_out),
    }


def of_normed_net(layer, path):
    return [
        *original.of_conv_stack(layer.net, f"{path}/net"),
        *original.of_norm(layer.norm, f"{path}/norm"),
        *original.of_dense(layer.dense_out, f"{path}/dense_out"),
    ]


def conv_stack(conditional=False):
    return nn.DilatedConvStack(8, 2, 1, norm_type="layer", conditional=conditional)


def test_midi_autoencoder_with_latent_variables(tmp_path):
    gin.parse_config(
        f"Harmonic.n_samples = {TIME * HOP}\nFilteredNoise.n_samples = {TIME * HOP}"
    )
    magnitudes = {"magnitudes": (500, 32)}
    magnitudes["_magnitudes"] = magnitudes["magnitudes"]
    midi_decoder = normed_net(1, 8, 11)
    midi_decoder["net"] = original.dilated_conv_stack(1, 8, 2, n_z=6)
    values = keras2.write(
        tmp_path / "ckpt-4",
        {
            "synthcoder": {
                "dilated_conv_stack": original.dilated_conv_stack(2, 8, 2, n_z=4),
                "dense_out": keras2.dense(8, 10),
            },
            "midi_encoder": normed_net(11, 8, 2),
            "midi_decoder": midi_decoder,
            "z_synth_encoders": keras2.listed({"embedding": {"embeddings": (7, 4)}}),
            "z_global_encoders": keras2.listed(normed_net(11, 8, 3)),
            "z_note_encoder": normed_net(2, 8, 5),
            "z_preconditioning_stack": {
                "stack": original.fc_stack(8, 4, 2),
                "dense_out": keras2.dense(4, 6),
            },
            "processor_group": {"reverb": magnitudes},
        },
    )
    model = models.ZMidiAutoencoder(
        synthcoder=decoders.DilatedConvDecoder(
            8,
            layers_per_stack=2,
            stacks=1,
            conditioning_keys=("z",),
            output_splits=SPLITS,
        ),
        midi_encoder=encoders.HarmonicToMidiEncoder(conv_stack()),
        midi_decoder=decoders.MidiToHarmonicDecoder(
            conv_stack(conditional=True), output_splits=(("f0_midi", 1), *SPLITS)
        ),
        preprocessor=preprocessing.F0LoudnessPreprocessor(TIME),
        z_synth_encoders=[
            encoders.OneHotEncoder("instrument_id", vocab_size=7, n_dims=4)
        ],
        z_global_encoders=[
            encoders.ExpressionEncoder(
                conv_stack(),
                z_dims=3,
                input_keys=("f0_scaled", "amps_scaled", "hd_scaled", "noise_scaled"),
            )
        ],
        z_note_encoder=encoders.ExpressionEncoder(
            conv_stack(), z_dims=5, pool_time=False
        ),
        z_preconditioning_stack=nn.FcStackOut(ch=4, layers=2, n_out=6),
    )
    frames = tf.ones([1, TIME, 1])
    batch = {
        "audio": tf.zeros([1, TIME * HOP]),
        "f0_hz": 440.0 * frames,
        "loudness_db": -30.0 * frames,
        "instrument_id": tf.constant([[3]]),
    }
    model(batch, training=False)
    model.restore(str(tmp_path))
    stack = model.z_preconditioning_stack
    convs = model.synthcoder.dilated_conv_stack
    expected = [
        *original.of_conv_stack(convs, "synthcoder/dilated_conv_stack"),
        *original.of_dense(model.synthcoder.dense_out, "synthcoder/dense_out"),
        *of_normed_net(model.midi_encoder, "midi_encoder"),
        *of_normed_net(model.midi_decoder, "midi_decoder"),
        (
            model.z_synth_encoders[0].embedding.embeddings,
            "z_synth_encoders/0/embedding/embeddings",
        ),
        *of_normed_net(model.z_global_encoders[0], "z_global_encoders/0"),
        *of_normed_net(model.z_note_encoder, "z_note_encoder"),
        *original.of_fc_stack(stack.stack, "z_preconditioning_stack/stack"),
        *original.of_dense(stack.dense_out, "z_preconditioning_stack/dense_out"),
        (
            model.processor_group.reverb.trainable_variables[0],
            "processor_group/reverb/magnitudes",
        ),
    ]
    original.assert_arrived(model, values, expected)


def test_inverse_synthesis(tmp_path):
    """Residual network, followed by a recurrent layer between dense stacks."""
    # 64 mel bands, halved by every strided layer.
    n_flat = 512 * 64 // 32
    values = keras2.write(
        tmp_path / "ckpt-4",
        {
            "sinusoidal_encoder": {
                "resnet": original.resnet(1, 16, [2, 2, 2]),
                "dense_outs": keras2.listed(
                    keras2.dense(n_flat, 3 * 64),
                    keras2.dense(n_flat, 3),
                    keras2.dense(n_flat, 5),
                ),
            },
            "harmonic_encoder": {
                "net": keras2.sequential(
                    original.fc_stack(6, 4, 2),
                    {"rnn": keras2.gru(4, 8)},
                    original.fc_stack(8, 4, 2),
                ),
                "amp_out": keras2.dense(4, 1),
                "hd_out": keras2.dense(4, 6),
                "f0_out": keras2.dense(4, 64),
            },
        },
    )
    model = models.InverseSynthesis(
        sinusoidal_encoder=encoders.ResnetSinusoidalEncoder(
            output_splits=(
                ("frequencies", 3 * 64),
                ("amplitudes", 3),
                ("noise_magnitudes", 5),
            ),
            size="tiny",
        ),
        harmonic_encoder=encoders.SinusoidalToHarmonicEncoder(
            nn.RnnSandwich(fc_stack_ch=4, fc_stack_layers=2, rnn_ch=8), n_harmonics=6
        ),
        reverb=False,
        n_samples=4096,
    )
    model.restore(str(tmp_path))
    encoder, harmonic = model.sinusoidal_encoder, model.harmonic_encoder
    first, rnn, last = harmonic.net.layers
    within = "harmonic_encoder/net/layer_with_weights"
    expected = [
        *original.of_resnet(encoder.resnet, "sinusoidal_encoder/resnet"),
        *original.of_fc_stack(first, f"{within}-0"),
        *original.of_rnn(rnn.rnn, f"{within}-1/rnn"),
        *original.of_fc_stack(last, f"{within}-2"),
    ]
    for i, dense in enumerate(encoder.dense_outs):
        expected += original.of_dense(dense, f"sinusoidal_encoder/dense_outs/{i}")
    for name in ("amp_out", "hd_out", "f0_out"):
        dense = getattr(harmonic, name)
        expected += original.of_dense(dense, f"harmonic_encoder/{name}")
    original.assert_arrived(model, values, expected)
