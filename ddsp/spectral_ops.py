"""Spectra, mel spectra, level, loudness and pitch of audio.

All frames are counted by `get_framed_lengths`, save those of the spectrograms, which
start at sample 0 and, with `pad_end`, number `ceil(n_samples / hop)`.
"""

from typing import Any

import librosa
import numpy as np
import scipy.fft
import tensorflow as tf

from ddsp import configurable, pitch
from ddsp._core import checks
from ddsp._core.framing import frame, get_framed_lengths, pad
from ddsp._core.safety import safe_log, safe_sqrt
from ddsp._core.tensors import tf_float32
from ddsp._core.units import power_to_db

__all__ = [
    "CREPE_FRAME_SIZE",
    "CREPE_SAMPLE_RATE",
    "PretrainedCREPE",
    "compute_f0",
    "compute_logmag",
    "compute_logmel",
    "compute_loudness",
    "compute_mag",
    "compute_mel",
    "compute_mfcc",
    "compute_power",
    "compute_rms_energy",
    "get_framed_lengths",
    "pad",
    "pad_or_trim_to_expected_length",
    "reset_crepe",
    "stft",
    "stft_np",
]

CREPE_SAMPLE_RATE = pitch.SAMPLE_RATE
CREPE_FRAME_SIZE = pitch.FRAME_SIZE

# The bin centers, as MIDI notes, that `activations_to_f0_and_confidence` assumes.
_CREPE_FIRST_MIDI = 23.5


def _hop(frame_size: int, overlap: float) -> int:
    checks.positive("frame_size", frame_size)
    hop = int(frame_size * (1.0 - overlap))
    if not 0 < hop <= frame_size:
        raise ValueError(
            "The overlap must leave a hop of 1 to `frame_size` samples, got "
            f"overlap={overlap} of frames of {frame_size} samples."
        )
    return hop


def stft(
    audio: Any, frame_size: int = 2048, overlap: float = 0.75, pad_end: bool = True
) -> tf.Tensor:
    """Differentiable short-time Fourier transform, with a periodic Hann window.

    Args:
      audio: [batch, n_samples], [batch, n_samples, 1] or [n_samples].
      frame_size: Samples in a frame and points of the transform.
      overlap: Share of a frame that it has in common with the next, 0 to below 1.
      pad_end: Pad with zeros so that every hop begins a frame; otherwise only whole
        frames count.

    Returns:
      [(batch,) n_frames, frame_size // 2 + 1], complex64.

    Example:

    >>> audio = tf.sin(0.1 * tf.range(1600.0))[tf.newaxis]
    >>> ddsp.spectral_ops.stft(audio, frame_size=256).shape.as_list()
    [1, 25, 129]
    """
    audio = tf_float32(audio)
    checks.rank("audio", audio, (1, 2, 3))
    if audio.shape.rank == 3:
        audio = tf.squeeze(audio, axis=-1)
    hop = _hop(frame_size, overlap)
    if pad_end:
        audio = pad(audio, frame_size, hop, "same", axis=-1)
    return _stft(audio, frame_size, hop)


def _stft(audio: tf.Tensor, frame_size: int, hop: int) -> tf.Tensor:
    window = tf.signal.hann_window(frame_size)
    return tf.signal.rfft(frame(audio, frame_size, hop, window))


def stft_np(
    audio: Any, frame_size: int = 2048, overlap: float = 0.75, pad_end: bool = True
) -> np.ndarray:
    """`stft` in NumPy, without gradients.

    Args:
      audio: [batch, n_samples], [batch, n_samples, 1] or [n_samples].
      frame_size: Samples in a frame and points of the transform.
      overlap: Share of a frame that it has in common with the next, 0 to below 1.
      pad_end: Pad with zeros so that every hop begins a frame.

    Returns:
      [(batch,) n_frames, frame_size // 2 + 1], complex64.

    Example:

    >>> ddsp.spectral_ops.stft_np(np.ones(1600), frame_size=256).shape
    (25, 129)
    """
    audio = np.asarray(audio, np.float32)
    checks.rank("audio", audio, (1, 2, 3))
    if audio.ndim == 3:
        audio = np.squeeze(audio, axis=-1)
    hop = _hop(frame_size, overlap)
    if pad_end:
        audio = pad(audio, frame_size, hop, "same", axis=-1)
    return _stft_np(audio, frame_size, hop)


