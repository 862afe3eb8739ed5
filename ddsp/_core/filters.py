"""Time-varying filters by frequency sampling, and convolution by FFT."""

import functools
import math
from typing import Any

import numpy as np
import scipy.fft
import tensorflow as tf

from ddsp._core import checks, long_signals, short_frames
from ddsp._core.resampling import linear_ramp
from ddsp._core.tensors import tf_float32

PADDINGS = ("same", "valid")
# Above this size an FFT is faster than a matrix product.
_LONGEST_MATRIX = 256
# From this size on several short FFTs are faster than one.
_LONG = 2**14


def get_fft_size(frame_size: int, ir_size: int, power_of_2: bool = True) -> int:
    """Returns an FFT size that holds a linear convolution without wrapping.

    Args:
      frame_size: Samples of one frame of audio.
      ir_size: Samples of the impulse response.
      power_of_2: Whether to round up to a power of 2, needed on TPU; otherwise to
        the next size with small prime factors.
    """
    convolved_size = int(ir_size) + int(frame_size) - 1
    if power_of_2:
        return 2 ** math.ceil(math.log2(convolved_size))
    return int(scipy.fft.next_fast_len(convolved_size, real=True))


def crop_and_compensate_delay(
    audio: Any, audio_size: int, ir_size: int, padding: str, delay_compensation: int
) -> tf.Tensor:
    """Cuts the wanted part out of a convolution.

    Args:
      audio: [batch, time], the whole convolution.
      audio_size: Samples of the audio before the convolution.
      ir_size: Samples of the impulse response.
      padding: `'same'` keeps `audio_size` samples, `'valid'` the tail too.
      delay_compensation: Samples to cut at the start; below 0 the group delay of a
        linear-phase filter, `(ir_size - 1) // 2 - 1`.

    Raises:
      ValueError: If `padding` is unknown.
    """
    checks.one_of("padding", padding, PADDINGS)
    start = _first_sample(delay_compensation, ir_size)
    if padding == "same":
        cropped = audio[:, start : start + audio_size]
        if audio.shape[1] is None and isinstance(audio_size, int):
            cropped = tf.ensure_shape(cropped, [None, audio_size])
        return cropped
    # Where the FFT left enough zeros behind the convolution, they make up for the
    # samples cut at the start; otherwise the result ends with the convolution.
    convolved_size = audio_size + ir_size - 1
    total_size = audio.shape[1] if audio.shape[1] is not None else tf.shape(audio)[1]
    spare = total_size - convolved_size
    if isinstance(spare, int):
        stop = convolved_size + start if spare > start else convolved_size
    else:
        stop = tf.where(spare > start, convolved_size + start, convolved_size)
    return audio[:, start:stop]


def _first_sample(delay_compensation: int, ir_size: int) -> int:
    return delay_of(ir_size) if delay_compensation < 0 else delay_compensation


