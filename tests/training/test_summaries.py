"""Content of the TensorBoard summaries."""

import matplotlib
import numpy as np
import pytest
import scipy.signal
import tensorflow as tf
from matplotlib import pyplot

from ddsp.training import plotting, summaries

RATE = 16000
TONE = np.float32(0.5 * np.sin(2 * np.pi * 2000.0 * np.arange(RATE // 4) / RATE))[
    np.newaxis
].repeat(2, axis=0)


@pytest.fixture
def written(tmp_path):
    """Runs a function with a summary writer; returns {tag: tensor}."""

    def run(function, *args, **kwargs):
        writer = tf.summary.create_file_writer(str(tmp_path))
        with writer.as_default():
            function(*args, **kwargs)
        writer.close()
        (path,) = tmp_path.glob("events*")
        return {
            value.tag: (event.step, tf.make_ndarray(value.tensor))
            for event in tf.compat.v1.train.summary_iterator(str(path))
            for value in event.summary.value
        }

    return run


def _image(entry):
    """Decodes an image summary: width, height and PNG files."""
    return tf.image.decode_png(entry[1][2]).numpy()


def test_waveform(written):
    found = written(summaries.waveform_summary, TONE, 0.5 * TONE, 7)
    assert set(found) == {"waveform/0", "waveform/1"}
    assert found["waveform/0"][0] == 7
    assert _image(found["waveform/1"]).std() > 0


def test_spectrogram(written):
    found = written(summaries.spectrogram_summary, TONE, 0.0 * TONE, 3, name="x")
    image = _image(found["spectrogram_x/0"])[..., :3].astype(float).sum(axis=-1)
    height, width = image.shape
    left = image[:, : width // 2 - 8].mean(axis=1)
    # 2 kHz of 8 kHz, from the bottom.
    assert np.argmax(left) == pytest.approx(0.75 * height, abs=4)
    # Silence is dark.
    assert image[:, width // 2 + 8 :].max() < left.max() / 10


def test_audio(written):
    found = written(summaries.audio_summary, 3.0 * TONE, 1, RATE, name="gen")
    wav, rate = tf.audio.decode_wav(found["gen"][1][0, 0])
    assert int(rate) == RATE
    # Clipped rather than wrapped; 16 bit.
    np.testing.assert_allclose(wav[:, 0], np.clip(3.0 * TONE[0], -1, 1), atol=1e-4)


def test_pitch_curves(written):
    curve = np.full([2, 50, 1], 440.0)
    found = written(summaries.f0_summary, curve, curve[:, :40, 0], 1, name="tracked")
    assert _image(found["f0_midi_tracked/0"]).std() > 0


def test_figure(written):
    figure = matplotlib.figure.Figure(figsize=(2, 1), dpi=100)
    assert _image(written(summaries.fig_summary, "mine", figure, 0)["mine"]).shape[
        :2
    ] == (100, 200)


def test_without_a_writer_nothing_happens():
    summaries.audio_summary(TONE, 1)


def test_transfer_function_against_scipy():
    impulse_response = scipy.signal.firwin(65, 0.5)
    # As returned by the functions of `core`, padded to 128.
    frequencies, magnitudes = plotting.transfer_function(
        impulse_response[np.newaxis, np.newaxis], RATE
    )
    _, expected = scipy.signal.freqz(impulse_response, worN=frequencies, fs=RATE)
    np.testing.assert_allclose(magnitudes[0, 0], np.abs(expected), atol=1e-12)
    np.testing.assert_allclose(frequencies, np.linspace(0, RATE / 2, 65))
    assert not plotting.transfer_function(np.zeros(8))[1].any()


def test_plots():
    plotting.specplot(TONE, size=512)
    (image,) = pyplot.gca().get_images()
    picture = image.get_array()
    row = np.argmax(picture.mean(axis=1))
    assert row == pytest.approx(0.75 * picture.shape[0], abs=2)
    plotting.specplot(TONE, rotate=False, size=512, cmap="viridis")
    assert len(pyplot.get_fignums()) == 2
    assert pyplot.gca().get_images()[-1].get_array().shape == picture.shape[::-1]
    plotting.specplot(TONE, fignum=0)
    assert len(pyplot.get_fignums()) == 2
    pyplot.close("all")

    magnitudes = np.linspace(1.0, 0.1, 9)
    plotting.plot_impulse_responses(np.eye(1, 16)[np.newaxis], magnitudes[np.newaxis])
    _, right = pyplot.gcf().axes
    desired, measured = right.get_lines()
    np.testing.assert_allclose(desired.get_ydata(), 20 * np.log10(magnitudes))
    np.testing.assert_allclose(measured.get_ydata(), 0.0, atol=1e-9)
    pyplot.close("all")