def _stft_np(audio: np.ndarray, frame_size: int, hop: int) -> np.ndarray:
    spectrum = librosa.stft(audio, n_fft=frame_size, hop_length=hop, center=False)
    return np.swapaxes(spectrum, -1, -2)


@configurable.function(module="ddsp.spectral_ops")
def compute_mag(
    audio: Any, size: int = 2048, overlap: float = 0.75, pad_end: bool = True
) -> tf.Tensor:
    """Magnitude spectrogram.

    Args:
      audio: [batch, n_samples], [batch, n_samples, 1] or [n_samples].
      size: Samples in a frame.
      overlap: Share of a frame that it has in common with the next, 0 to below 1.
      pad_end: As in `stft`.

    Returns:
      [(batch,) n_frames, size // 2 + 1], float32, >= 0.

    Example:

    >>> audio = tf.sin(0.1 * tf.range(1600.0))[tf.newaxis]
    >>> ddsp.spectral_ops.compute_mag(audio, size=256).shape.as_list()
    [1, 25, 129]
    """
    power = _power(stft(audio, frame_size=size, overlap=overlap, pad_end=pad_end))
    # Several times as fast as the modulus of complex numbers; 1e-19 and below is 0.
    silent = power <= 0.0
    return tf.where(silent, 0.0, tf.sqrt(tf.where(silent, 1.0, power)))


def _power(spectrum: tf.Tensor) -> tf.Tensor:
    return tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2


@configurable.function(module="ddsp.spectral_ops")
def compute_mel(
    audio: Any,
    lo_hz: float = 0.0,
    hi_hz: float = 8000.0,
    bins: int = 64,
    fft_size: int = 2048,
    overlap: float = 0.75,
    pad_end: bool = True,
    sample_rate: int = 16000,
) -> tf.Tensor:
    """Mel spectrogram of magnitudes: triangles of height 1 on the HTK mel scale.

    Args:
      audio: [batch, n_samples], [batch, n_samples, 1] or [n_samples].
      lo_hz: Lower edge of the first band, Hz.
      hi_hz: Upper edge of the last band, Hz, at most half the sample rate.
      bins: Number of bands.
      fft_size: Samples in a frame.
      overlap: Share of a frame that it has in common with the next, 0 to below 1.
      pad_end: As in `stft`.
      sample_rate: Samples per second.

    Returns:
      [(batch,) n_frames, bins], float32, >= 0.

    Example:

    >>> audio = tf.sin(0.1 * tf.range(1600.0))[tf.newaxis]
    >>> ddsp.spectral_ops.compute_mel(audio, bins=16, fft_size=512).shape.as_list()
    [1, 13, 16]
    """
    mag = compute_mag(audio, fft_size, overlap, pad_end)
    bands = tf.signal.linear_to_mel_weight_matrix(
        bins, fft_size // 2 + 1, sample_rate, lo_hz, hi_hz
    )
    return tf.tensordot(mag, bands, axes=1)


@configurable.function(module="ddsp.spectral_ops")
def compute_logmag(
    audio: Any, size: int = 2048, overlap: float = 0.75, pad_end: bool = True
) -> tf.Tensor:
    """Returns the natural logarithm of `compute_mag`, of at least 1e-5.

    Args:
      audio: Signal, [(batch,) n_samples].
      size: Samples per frame.
      overlap: Overlap of successive frames, 0 to below 1.
      pad_end: As in `stft`.

    Example:

    >>> audio = tf.sin(0.1 * tf.range(1600.0))[tf.newaxis]
    >>> ddsp.spectral_ops.compute_logmag(audio, size=256).shape.as_list()
    [1, 25, 129]
    """
    return safe_log(compute_mag(audio, size, overlap, pad_end))


