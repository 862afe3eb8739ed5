"""MIDI autoencoders: notes, both branches, losses, gradients, any length."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddsp import configurable, losses
from ddsp.training import decoders, models, nn, preprocessing
from ddsp.training.models import restoring

BATCH, TIME, HOP = 2, 32, 64
N_SAMPLES = TIME * HOP
SPLITS = (("amplitudes", 1), ("harmonic_distribution", 4), ("magnitudes", 5))


@configurable.layer(module="tests.midi_autoencoder")
class NoteEncoder(nn.DictLayer):
    """Dense layer from the controls to a difference from f0."""

    def __init__(self, **kwargs):
        super().__init__(output_keys=["z_pitch", "z_vel"], **kwargs)
        self.dense = keras.layers.Dense(2)

    def call(self, f0_midi, amps, hd, noise):
        x = self.dense(tf.concat([amps / 80.0, hd, noise / 80.0], axis=-1))
        return f0_midi + x[..., :1], x[..., 1:]


@configurable.layer(module="tests.midi_autoencoder")
class Latents(nn.DictLayer):
    """A dense layer over features."""

    def __init__(self, input_keys, channels, **kwargs):
        super().__init__(input_keys=input_keys, output_keys=["z"], **kwargs)
        self.dense = keras.layers.Dense(channels)

    def call(self, *inputs):
        return self.dense(tf.concat(inputs, axis=-1))


@configurable.layer(module="tests.midi_autoencoder")
class Mean(losses.Loss):
    """Loss: the product of the means of its arguments."""

    def call(self, x, weights=1.0):
        return tf.reduce_mean(x * weights)


@configurable.layer(module="tests.midi_autoencoder")
class Difference(losses.Loss):
    def call(self, target, value, weights=1.0):
        return tf.reduce_mean(tf.abs(target - value) * weights)


class Halved(Mean):
    """Prior whose loss is the mean, and whose decoding halves the encoding."""

    def get_losses_dict(self, x):
        return {self.name: tf.reduce_mean(x)}

    def call(self, x):
        return x / 2.0


def stack(conditional=False):
    return nn.DilatedConvStack(
        8, 2, 1, norm_type="layer", conditional=conditional, causal=False
    )


def settings(conditional=False, time_steps=TIME, **changes):
    keys = ("z",) if conditional else None
    synthcoder = decoders.DilatedConvDecoder(
        8, layers_per_stack=2, stacks=1, conditioning_keys=keys, output_splits=SPLITS
    )
    decoder = decoders.MidiToHarmonicDecoder(
        stack(conditional), output_splits=(("f0_midi", 1), *SPLITS)
    )
    return {
        "synthcoder": synthcoder,
        "midi_decoder": decoder,
        "preprocessor": preprocessing.F0LoudnessPreprocessor(time_steps),
        **changes,
    }


def small(**changes):
    return models.MidiAutoencoder(**settings(**changes))


def reconstruction():
    return losses.LossGroup(
        dag=[
            ["f0", ["f0_midi", "f0_midi_pred", "f0_loss_weights"]],
            ["hd", ["hd", "hd_pred"]],
        ],
        f0=Difference(name="f0"),
        hd=Difference(name="hd"),
    )


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    notes = rng.integers(50, 80, [BATCH, TIME])
    velocities = np.zeros([BATCH, TIME, 128])
    np.put_along_axis(velocities, notes[..., np.newaxis], 0.6, axis=-1)
    velocities[:, 5] = 0.0
    off = np.where(np.arange(TIME) % 4 == 0, 3.0, 0.3)
    features = {
        "audio": rng.normal(scale=0.1, size=[BATCH, N_SAMPLES]),
        "f0_hz": 440.0 * 2.0 ** ((notes + off - 69.0) / 12.0),
        "loudness_db": rng.uniform(-60.0, -20.0, [BATCH, TIME]),
        "note_active_velocities": velocities,
    }
    return {key: tf.constant(x, tf.float32) for key, x in features.items()}


@pytest.fixture(autouse=True)
def short_synthesizers():
    import gin

    gin.parse_config(
        f"Harmonic.n_samples = {N_SAMPLES}\nFilteredNoise.n_samples = {N_SAMPLES}"
    )


def test_notes_and_piano_rolls_are_one_another():
    roll = np.zeros([1, 4, 128], np.float32)
    for time, note in enumerate([60, 21, 127]):
        roll[0, time, note] = 0.5
    roll[0, 0, 30] = 0.25
    notes, velocities = models.MidiAutoencoder.pianoroll_to_midi(roll)
    np.testing.assert_array_equal(notes[..., 0], [[60, 21, 127, 0]])
    np.testing.assert_array_equal(velocities[..., 0], [[0.5, 0.5, 0.5, 0.0]])
    back = models.MidiAutoencoder.midi_to_pianoroll(notes - 1e-4, velocities)
    np.testing.assert_array_equal(np.argmax(back, axis=-1), [[60, 21, 127, 0]])
    np.testing.assert_array_equal(np.sum(back, axis=-1), 1.0)
    low = tf.constant([[[20.0], [21.0]]])
    heard = models.MidiAutoencoder.midi_to_pianoroll(low, low, 40)
    np.testing.assert_array_equal(np.argmax(heard, axis=-1), [[0, 21]])
    heard = models.MidiAutoencoder.midi_to_pianoroll(low, low, 40, thresh=0.0)
    np.testing.assert_array_equal(np.argmax(heard, axis=-1), [[20, 21]])


def test_both_branches(batch):
    model = small(reconstruction_losses=reconstruction())
    outputs, values = model(batch, return_losses=True)
    for name in ("synth_audio", "midi_audio"):
        assert outputs[name].shape == [BATCH, N_SAMPLES]
        assert np.std(outputs[name]) > 0
    assert model.get_audio_from_outputs(outputs) is outputs["synth_audio"]
    assert outputs["pianoroll"].shape == [BATCH, TIME, 128]
    for suffix in ("", "_pred"):
        amps, hd, noise = (outputs[f"{x}{suffix}"] for x in ("amps", "hd", "noise"))
        assert amps.shape == [BATCH, TIME, 1] and noise.shape == [BATCH, TIME, 5]
        np.testing.assert_allclose(np.sum(hd, axis=-1), 1.0, atol=1e-3)
    controls = outputs["harmonic"]["controls"]["amplitudes"].numpy()
    expected = np.maximum(20.0 * np.log10(controls), -80.0)
    np.testing.assert_allclose(outputs["amps"], expected, atol=1e-3)
    hz = 440.0 * 2.0 ** ((outputs["f0_midi_pred"].numpy() - 69.0) / 12.0)
    np.testing.assert_allclose(outputs["f0_hz_pred"], hz, rtol=1e-5)

    notes = np.argmax(batch["note_active_velocities"], axis=-1)[..., np.newaxis]
    np.testing.assert_array_equal(outputs["q_pitch"], notes)
    near = np.abs(outputs["f0_midi"] - notes) < 2.0
    np.testing.assert_array_equal(outputs["f0_loss_weights"], near)
    assert not np.any(near[:, ::4]) and np.all(near[:, 1::4][:, 2:])
    f0 = np.abs(outputs["f0_midi"] - outputs["f0_midi_pred"]) * near
    hd = np.abs(outputs["hd"] - outputs["hd_pred"])
    assert set(values) == {"f0", "hd", "total_loss"}
    np.testing.assert_allclose(values["f0"], np.mean(f0), rtol=1e-5)
    np.testing.assert_allclose(values["hd"], np.mean(hd), rtol=1e-5)


def test_the_batch_is_left_alone(batch):
    before = dict(batch)
    small()(batch)
    assert batch == before


def test_without_a_mask_every_frame_counts(batch):
    outputs = small(mask_f0_loss=False)(batch)
    np.testing.assert_array_equal(outputs["f0_loss_weights"], 1.0)


def test_without_a_decoder_the_inner_branch_stands_in(batch):
    model = small(midi_decoder=None, reconstruction_losses=reconstruction())
    outputs, values = model(batch, return_losses=True)
    assert outputs["midi_audio"] is outputs["synth_audio"]
    np.testing.assert_array_equal(outputs["f0_midi_pred"], outputs["q_pitch"])
    assert values["hd"] == 0.0


@pytest.mark.parametrize("stops", [True, False])
def test_gradients_of_notes_stop_at_the_controls(stops, batch):
    model = small(
        midi_encoder=NoteEncoder(),
        sg_before_midiae=stops,
        pitch_f0rec_loss=Mean(name="close"),
    )
    with tf.GradientTape(persistent=True) as tape:
        outputs, values = model(batch, return_losses=True)

    def reached(layer):
        gradients = tape.gradient(
            values["close"], [w.value for w in layer.trainable_weights]
        )
        return any(g is not None and np.any(g) for g in gradients)

    assert reached(model.midi_encoder) and reached(model.midi_decoder)
    assert reached(model.synthcoder) != stops
    distance = np.abs(outputs["f0_midi_pred"] - outputs["z_pitch"])
    np.testing.assert_allclose(values["close"], np.mean(distance), rtol=1e-5)
    np.testing.assert_array_equal(outputs["q_pitch"], np.rint(outputs["z_pitch"]))
    np.testing.assert_array_equal(outputs["q_vel"], 0.0)


def test_losses_of_encoded_notes(batch):
    model = small(
        midi_encoder=NoteEncoder(),
        qpitch_f0rec_loss=Mean(name="quantized"),
        pitch_qpitch_loss=Difference(name="rounding"),
        midi_slowness_loss=Mean(name="slow"),
    )
    outputs, values = model(batch, return_losses=True)
    assert set(values) == {"quantized", "rounding", "slow", "total_loss"}
    z_pitch, q_pitch = outputs["z_pitch"].numpy(), outputs["q_pitch"].numpy()
    distance = np.abs(outputs["f0_midi_pred"] - q_pitch)
    np.testing.assert_allclose(values["quantized"], np.mean(distance), rtol=1e-5)
    rounding = np.mean(np.abs(z_pitch - q_pitch))
    np.testing.assert_allclose(values["rounding"], rounding, rtol=1e-5)
    # All notes are short and audible.
    np.testing.assert_allclose(values["slow"], np.mean(z_pitch), rtol=1e-5)
    tagged = model.add_closeness_loss(Mean(name="a"), q_pitch, z_pitch, tag="_b")
    np.testing.assert_allclose(tagged["a_b"], rounding, rtol=1e-5)
    assert model.add_zpitch_losses(None, q_pitch, q_pitch) == {}
    assert model.add_slowness_loss(None, z_pitch, q_pitch) == {}


def test_any_length(batch):
    model = small()
    model.build_variables()
    for n_frames in (8, TIME):
        part = {
            "audio": batch["audio"][:, : n_frames * HOP],
            **{k: batch[k][:, :n_frames] for k in batch if k != "audio"},
        }
        outputs = model(part, n_samples=n_frames * HOP)
        assert outputs["midi_audio"].shape == [BATCH, n_frames * HOP]
        assert outputs["amps_pred"].shape == [BATCH, n_frames, 1]
    with pytest.raises(ValueError, match="multiple of 64"):
        model(batch, n_samples=100)


def test_parts_render_alone(batch):
    model = small()
    outputs = model(batch)
    audio, params = model.midi_to_audio(
        outputs["q_pitch"], outputs["q_vel"], return_synth_params=True
    )
    np.testing.assert_allclose(params["f0_midi"], outputs["f0_midi_pred"], atol=1e-4)
    assert audio.shape == [BATCH, N_SAMPLES]
    audio = model.synthesize_audio(outputs["f0_hz"], outputs["loudness_db"])
    assert audio.shape == [BATCH, N_SAMPLES]
    linear = model.extract_harm_controls(outputs["synth_params"], log_scale=False)
    np.testing.assert_allclose(
        np.maximum(20.0 * np.log10(linear[0]), -80.0), outputs["amps"], atol=1e-3
    )


def test_power_takes_the_place_of_loudness(batch):
    synthcoder = decoders.DilatedConvDecoder(
        8,
        layers_per_stack=1,
        stacks=1,
        input_keys=("pw_scaled", "f0_scaled"),
        conditioning_keys=None,
        output_splits=SPLITS,
    )
    model = small(
        synthcoder=synthcoder, preprocessor=preprocessing.F0PowerPreprocessor(TIME)
    )
    del batch["loudness_db"]
    outputs = model(batch)
    assert model.db_key == "power_db"
    np.testing.assert_array_equal(outputs["power_db_pred"], outputs["pw_db"])


def test_features_that_do_not_fit_are_named(batch):
    model = small()
    short = {**batch, "note_active_velocities": tf.zeros([BATCH, 7, 128])}
    with pytest.raises(ValueError, match=r"\(2, 32\), got shape \(2, 7, 128\)"):
        model(short)
    del batch["note_active_velocities"]
    with pytest.raises(ValueError, match=r"\['note_active_velocities'\] are missing"):
        model(batch)


def z_settings(**changes):
    expression = ["amps_scaled", "hd_scaled", "noise_scaled"]
    return {
        **settings(conditional=True),
        "z_synth_encoders": [Latents(["ld_scaled"], 2), Latents(["f0_scaled"], 3)],
        "z_global_encoders": [Latents(["instrument"], 2), Latents(expression, 4)],
        "z_note_encoder": Latents(expression, 5),
        "z_preconditioning_stack": nn.FcStackOut(8, 1, 6),
        **changes,
    }


def with_instrument(batch):
    hot = tf.one_hot([[3] * TIME, [1] * TIME], 4)
    return {**batch, "instrument": hot}


def test_latent_variables(batch):
    batch = with_instrument(batch)
    model = models.ZMidiAutoencoder(**z_settings())
    outputs = model(batch)
    assert outputs["z"].shape == [BATCH, TIME, 5]
    assert outputs["z_global"].shape == [BATCH, TIME, 6]
    notes = np.argmax(batch["note_active_velocities"], axis=-1)
    z_notes = outputs["z_notes"].numpy()
    # Latent variables are constant over a note.
    for row in range(BATCH):
        for time in range(1, TIME):
            if notes[row, time] == notes[row, time - 1] > 0:
                np.testing.assert_allclose(z_notes[row, time], z_notes[row, time - 1])
    assert np.std(z_notes) > 0.0
    before = outputs["amps_pred"]
    batch["instrument"] = batch["instrument"][::-1]
    assert np.abs(model(batch)["amps_pred"] - before).max() > 1e-4


def test_latent_variables_are_optional(batch):
    names = ("synth_encoders", "global_encoders", "note_encoder")
    absent = {f"z_{name}": None for name in names}
    model = models.ZMidiAutoencoder(**{**z_settings(**absent), **settings()})
    outputs = model(batch)
    assert not {"z_global", "z_notes", "z"} & set(outputs)


def test_priors_have_losses_and_change_what_is_decoded(batch):
    batch = with_instrument(batch)
    model = models.ZMidiAutoencoder(
        **z_settings(z_note_encoder=None, z_global_prior=Halved(name="prior"))
    )
    outputs, values = model(batch, return_losses=True)
    encoded = model.z_global_encode(outputs)
    np.testing.assert_allclose(outputs["z_global"], encoded / 2.0, atol=1e-6)
    np.testing.assert_allclose(values["prior"], np.mean(encoded), rtol=1e-4)


@pytest.mark.parametrize("latent", [False, True])
def test_config_and_checkpoint_hold_all(latent, batch, tmp_path):
    batch = with_instrument(batch)
    model = models.ZMidiAutoencoder(**z_settings()) if latent else small()
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(model)
    )
    expected = model(batch)
    copy(batch)
    path = tf.train.Checkpoint(model=model).write(str(tmp_path / "ckpt-1"))
    copy.restore(path)
    for key in ("amps", "f0_midi_pred", "noise_pred"):
        np.testing.assert_array_equal(copy(batch)[key], expected[key])
    names = {name.split("/")[0] for name in restoring.model_variables(model)}
    parts = {"synthcoder", "midi_decoder", "processor_group"}
    if latent:
        parts |= {f"z_{x}_encoders" for x in ("synth", "global")}
        parts |= {"z_note_encoder", "z_preconditioning_stack"}
    assert names == parts
