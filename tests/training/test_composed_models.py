"""Training of the models of the original, made smaller by overrides."""

import gin
import numpy as np
import pytest
import tensorflow as tf

from ddsp.training import models, train_util, trainers
from tests.training.composing import compose

BATCH = 2
HOP, N_FRAMES = 64, 32
N_SAMPLES = HOP * N_FRAMES

SPECTRAL = ["SpectralLoss.fft_sizes=(256, 64)"]
SOLO = [
    *SPECTRAL,
    f"F0LoudnessPreprocessor.time_steps={N_FRAMES}",
    f"Harmonic.n_samples={N_SAMPLES}",
    f"FilteredNoise.n_samples={N_SAMPLES}",
    "RnnFcDecoder.rnn_channels=8",
    "RnnFcDecoder.ch=4",
    "Reverb.reverb_length=400",
    "MfccTimeDistributedRnnEncoder.rnn_channels=4",
]
MIDI = [
    *SPECTRAL,
    f"F0LoudnessPreprocessor.time_steps={N_FRAMES}",
    f"Harmonic.n_samples={N_SAMPLES}",
    f"FilteredNoise.n_samples={N_SAMPLES}",
    *(
        f"{name}.{size}"
        for name in ("DilatedConvDecoder", "enc/DilatedConvStack")
        for size in ("ch=4", "layers_per_stack=2", "stacks=1")
    ),
    *(f"dec/DilatedConvStack.{size}" for size in ("ch=4", "layers_per_stack=2")),
    "dec/DilatedConvStack.stacks=1",
]
Z_MIDI = [
    *MIDI,
    *(f"z/DilatedConvStack.{size}" for size in ("ch=4", "layers_per_stack=2")),
    "z/DilatedConvStack.stacks=1",
    "nn.FcStackOut.ch=8",
    "nn.FcStackOut.n_out=6",
    "nn.FcStackOut.layers=2",
    "MfccTimeDistributedRnnEncoder.rnn_channels=4",
    "MfccTimeDistributedRnnEncoder.z_dims=3",
    "OneHotEncoder.n_dims=3",
    "ee/ExpressionEncoder.z_dims=4",
    "zn/ExpressionEncoder.z_dims=4",
]
# The encoder analyzes frames of 2048 samples, 512 apart.
N_SINUSOIDS, INVERSE_FRAMES = 10, 4
INVERSE = [
    *SPECTRAL,
    f"InverseSynthesis.n_samples={512 * INVERSE_FRAMES}",
    "ResnetSinusoidalEncoder.size='tiny'",
    f"ResnetSinusoidalEncoder.output_splits=(('frequencies', {64 * N_SINUSOIDS}), "
    f"('amplitudes', {N_SINUSOIDS}), ('noise_magnitudes', 65))",
    "f0_spectral/compute_logmel.bins=32",
    f"SinusoidalToHarmonicEncoder.n_harmonics={N_SINUSOIDS}",
    "RnnSandwich.rnn_ch=8",
    "RnnSandwich.fc_stack_ch=8",
]
VST_FRAMES = 6


def vst(sample_rate):
    """Five hops of audio, thus six centered frames."""
    return [
        f"n_samples={VST_FRAMES * sample_rate // 50}",
        "SpectralLoss.fft_sizes=(256, 64)",
        "RnnFcDecoder.rnn_channels=8",
        "RnnFcDecoder.ch=4",
        "FilteredNoiseReverb.reverb_length=800",
        "FilteredNoiseReverb.n_frames=10",
    ]


def floats(rng, low, high, *shape):
    return rng.uniform(low, high, [BATCH, *shape]).astype(np.float32)


def recordings(rng):
    """Harmonic tones with their features."""
    f0_hz = np.repeat(floats(rng, 200.0, 400.0, 1), N_FRAMES, axis=1)
    time = np.arange(N_SAMPLES) / 16000
    audio = sum(np.sin(2 * np.pi * k * f0_hz[:, :1] * time) / k for k in (1, 2, 3))
    return {
        "audio": (0.2 * audio).astype(np.float32),
        "f0_hz": f0_hz,
        "f0_confidence": np.ones_like(f0_hz),
        "loudness_db": floats(rng, -40.0, -20.0, N_FRAMES),
    }