@configurable.function(module="ddsp.spectral_ops")
def compute_logmel(
    audio: Any,
    lo_hz: float = 80.0,
    hi_hz: float = 7600.0,
    bins: int = 64,
    fft_size: int = 2048,
    overlap: float = 0.75,
    pad_end: bool = True,
    sample_rate: int = 16000,
) -> tf.Tensor:
    """Natural logarithm of `compute_mel`, zeros counted as 1e-5.

    Args:
      audio: Signal, [(batch,) n_samples].
      lo_hz: Lower edge of the first band, Hz.
      hi_hz: Upper edge of the last band, Hz.
      bins: Number of bands.
      fft_size: Samples per frame.
      overlap: Overlap of successive frames, 0 to below 1.
      pad_end: As in `stft`.
      sample_rate: Samples per second.

    Example:

    >>> audio = tf.sin(0.1 * tf.range(1600.0))[tf.newaxis]
    >>> ddsp.spectral_ops.compute_logmel(audio, bins=16, fft_size=512).shape.as_list()
    [1, 13, 16]
    """
    mel = compute_mel(
        audio, lo_hz, hi_hz, bins, fft_size, overlap, pad_end, sample_rate
    )
    return safe_log(mel)


@configurable.function(module="ddsp.spectral_ops")
def compute_mfcc(
    audio: Any,
    lo_hz: float = 20.0,
    hi_hz: float = 8000.0,
    fft_size: int = 1024,
    mel_bins: int = 128,
    mfcc_bins: int = 13,
    overlap: float = 0.75,
    pad_end: bool = True,
    sample_rate: int = 16000,
) -> tf.Tensor:
    """Mel-frequency cepstral coefficients: the scaled DCT-II of `compute_logmel`.

    Davis & Mermelstein (1980), "Comparison of parametric representations for
    monosyllabic word recognition in continuously spoken sentences".

    Args:
      audio: [batch, n_samples], [batch, n_samples, 1] or [n_samples].
      lo_hz: Lower edge of the first band, Hz.
      hi_hz: Upper edge of the last band, Hz, at most half the sample rate.
      fft_size: Samples in a frame.
      mel_bins: Number of bands.
      mfcc_bins: Number of coefficients kept, counted from the zeroth.
      overlap: Share of a frame that it has in common with the next, 0 to below 1.
      pad_end: As in `stft`.
      sample_rate: Samples per second.

    Returns:
      [(batch,) n_frames, mfcc_bins], float32.

    Example:

    >>> audio = tf.sin(0.1 * tf.range(1600.0))[tf.newaxis]
    >>> ddsp.spectral_ops.compute_mfcc(audio, fft_size=512).shape.as_list()
    [1, 13, 13]
    """
    logmel = compute_logmel(
        audio, lo_hz, hi_hz, mel_bins, fft_size, overlap, pad_end, sample_rate
    )
    cosines = scipy.fft.dct(np.eye(mel_bins), axis=0)[:mfcc_bins]
    scaled = cosines.T / np.sqrt(2.0 * mel_bins)
    return tf.tensordot(logmel, scaled.astype(np.float32), axes=1)


def _level_input(audio: Any, use_tf: bool = True) -> Any:
    """Checks audio of shape [n_samples], [batch, n_samples] or [..., 1]."""
    audio = tf_float32(audio) if use_tf else np.asarray(audio, np.float32)
    checks.rank("audio", audio, (1, 2, 3))
    if len(audio.shape) == 3:
        audio = audio[..., 0]
    _refuse_non_finite(audio)
    return audio


def _refuse_non_finite(audio: Any) -> None:
    values = checks.known_values(audio)
    if values is not None and not np.all(np.isfinite(values)):
        raise ValueError(
            "`audio` must be finite, got "
            f"{np.count_nonzero(~np.isfinite(values))} samples that are not."
        )