def delay_of(ir_size: int) -> int:
    """Samples by which `fft_convolve` takes a linear-phase filter to delay."""
    return max((ir_size - 1) // 2 - 1, 0)


def fft_convolve(
    audio: Any,
    impulse_response: Any,
    padding: str = "same",
    delay_compensation: int = -1,
    power_of_2: bool = False,
) -> tf.Tensor:
    """Filters audio with impulse responses that may change from frame to frame.

    Frames of audio do not overlap; each is convolved with its own impulse response,
    and the results, longer than a frame, are overlapped and added.

    Args:
      audio: [batch, n_samples].
      impulse_response: [batch, ir_size] or [batch, n_frames, ir_size]. A batch of 1
        serves every row. The audio is cut into `n_frames` frames of
        `ceil(n_samples / n_frames)` samples.
      padding: `'same'` returns `n_samples`, `'valid'` the tail too.
      delay_compensation: Samples to cut at the start; below 0 the group delay of a
        linear-phase filter.
      power_of_2: Whether FFTs are of sizes that are powers of 2, needed on TPU. The
        result is the same.

    Returns:
      [batch, n_samples] for `'same'`; for `'valid'` [batch, n_samples + ir_size - 1],
      less the samples cut at the start unless zeros of the FFT make up for them.

    Raises:
      ValueError: If a rank is wrong, the batch sizes differ, the padding is unknown,
        or the number of frames does not fit the audio.
    """
    checks.one_of("padding", padding, PADDINGS)
    impulse_response = tf_float32(impulse_response)
    checks.rank("impulse_response", impulse_response, (2, 3))
    ir_size = impulse_response.shape[-1]
    if ir_size is None:
        raise ValueError(
            "The size of the impulse response must be known when the graph is built, "
            f"got shape {impulse_response.shape}."
        )
    return _filter(
        audio, impulse_response, None, padding, delay_compensation, power_of_2
    )


def _filter(
    audio: Any,
    controls: tf.Tensor,
    units: np.ndarray | None,
    padding: str,
    delay_compensation: int = -1,
    power_of_2: bool = False,
) -> tf.Tensor:
    """`fft_convolve`, with responses or, given `units`, what they are linear in.

    Args:
      audio: [batch, n_samples].
      controls: [batch or 1, n_controls] or [batch or 1, n_frames, n_controls].
      units: [n_controls, ir_size], the response of each control; None for responses.
      padding: See `fft_convolve`.
      delay_compensation: See `fft_convolve`.
      power_of_2: See `fft_convolve`.

    Returns:
      As `fft_convolve`.

    Raises:
      ValueError: If the rank of the audio is wrong, the batch sizes differ, or the
        number of frames does not fit the audio.
    """
    audio = tf_float32(audio)
    checks.rank("audio", audio, 2)
    if controls.shape.rank == 2:
        controls = controls[:, tf.newaxis, :]
    ir_batch, audio_batch = controls.shape[0], audio.shape[0]
    if None not in (ir_batch, audio_batch) and ir_batch not in (1, audio_batch):
        raise ValueError(
            "Audio and impulse response must have the same batch size, got "
            f"{audio_batch} and {ir_batch}."
        )
    ir_size = controls.shape[2] if units is None else units.shape[1]
    n_samples = _size(audio)
    n_frames = _size(controls[:, :, 0])
    frame_size = -(-n_samples // n_frames)
    frames = _frames(audio, frame_size, n_frames)
    known = isinstance(frame_size, int)
    if known:
        n_audio_frames = -(-n_samples // frame_size) if frame_size else 0
        if n_audio_frames != n_frames:
            raise ValueError(
                "The impulse responses must divide the audio into frames of equal "
                f"length, got {n_frames} impulse responses for {n_samples} samples, "
                f"which make {n_audio_frames} frames of {frame_size}."
            )
    responses = controls if units is None else tf.tensordot(controls, units, 1)
    if not known:
        sizes = tf.constant([2**bits for bits in range(31)], tf.int32)
        fft_size = sizes[tf.searchsorted(sizes, [frame_size + ir_size - 1])[0]]
        filtered = _convolve(frames, responses, fft_size, fft_size)
        convolved = tf.signal.overlap_and_add(filtered, frame_size)
    else:
        # How much of the silence behind it belongs to the result does not depend on
        # the way in which it was computed.
        total_size = (n_frames - 1) * frame_size + get_fft_size(frame_size, ir_size)
        needed = total_size
        if padding == "same":
            start = _first_sample(delay_compensation, ir_size)
            needed = min(needed, start + n_samples)
        filtered_size = frame_size + ir_size - 1
        fft_size = get_fft_size(frame_size, ir_size, power_of_2)
        if n_frames == 1:
            heard = min(filtered_size, needed)
            convolved = _convolve(frames, responses, fft_size, heard)[:, 0]
        elif filtered_size <= _LONGEST_MATRIX:
            convolved = short_frames.convolve_frames(frames, controls, units)
        else:
            filtered = _convolve(frames, responses, fft_size, filtered_size)
            convolved = tf.signal.overlap_and_add(filtered, frame_size)
        size = convolved.shape[1]
        if not needed <= size <= total_size:
            missing = max(total_size - size, 0)
            convolved = tf.pad(convolved[:, :total_size], [[0, 0], [0, missing]])
    return crop_and_compensate_delay(
        convolved, n_samples, ir_size, padding, delay_compensation
    )


def _convolve(
    frames: tf.Tensor, responses: tf.Tensor, fft_size: Any, n_samples: Any
) -> tf.Tensor:
    """Convolves [batch, n_frames, size] with [batch or 1, n_frames, ir_size] by FFT.

    TensorFlow's gradient of a real FFT is a complex one; here all are real, and the
    spectra serve both ways.

    Returns:
      [batch, n_frames, n_samples], the first samples.
    """
    if isinstance(fft_size, int) and fft_size >= _LONG:
        return long_signals.convolve_long(frames, responses, n_samples, fft_size)

    def analyze(x):
        # Padded here, since TensorFlow does not pad an empty batch.
        missing = fft_size - _size(x)
        x = tf.pad(x, [[0, 0], [0, 0], [0, tf.maximum(missing, 0)]])
        return tf.signal.rfft(x, [fft_size])

    def synthesize(spectrum, size):
        return tf.signal.irfft(spectrum, [fft_size])[..., :size]

    @tf.custom_gradient
    def forward(frames, responses):
        spectrum, response = analyze(frames), analyze(responses)

        def grad(upstream):
            upstream = analyze(upstream)
            d_frames = upstream * tf.math.conj(response)
            d_responses = upstream * tf.math.conj(spectrum)
            if responses.shape[0] == 1:
                d_responses = tf.reduce_sum(d_responses, axis=0, keepdims=True)
            return (
                synthesize(d_frames, _size(frames)),
                synthesize(d_responses, _size(responses)),
            )

        return synthesize(spectrum * response, n_samples), grad

    return forward(frames, responses)


def _size(x: tf.Tensor) -> Any:
    """Size of the last axis, a tensor where it is not known."""
    return x.shape[-1] if x.shape[-1] is not None else tf.shape(x)[-1]


def _frames(audio: tf.Tensor, frame_size: Any, n_frames: Any) -> tf.Tensor:
    """Cuts [batch, n_samples] into [batch, n_frames, frame_size], zero-padded."""
    missing = n_frames * frame_size - _size(audio)
    if not isinstance(missing, int) or missing > 0:
        audio = tf.pad(audio, [[0, 0], [0, missing]])
    return tf.reshape(audio, [tf.shape(audio)[0], n_frames, frame_size])


def apply_window_to_impulse_response(
    impulse_response: Any, window_size: int = 0, causal: bool = False
) -> tf.Tensor:
    """Windows a zero-phase impulse response and moves it into causal form.

    Shortening the response of a frequency-sampled filter by a Hann window smooths
    the filter between the sampled frequencies (Smith, "Spectral Audio Signal
    Processing", window method).

    Args:
      impulse_response: [..., ir_size], zero-phase (lag 0 first, negative lags last),
        or centered when `causal`.
      window_size: Samples of the window; 0, or more than `ir_size`, takes the whole
        response.
      causal: Whether the input is already centered.

    Returns:
      [..., size], centered: `size` is `ir_size` for the whole response, else
      `window_size`, one less when that is even.
    """
    impulse_response = tf_float32(impulse_response)
    ir_size = impulse_response.shape[-1]
    centered = (
        impulse_response if causal else tf.signal.fftshift(impulse_response, axes=-1)
    )
    if causal and ir_size % 2:
        # An odd response keeps its middle one place later when it was shifted twice.
        centered = tf.roll(centered, -1, axis=-1)
    if window_size <= 0 or window_size >= ir_size:
        window = tf.signal.hann_window(ir_size)
        return centered * tf.roll(window, -(ir_size % 2), axis=0)
    half = (window_size + 1) // 2
    size = 2 * half - 1
    first = ir_size // 2 - (half - 2)
    # Lag 0 stands at `half - 2`, where `fft_convolve` expects it; the window's two
    # outermost values fall away on the left and zeros follow on the right.
    window = tf.signal.hann_window(window_size)[2:]
    window = tf.pad(window, [[0, size - (window_size - 2)]])
    return centered[..., first : first + size] * window


def frequency_impulse_response(magnitudes: Any, window_size: int = 0) -> tf.Tensor:
    """Returns linear-phase impulse responses with the given magnitudes.

    Engel et al. (2020), section 3.5 and appendix B.

    Args:
      magnitudes: [..., n_frequencies], linearly spaced from 0 Hz to Nyquist.
      window_size: See `apply_window_to_impulse_response`.

    Returns:
      [..., ir_size], centered, `2 * (n_frequencies - 1)` samples before windowing.

    Raises:
      ValueError: If there are fewer than two frequencies.
    """
    magnitudes = tf_float32(magnitudes)
    if magnitudes.shape[-1] is not None and magnitudes.shape[-1] < 2:
        raise ValueError(
            "Magnitudes must be given at 0 Hz and Nyquist at least, got shape "
            f"{magnitudes.shape}."
        )
    # Not a cast, whose gradient warns of the imaginary part that it discards.
    spectrum = tf.complex(magnitudes, tf.zeros_like(magnitudes))
    zero_phase = tf.signal.irfft(spectrum)
    return apply_window_to_impulse_response(zero_phase, window_size)


def frequency_filter(
    audio: Any,
    magnitudes: Any,
    window_size: int = 0,
    padding: str = "same",
    cross_fade: bool = False,
) -> tf.Tensor:
    """Filters audio with magnitudes that may change from frame to frame.

    Args:
      audio: [batch, n_samples].
      magnitudes: [batch, n_frequencies] or [batch, n_frames, n_frequencies],
        linearly spaced from 0 Hz to Nyquist.
      window_size: Samples of the impulse response's window, 0 for all.
      padding: `'same'` or `'valid'`.
      cross_fade: Whether the audio of a frame fades from the filter of the frame
        before into its own, so that a change does not click. A filter is then heard
        in full where its frame ends. Otherwise filters switch where frames start.

    Returns:
      Filtered audio, as from `fft_convolve`.
    """
    magnitudes = tf_float32(magnitudes)
    checks.rank("magnitudes", magnitudes, (2, 3))
    if not cross_fade or magnitudes.shape.rank == 2:
        return _frequency_filter(audio, magnitudes, window_size, padding)
    audio = tf_float32(audio)
    checks.rank("audio", audio, 2)
    before = tf.concat([magnitudes[:, :1], magnitudes[:, :-1]], axis=1)
    n_samples, n_frames = _size(audio), _size(magnitudes[:, :, 0])
    frame_size = -(-n_samples // n_frames)
    fade = tf.tile(linear_ramp(frame_size), [n_frames])[:n_samples]
    return _frequency_filter(
        audio * fade, magnitudes, window_size, padding
    ) + _frequency_filter(audio * (1.0 - fade), before, window_size, padding)


def _frequency_filter(
    audio: Any, magnitudes: tf.Tensor, window_size: int, padding: str
) -> tf.Tensor:
    controls, units = responses_of(magnitudes, window_size)
    if units is None:
        return fft_convolve(audio, controls, padding=padding)
    checks.one_of("padding", padding, PADDINGS)
    return _filter(audio, controls, units, padding)


def responses_of(
    magnitudes: tf.Tensor, window_size: int
) -> tuple[tf.Tensor, np.ndarray | None]:
    """Impulse responses, or magnitudes and the matrix that makes responses of them.

    Args:
      magnitudes: [..., n_frequencies].
      window_size: See `frequency_filter`.

    Returns:
      Responses [..., ir_size] and None; or the magnitudes and the response of each
      frequency, [n_frequencies, ir_size].
    """
    n_frequencies = magnitudes.shape[-1]
    if n_frequencies is None or not 2 <= n_frequencies <= _LONGEST_MATRIX:
        return frequency_impulse_response(magnitudes, window_size), None
    # The response is linear in the magnitudes: a matrix product, in place of a
    # transform and a window for each frame.
    return magnitudes, _units(n_frequencies, window_size)


def ir_size(n_frequencies: int, window_size: int) -> int:
    """Samples of the response that `frequency_impulse_response` makes."""
    whole = 2 * (n_frequencies - 1)
    if 0 < window_size < whole:
        return 2 * ((window_size + 1) // 2) - 1
    return whole


@functools.cache
def _units(n_frequencies: int, window_size: int) -> np.ndarray:
    """Impulse responses of each frequency alone, [n_frequencies, ir_size]."""
    with tf.init_scope():
        return frequency_impulse_response(tf.eye(n_frequencies), window_size).numpy()


def sinc(x: Any, threshold: float = 1e-20) -> tf.Tensor:
    """Normalized sinc, sin(pi x) / (pi x), with 0 moved to `threshold`."""
    x = tf_float32(x)
    x = np.float32(np.pi) * tf.where(x == 0.0, threshold, x)
    return tf.sin(x) / x


def sinc_impulse_response(
    cutoff_frequency: Any,
    window_size: int = 512,
    sample_rate: int | None = None,
    high_pass: bool = False,
) -> tf.Tensor:
    """Returns Hamming-windowed sinc filters.

    Args:
      cutoff_frequency: [..., 1], or a number, [batch] or [batch, n_frames]; in Hz if
        `sample_rate` is given, else as a share of Nyquist, [0, 1].
      window_size: Samples of the window, rounded up to an odd number.
      sample_rate: Samples per second, or None.
      high_pass: Whether to keep what is above the cut-off instead.

    Returns:
      [..., ir_size], with `ir_size = 2 * (window_size // 2) + 1`, and a gain of 1 at
      0 Hz (low-pass). [1, 1, ir_size] for a number, [batch, 1, ir_size] and
      [batch, n_frames, ir_size] for cutoffs without a last axis of size 1.
    """
    cutoff_frequency = tf_float32(cutoff_frequency)
    if cutoff_frequency.shape.rank < 2:
        cutoff_frequency = tf.reshape(cutoff_frequency, [-1, 1, 1])
    elif cutoff_frequency.shape.rank == 2 and cutoff_frequency.shape[1] != 1:
        cutoff_frequency = cutoff_frequency[:, :, tf.newaxis]
    if sample_rate is not None:
        cutoff_frequency = cutoff_frequency * 2.0 / float(sample_rate)
    half = window_size // 2
    lags = tf.range(-half, half + 1, dtype=tf.float32)
    window = tf.signal.hamming_window(2 * half + 1)
    low_pass = sinc(cutoff_frequency * lags) * window
    low_pass /= tf.abs(tf.reduce_sum(low_pass, axis=-1, keepdims=True))
    if not high_pass:
        return low_pass
    return tf.cast(lags == 0.0, tf.float32) - low_pass


def sinc_filter(
    audio: Any,
    cutoff_frequency: Any,
    window_size: int = 512,
    sample_rate: int | None = None,
    padding: str = "same",
    high_pass: bool = False,
) -> tf.Tensor:
    """Filters audio with a windowed sinc whose cut-off may change over time.

    Args:
      audio: [batch, n_samples].
      cutoff_frequency: A number, [batch], [batch, n_frames] or [batch, n_frames, 1],
        see `sinc_impulse_response`.
      window_size: Samples of the window.
      sample_rate: Samples per second, or None for a cut-off relative to Nyquist.
      padding: `'same'` or `'valid'`.
      high_pass: Whether to keep what is above the cut-off.

    Returns:
      Filtered audio, as from `fft_convolve`.
    """
    impulse_response = sinc_impulse_response(
        cutoff_frequency, window_size, sample_rate, high_pass
    )
    return fft_convolve(audio, impulse_response, padding=padding)