def notes(rng):
    """Recordings of an instrument with their notes."""
    features = recordings(rng)
    pitch = np.rint(12 * np.log2(features["f0_hz"] / 440.0) + 69).astype(int)
    velocities = np.zeros([BATCH, N_FRAMES, 128], np.float32)
    np.put_along_axis(velocities, pitch[..., np.newaxis], 0.7, axis=-1)
    # Two notes and a rest between them.
    velocities[:, N_FRAMES // 2] = 0.0
    onsets = np.zeros_like(velocities)
    onsets[:, 0] = onsets[:, N_FRAMES // 2 + 1] = velocities[:, 0] > 0
    return {
        **features,
        "instrument_id": rng.integers(0, 13, [BATCH]).astype(np.int64),
        "note_active_velocities": velocities,
        "note_onsets": onsets,
    }


def plug_in(sample_rate):
    def batch(rng):
        n_samples = 5 * sample_rate // 50
        features = {
            "audio": floats(rng, -0.1, 0.1, n_samples),
            "f0_hz": floats(rng, 200.0, 400.0, VST_FRAMES),
            "f0_confidence": np.ones([BATCH, VST_FRAMES], np.float32),
        }
        if sample_rate != 16000:
            features["audio_16k"] = floats(rng, -0.1, 0.1, 5 * 16000 // 50)
        return features

    return batch


def synthetic_notes(rng):
    """Controls of notes; some sinusoids are harmonics of f0."""
    n_frames = INVERSE_FRAMES
    f0_hz = np.repeat(floats(rng, 200.0, 400.0, 1, 1), n_frames, axis=1)
    harm_amp = floats(rng, 0.1, 0.5, n_frames, 1)
    harm_dist = floats(rng, 0.1, 1.0, n_frames, N_SINUSOIDS)
    harm_dist /= harm_dist.sum(axis=-1, keepdims=True)
    return {
        "f0_hz": f0_hz,
        "harm_amp": harm_amp,
        "harm_dist": harm_dist,
        "sin_amps": harm_amp * harm_dist,
        "sin_freqs": f0_hz * np.arange(1, N_SINUSOIDS + 1, dtype=np.float32),
        "noise_magnitudes": floats(rng, 0.0, 0.01, n_frames, 65),
    }


def zipped(rng):
    """The two data sets of fine-tuning: notes, then recordings."""
    audio = floats(rng, -0.2, 0.2, 512 * INVERSE_FRAMES)
    return synthetic_notes(rng), {"audio": audio}


PAPERS = "papers/icml2020"
MIDIAE = "models/midiae"
WITH_NOTES = "datasets/urmp/all_midi.gin"
# name: (gin files in the order of the original, overrides, data).
COMPOSED: dict = {
    "solo": (["papers/iclr2020/solo_instrument.gin"], SOLO, recordings),
    "tiny": (["papers/iclr2020/tiny_instrument.gin"], SOLO, recordings),
    "solo of URMP": (
        ["models/solo_instrument.gin", "datasets/urmp/all.gin", "eval/basic.gin"],
        SOLO,
        recordings,
    ),
    "solo on a TPU": (
        [
            "papers/iclr2020/solo_instrument.gin",
            "optimization/base_tpu.gin",
        ],
        SOLO,
        recordings,
    ),
    "ae of NSynth": (["papers/iclr2020/nsynth_ae.gin"], SOLO, recordings),
    "ae": (
        ["models/ae.gin", "datasets/tfrecord.gin", "eval/basic_f0_ld.gin"],
        SOLO,
        recordings,
    ),
    "ae that finds the pitch": (
        ["models/unsupervised_ae.gin", "datasets/tfrecord.gin", "eval/basic_f0_ld.gin"],
        [
            *SOLO,
            "ResnetF0Encoder.size='tiny'",
            "ResnetF0Encoder.spectral_fn=@f0/spectral_ops.compute_logmel",
            "f0/compute_logmel.bins=32",
        ],
        recordings,
    ),
    **{
        f"plug-in at {rate // 1000} kHz": (
            [f"models/vst/{file}.gin", "datasets/tfrecord.gin", "eval/basic.gin"],
            vst(rate),
            plug_in(rate),
        )
        for file, rate in [("vst", 16000), ("vst_32k", 32000), ("vst_48k", 48000)]
    },
    **{
        f"{model}, {mixin}": (
            [
                WITH_NOTES,
                f"{MIDIAE}/{model}.gin",
                f"{MIDIAE}/mixins/{mixin}.gin",
                f"eval/{heuristic}.gin",
            ],
            sizes,
            notes,
        )
        for model, sizes in [("midiae", MIDI), ("z_midiae", Z_MIDI)]
        for mixin, heuristic in [
            ("_", "heuristic"),
            ("midi_encoder", "heuristic_power"),
        ]
    },
    **{
        stage: (
            [f"{PAPERS}/{stage}_dataset.gin", f"{PAPERS}/{stage}_model.gin"],
            INVERSE,
            batch,
        )
        for stage, batch in [("pretrain", synthetic_notes), ("finetune", zipped)]
    },
}


@pytest.mark.parametrize("name", COMPOSED)
def test_model_learns_for_two_steps_and_is_restored(name, tmp_path):
    files, sizes, make_batch = COMPOSED[name]
    compose(files, sizes)
    assert gin.query_parameter("train.data_provider")
    batch = tf.nest.map_structure(
        tf.convert_to_tensor, make_batch(np.random.default_rng(0))
    )
    trainer = trainers.Trainer(
        models.get_model(), tf.distribute.OneDeviceStrategy("/cpu:0")
    )
    trainer.build(batch)
    before = [weight.numpy() for weight in trainer.model.trainable_weights]
    assert before
    for step in (1, 2):
        losses = trainer.train_step(batch)
        assert losses["total_loss"] > 0.0
        assert all(np.isfinite(value) for value in losses.values()), losses
        assert trainer.step == step
    for weight, old in zip(trainer.model.trainable_weights, before, strict=True):
        assert np.all(np.isfinite(weight))
        assert np.any(weight.numpy() != old), weight.path
    trainer.save(str(tmp_path))
    train_util.write_gin_config(None, str(tmp_path), trainer.step)
    loaded = models.load(tmp_path)
    for weight, learned in zip(loaded.weights, trainer.model.weights, strict=True):
        np.testing.assert_array_equal(weight, learned, err_msg=weight.path)
    given, found = (
        tf.nest.map_structure(tf.shape, model(batch, training=False))
        for model in (trainer.model, loaded)
    )
    tf.nest.map_structure(np.testing.assert_array_equal, found, given)