def _mean_square(
    audio: Any, sample_rate: int, frame_rate: int, frame_size: int, padding: str
) -> tf.Tensor:
    hop = checks.hop_size(sample_rate, frame_rate)
    audio = pad(_level_input(audio), frame_size, hop, padding, axis=-1)
    return tf.reduce_mean(frame(audio, frame_size, hop) ** 2, axis=-1)


def compute_rms_energy(
    audio: Any,
    sample_rate: int = 16000,
    frame_rate: int = 250,
    frame_size: int = 512,
    padding: str = "center",
) -> tf.Tensor:
    """Root mean square of each frame.

    Args:
      audio: [batch, n_samples] or [n_samples].
      sample_rate: Samples per second.
      frame_rate: Frames per second; must divide the sample rate.
      frame_size: Samples in a frame.
      padding: `'center'`, `'same'`, `'causal'` or `'valid'`, see
        `get_framed_lengths`.

    Returns:
      [(batch,) n_frames], float32, >= 0.

    Raises:
      ValueError: If the frame rate does not divide the sample rate, or `audio` has
        another rank or is not finite.

    Example:

    >>> audio = np.full([1, 640], 0.5)
    >>> ddsp.spectral_ops.compute_rms_energy(audio, padding="valid").numpy()
    array([[0.5, 0.5, 0.5]], dtype=float32)
    """
    power = _mean_square(audio, sample_rate, frame_rate, frame_size, padding)
    # The threshold, -120 dB, only bounds the gradient of silence.
    return safe_sqrt(power, eps=1e-12)


def compute_power(
    audio: Any,
    sample_rate: int = 16000,
    frame_rate: int = 250,
    frame_size: int = 512,
    ref_db: float = 0.0,
    range_db: float = 80.0,
    padding: str = "center",
) -> tf.Tensor:
    """Mean power of each frame in decibels.

    Args:
      audio: [batch, n_samples] or [n_samples].
      sample_rate: Samples per second.
      frame_rate: Frames per second; must divide the sample rate.
      frame_size: Samples in a frame.
      ref_db: Level that becomes 0 dB.
      range_db: Nothing comes out below `-range_db`.
      padding: `'center'`, `'same'`, `'causal'` or `'valid'`, see
        `get_framed_lengths`.

    Returns:
      [(batch,) n_frames], float32, dB, at least `-range_db`.

    Raises:
      ValueError: If `compute_rms_energy` raises one.

    Example:

    >>> audio = np.full([1, 640], 0.1)
    >>> power_db = ddsp.spectral_ops.compute_power(audio, padding="valid")
    >>> power_db.numpy().round(1)
    array([[-20., -20., -20.]], dtype=float32)
    """
    power = _mean_square(audio, sample_rate, frame_rate, frame_size, padding)
    return power_to_db(power, ref_db=ref_db, range_db=range_db)


def compute_loudness(
    audio: Any,
    sample_rate: int = 16000,
    frame_rate: int = 250,
    n_fft: int = 512,
    range_db: float = 80.0,
    ref_db: float = 0.0,
    use_tf: bool = True,
    padding: str = "center",
) -> Any:
    """Perceptual loudness: the mean of the A-weighted power spectrum, in decibels.

    The A-weighting is that of IEC 61672. The mean is taken over the bins of the
    spectrum of a Hann-windowed frame, before any normalization by the window.

    Args:
      audio: [batch, n_samples] or [n_samples].
      sample_rate: Samples per second.
      frame_rate: Frames per second; must divide the sample rate.
      n_fft: Samples in a frame.
      range_db: Nothing comes out below `-range_db`.
      ref_db: Level that becomes 0 dB.
      use_tf: Compute in TensorFlow, with gradients; otherwise in NumPy.
      padding: `'center'`, `'same'`, `'causal'` or `'valid'`, see
        `get_framed_lengths`.

    Returns:
      [(batch,) n_frames], float32, dB, at least `-range_db`; an array unless
      `use_tf`.

    Raises:
      ValueError: If the frame rate does not divide the sample rate, or `audio` has
        another rank or is not finite.

    Example:

    >>> audio = tf.sin(0.1 * tf.range(1600.0))[tf.newaxis]
    >>> ddsp.spectral_ops.compute_loudness(audio).shape.as_list()
    [1, 26]
    """
    hop = checks.hop_size(sample_rate, frame_rate)
    audio = pad(_level_input(audio, use_tf), n_fft, hop, padding, axis=-1)
    if use_tf:
        power = _power(_stft(audio, n_fft, hop))
    else:
        spectrum = _stft_np(audio, n_fft, hop)
        power = spectrum.real**2 + spectrum.imag**2
    weights = _a_weighting(sample_rate, n_fft) / (n_fft // 2 + 1)
    mean = tf.linalg.matvec(power, weights) if use_tf else power @ weights
    return power_to_db(mean, ref_db=ref_db, range_db=range_db, use_tf=use_tf)


def _a_weighting(sample_rate: int, n_fft: int) -> np.ndarray:
    """Power gain of the A-weighting at each frequency of a transform."""
    frequencies = librosa.fft_frequencies(sr=sample_rate, n_fft=n_fft)
    with np.errstate(divide="ignore"):  # 0 Hz, which is clipped to -80 dB
        decibels = librosa.A_weighting(frequencies)
    return (10.0 ** (decibels / 10.0)).astype(np.float32)


def compute_f0(
    audio: Any, frame_rate: int, viterbi: bool = True, padding: str = "center"
) -> tuple[np.ndarray, np.ndarray]:
    """Fundamental frequency by tiny CREPE; see `ddsp.pitch.estimate_f0` for others.

    Args:
      audio: [n_samples] or [batch, n_samples], at 16 kHz.
      frame_rate: Frames per second; must divide 16000.
      viterbi: Smooth the pitch by Viterbi decoding.
      padding: `'center'`, `'same'`, `'causal'` or `'valid'`, see
        `get_framed_lengths`.

    Returns:
      f0_hz: [(batch,) n_frames], float32, Hz.
      f0_confidence: [(batch,) n_frames], float32, 0 to 1.

    Raises:
      ValueError: If the frame rate does not divide 16000, or `audio` has another
        rank or is not finite.

    Example:

    >>> audio = 0.5 * np.sin(2 * np.pi * 440.0 / 16000.0 * np.arange(1600))
    >>> f0_hz, f0_confidence = ddsp.spectral_ops.compute_f0(audio, frame_rate=50)
    >>> f0_hz.shape, f0_confidence.shape
    ((6,), (6,))
    """
    return pitch.estimate_f0(audio, frame_rate, viterbi, padding)


def pad_or_trim_to_expected_length(
    vector: Any,
    expected_len: int,
    pad_value: float = 0,
    len_tolerance: int = 20,
    use_tf: bool = False,
) -> Any:
    """Makes the last axis `expected_len` long, at its end.

    Args:
      vector: [n] or [batch, n].
      expected_len: The length that comes out.
      pad_value: What a vector too short is padded with.
      len_tolerance: The difference that is still accepted.
      use_tf: Return a tensor; otherwise an array.

    Raises:
      ValueError: If the lengths differ by more than `len_tolerance`.

    Example:

    >>> ddsp.spectral_ops.pad_or_trim_to_expected_length(np.ones(3), 4)
    array([1., 1., 1., 0.])
    """
    vector = tf.convert_to_tensor(vector) if use_tf else np.asarray(vector)
    checks.rank("vector", vector, (1, 2))
    length = int(vector.shape[-1])
    if abs(length - expected_len) > len_tolerance:
        raise ValueError(
            f"The length must be within {len_tolerance} of the expected "
            f"{expected_len}, got {length}."
        )
    vector = vector[..., :expected_len]
    widths = [[0, 0]] * (len(vector.shape) - 1) + [[0, max(expected_len - length, 0)]]
    module = tf if use_tf else np
    return module.pad(vector, widths, constant_values=pad_value)


def reset_crepe() -> None:
    """Frees the pitch trackers that `compute_f0` keeps.

    Example:

    >>> ddsp.spectral_ops.reset_crepe()
    """
    pitch.load.cache_clear()


class PretrainedCREPE(pitch.Crepe):
    """The pitch tracker with a fixed hop; a front for `ddsp.pitch`.

    Args:
      model_size_or_path: `'tiny'`, `'full'`, another size, or the path of a Keras
        HDF5 file of weights.
      hop_size: Samples between two frames at 16 kHz.
      **kwargs: Passed to the Keras model.

    Example:

    >>> crepe = ddsp.spectral_ops.PretrainedCREPE("tiny")
    >>> crepe.batch_frames(np.zeros([1, 1600], np.float32)).shape[-1]
    1024
    """

    def __init__(
        self, model_size_or_path: str, hop_size: int = 160, **kwargs: Any
    ) -> None:
        checks.positive("hop_size", hop_size)
        super().__init__(model_size_or_path, **kwargs)
        self.hop_size = hop_size
        self.frame_size = CREPE_FRAME_SIZE
        self.sample_rate = CREPE_SAMPLE_RATE

    def batch_frames(self, audio: Any) -> tf.Tensor:
        """Cuts audio into frames: [(batch,) n_samples] -> [n_frames in all, 1024]."""
        audio = tf_float32(audio)
        checks.rank("audio", audio, (1, 2))
        frames = tf.signal.frame(audio, self.frame_size, self.hop_size)
        return tf.reshape(frames, [-1, self.frame_size])

    def normalize_frames(self, frames: Any) -> tf.Tensor:
        """Scales each frame to mean 0 and standard deviation 1; silence stays 0."""
        return pitch.normalize_frames(frames)

    def predict_f0_and_confidence(
        self, audio: Any, viterbi: bool = False, padding: str = "center"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pitch and confidence of audio at 16 kHz, as `compute_f0`.

        Args:
          audio: [n_samples] or [batch, n_samples].
          viterbi: Smooth the pitch by Viterbi decoding.
          padding: `'center'`, `'same'`, `'causal'` or `'valid'`, see
        `get_framed_lengths`.

        Returns:
          f0_hz: [(batch,) n_frames], float32, Hz.
          f0_confidence: [(batch,) n_frames], float32, 0 to 1.
        """
        activations = self.activations(audio, self.hop_size, padding)
        return pitch.decode(activations, viterbi)

    def create_hmm(self, num_steps: int) -> pitch.HiddenMarkovModel:
        """The model of pitch over `num_steps` frames that Viterbi decoding uses."""
        checks.positive("num_steps", num_steps)
        return pitch.HiddenMarkovModel(num_steps)

    def viterbi_decode(self, acts: Any) -> np.ndarray:
        """The most likely bin of each frame: [n_frames, 360] -> [n_frames], int64."""
        return pitch.viterbi_path(acts)

    @staticmethod
    def activations_to_f0_and_confidence(
        activations: Any, centers: Any = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Differentiable reading of pitch off activations.

        It places the bins at MIDI notes 23.5 + 0.2 * bin, 3.7 cents above where the
        weights were trained to have them (`ddsp.pitch.BIN_CENTS`), which
        `predict_f0_and_confidence` uses.

        Args:
          activations: [n_frames, 360], 0 to 1.
          centers: [n_frames], the bins to average around; the largest if None.

        Returns:
          f0_hz: [n_frames], float32, Hz.
          f0_confidence: [n_frames, 1], float32, 0 to 1.
        """
        activations = tf_float32(activations)
        cents = pitch.activations_to_cents(activations, centers) - pitch.BIN_CENTS[0]
        midi = _CREPE_FIRST_MIDI + cents / 100.0
        f0_hz = 440.0 * 2.0 ** ((midi - 69.0) / 12.0)
        return f0_hz, tf.reduce_max(activations, axis=-1, keepdims=True)
