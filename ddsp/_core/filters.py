"""Time-varying filters by frequency sampling, and convolution by FFT."""

import functools
import math
from collections.abc import Callable

import numpy as np
import scipy.fft
import tensorflow as tf

from ddsp._core import checks, long_signals, short_frames
from ddsp._core.resampling import linear_ramp
from ddsp._core.tensors import tf_float32
from ddsp.types import ArrayLike

PADDINGS = ("same", "valid")
# Above this size an FFT is faster than a matrix product.
_LONGEST_MATRIX = 256
# From this size on, several short FFTs are faster than one.
_LONG = 2**14


def get_fft_size(frame_size: int, ir_size: int, power_of_2: bool = True) -> int:
    """Computes the FFT size of a linear convolution.

    Args:
      frame_size: Samples per frame of audio.
      ir_size: Samples of the impulse response.
      power_of_2: Whether to round up to a power of 2, as TPUs need; otherwise to the
        next size with small prime factors.

    Returns:
      FFT size, at least `frame_size + ir_size - 1`.

    Example:

    >>> ddsp.core.get_fft_size(1000, 100)
    2048
    >>> ddsp.core.get_fft_size(1000, 100, power_of_2=False)
    1125
    """
    convolved_size = int(ir_size) + int(frame_size) - 1
    if power_of_2:
        return 2 ** math.ceil(math.log2(convolved_size))
    return int(scipy.fft.next_fast_len(convolved_size, real=True))


def crop_and_compensate_delay(
    audio: tf.Tensor,
    audio_size: int | tf.Tensor,
    ir_size: int,
    padding: str,
    delay_compensation: int,
) -> tf.Tensor:
    """Crops a convolution and removes the delay of its filter.

    Args:
      audio: Full convolution, shape [batch, time].
      audio_size: Samples of the audio before the convolution.
      ir_size: Samples of the impulse response.
      padding: `'same'` keeps `audio_size` samples, `'valid'` the tail as well.
      delay_compensation: Samples to remove at the start; if negative, the group delay
        of a linear-phase filter, `(ir_size - 1) // 2 - 1`.

    Returns:
      Audio, shape [batch, audio_size] for `'same'`.

    Raises:
      ValueError: If `padding` is unknown.

    Example:

    >>> ddsp.core.crop_and_compensate_delay(
    ...     tf.range(8.0)[tf.newaxis], audio_size=4, ir_size=5, padding="same",
    ...     delay_compensation=2).numpy()
    array([[2., 3., 4., 5.]], dtype=float32)
    """
    checks.one_of("padding", padding, PADDINGS)
    start = _first_sample(delay_compensation, ir_size)
    if padding == "same":
        cropped = audio[:, start : start + audio_size]
        if audio.shape[1] is None and isinstance(audio_size, int):
            cropped = tf.ensure_shape(cropped, [None, audio_size])
        return cropped
    # If the FFT left enough zeros after the convolution, they replace the samples
    # removed at the start; otherwise the output ends with the convolution.
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
    """Returns the delay of a linear-phase filter that `fft_convolve` removes."""
    return max((ir_size - 1) // 2 - 1, 0)


def fft_convolve(
    audio: ArrayLike,
    impulse_response: ArrayLike,
    padding: str = "same",
    delay_compensation: int = -1,
    power_of_2: bool = False,
) -> tf.Tensor:
    """Filters audio with impulse responses that may vary from frame to frame.

    Frames of audio do not overlap. Each is convolved with its own impulse response,
    and the results, longer than a frame, are combined by overlap-add.

    Args:
      audio: Audio, shape [batch, n_samples].
      impulse_response: Impulse responses, shape [batch, ir_size] or
        [batch, n_frames, ir_size]. A batch of 1 broadcasts. The audio is divided into
        `n_frames` frames of `ceil(n_samples / n_frames)` samples.
      padding: `'same'` returns `n_samples` samples, `'valid'` the tail as well.
      delay_compensation: Samples to remove at the start; if negative, the group delay
        of a linear-phase filter.
      power_of_2: Whether FFT sizes are powers of 2, as TPUs need. The result is the
        same.

    Returns:
      Audio, shape [batch, n_samples] for `'same'`. For `'valid'`,
      [batch, n_samples + ir_size - 1], minus the samples removed at the start unless
      zeros of the FFT replace them.

    Raises:
      ValueError: If a rank is wrong, the batch sizes differ, the padding is unknown,
        or the number of frames does not fit the audio.

    Example:

    >>> ddsp.core.fft_convolve(
    ...     [[1.0, 0.0, 0.0, 2.0]], [[1.0, 0.5]], delay_compensation=0).numpy().round(3)
    array([[1. , 0.5, 0. , 2. ]], dtype=float32)
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
    audio: ArrayLike,
    controls: tf.Tensor,
    basis: np.ndarray | None,
    padding: str,
    delay_compensation: int = -1,
    power_of_2: bool = False,
) -> tf.Tensor:
    """Convolves as `fft_convolve`, with responses that may be linear in controls.

    Args:
      audio: Audio, shape [batch, n_samples].
      controls: Controls, shape [batch or 1, n_controls] or
        [batch or 1, n_frames, n_controls]; the responses themselves if `basis` is None.
      basis: Response of each control, shape [n_controls, ir_size], or None.
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
    ir_size = controls.shape[2] if basis is None else basis.shape[1]
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
    responses = controls if basis is None else tf.tensordot(controls, basis, 1)
    if not known:
        sizes = tf.constant([2**bits for bits in range(31)], tf.int32)
        fft_size = sizes[tf.searchsorted(sizes, [frame_size + ir_size - 1])[0]]
        filtered = _convolve(frames, responses, fft_size, fft_size)
        convolved = tf.signal.overlap_and_add(filtered, frame_size)
    else:
        # The amount of trailing silence must not depend on the method.
        total_size = (n_frames - 1) * frame_size + get_fft_size(frame_size, ir_size)
        needed = total_size
        if padding == "same":
            start = _first_sample(delay_compensation, ir_size)
            needed = min(needed, start + n_samples)
        filtered_size = frame_size + ir_size - 1
        fft_size = get_fft_size(frame_size, ir_size, power_of_2)
        if n_frames == 1:
            size = min(filtered_size, needed)
            convolved = _convolve(frames, responses, fft_size, size)[:, 0]
        elif filtered_size <= _LONGEST_MATRIX:
            convolved = short_frames.convolve_frames(frames, controls, basis)
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
    frames: tf.Tensor,
    responses: tf.Tensor,
    fft_size: int | tf.Tensor,
    n_samples: int | tf.Tensor,
) -> tf.Tensor:
    """Convolves [batch, n_frames, size] with [batch or 1, n_frames, ir_size] by FFT.

    The gradient of TensorFlow's real FFT is a complex FFT. Here all FFTs are real, and
    the gradient reuses the spectra.

    Returns:
      The first samples, [batch, n_frames, n_samples].
    """
    if isinstance(fft_size, int) and fft_size >= _LONG:
        return long_signals.convolve_long(frames, responses, n_samples, fft_size)

    def analyze(x: tf.Tensor) -> tf.Tensor:
        # Padded here: TensorFlow does not pad an empty batch.
        missing = fft_size - _size(x)
        x = tf.pad(x, [[0, 0], [0, 0], [0, tf.maximum(missing, 0)]])
        return tf.signal.rfft(x, [fft_size])

    def synthesize(spectrum: tf.Tensor, size: int | tf.Tensor) -> tf.Tensor:
        return tf.signal.irfft(spectrum, [fft_size])[..., :size]

    @tf.custom_gradient
    def forward(
        frames: tf.Tensor, responses: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
        spectrum, response = analyze(frames), analyze(responses)

        def grad(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
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


def _size(x: tf.Tensor) -> int | tf.Tensor:
    """Returns the size of the last axis, as a tensor if it is unknown."""
    return x.shape[-1] if x.shape[-1] is not None else tf.shape(x)[-1]


def _frames(
    audio: tf.Tensor, frame_size: int | tf.Tensor, n_frames: int | tf.Tensor
) -> tf.Tensor:
    """Cuts [batch, n_samples] into [batch, n_frames, frame_size], zero-padded."""
    missing = n_frames * frame_size - _size(audio)
    if not isinstance(missing, int) or missing > 0:
        audio = tf.pad(audio, [[0, 0], [0, missing]])
    return tf.reshape(audio, [tf.shape(audio)[0], n_frames, frame_size])


def apply_window_to_impulse_response(
    impulse_response: ArrayLike, window_size: int = 0, causal: bool = False
) -> tf.Tensor:
    """Windows a zero-phase impulse response and centers it.

    A Hann window smooths a frequency-sampled filter between the sampled frequencies
    (Smith, "Spectral Audio Signal Processing", window method).

    Args:
      impulse_response: Impulse responses, shape [..., ir_size]: zero-phase (time 0
        first, negative times last), or centered if `causal`.
      window_size: Samples of the window; 0, or more than `ir_size`, keeps the whole
        response.
      causal: Whether the input is already centered.

    Returns:
      Centered responses, shape [..., size]. `size` is `ir_size` for the whole response,
      otherwise `window_size`, or one less if `window_size` is even.

    Example:

    >>> ddsp.core.apply_window_to_impulse_response(
    ...     tf.ones([1, 8]), window_size=5).shape.as_list()
    [1, 5]
    """
    impulse_response = tf_float32(impulse_response)
    ir_size = impulse_response.shape[-1]
    centered = (
        impulse_response if causal else tf.signal.fftshift(impulse_response, axes=-1)
    )
    if causal and ir_size % 2:
        # Two shifts move the center of an odd response by one sample.
        centered = tf.roll(centered, -1, axis=-1)
    if window_size <= 0 or window_size >= ir_size:
        window = tf.signal.hann_window(ir_size)
        return centered * tf.roll(window, -(ir_size % 2), axis=0)
    half = (window_size + 1) // 2
    size = 2 * half - 1
    first = ir_size // 2 - (half - 2)
    # Time 0 is at `half - 2`, where `fft_convolve` expects it: the first two values of
    # the window are dropped, and zeros are appended.
    window = tf.signal.hann_window(window_size)[2:]
    window = tf.pad(window, [[0, size - (window_size - 2)]])
    return centered[..., first : first + size] * window


def frequency_impulse_response(
    magnitudes: ArrayLike, window_size: int = 0
) -> tf.Tensor:
    """Computes linear-phase impulse responses from magnitudes.

    Engel et al. (2020), section 3.5 and appendix B.

    Args:
      magnitudes: Magnitudes at frequencies equally spaced from 0 Hz to Nyquist, shape
        [..., n_frequencies].
      window_size: Samples of the window, see `apply_window_to_impulse_response`.

    Returns:
      Centered responses, shape [..., ir_size], of `2 * (n_frequencies - 1)` samples
      before windowing.

    Raises:
      ValueError: If there are fewer than two frequencies.

    Example:

    >>> ddsp.core.frequency_impulse_response(tf.ones([1, 5])).numpy().round(3)
    array([[0., 0., 0., 0., 1., 0., 0., 0.]], dtype=float32)
    """
    magnitudes = tf_float32(magnitudes)
    if magnitudes.shape[-1] is not None and magnitudes.shape[-1] < 2:
        raise ValueError(
            "`magnitudes` must contain at least 0 Hz and Nyquist, got shape "
            f"{magnitudes.shape}."
        )
    # Not a cast: its gradient warns that it discards the imaginary part.
    spectrum = tf.complex(magnitudes, tf.zeros_like(magnitudes))
    zero_phase = tf.signal.irfft(spectrum)
    return apply_window_to_impulse_response(zero_phase, window_size)


def frequency_filter(
    audio: ArrayLike,
    magnitudes: ArrayLike,
    window_size: int = 0,
    padding: str = "same",
    cross_fade: bool = False,
) -> tf.Tensor:
    """Filters audio with magnitudes that may vary from frame to frame.

    Args:
      audio: Audio, shape [batch, n_samples].
      magnitudes: Magnitudes at frequencies equally spaced from 0 Hz to Nyquist, shape
        [batch, n_frequencies] or [batch, n_frames, n_frequencies].
      window_size: Samples of the window of the impulse response; 0 keeps all.
      padding: `'same'` or `'valid'`, see `fft_convolve`.
      cross_fade: Whether each frame fades from the filter of the previous frame to its
        own, so that changes do not click. A filter reaches full effect at the end of
        its frame. Without it, filters switch at the start of frames.

    Returns:
      Filtered audio, see `fft_convolve`.

    Raises:
      ValueError: If a rank is wrong, the batch sizes differ, the padding is unknown,
        or the number of frames does not fit the audio.

    Example:

    >>> ddsp.core.frequency_filter(tf.ones([1, 64]), tf.ones([1, 4, 9])).shape.as_list()
    [1, 64]
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
    audio: ArrayLike, magnitudes: tf.Tensor, window_size: int, padding: str
) -> tf.Tensor:
    controls, basis = responses_of(magnitudes, window_size)
    if basis is None:
        return fft_convolve(audio, controls, padding=padding)
    checks.one_of("padding", padding, PADDINGS)
    return _filter(audio, controls, basis, padding)


def responses_of(
    magnitudes: tf.Tensor, window_size: int
) -> tuple[tf.Tensor, np.ndarray | None]:
    """Returns impulse responses, or magnitudes and a basis of responses.

    Args:
      magnitudes: [..., n_frequencies].
      window_size: See `frequency_filter`.

    Returns:
      Responses [..., ir_size] and None; or the magnitudes and the response at each
      frequency, [n_frequencies, ir_size].
    """
    n_frequencies = magnitudes.shape[-1]
    if n_frequencies is None or not 2 <= n_frequencies <= _LONGEST_MATRIX:
        return frequency_impulse_response(magnitudes, window_size), None
    # The response is linear in the magnitudes: one matrix product replaces a transform
    # and a window per frame.
    return magnitudes, _response_basis(n_frequencies, window_size)


def ir_size(n_frequencies: int, window_size: int) -> int:
    """Returns the size of the responses of `frequency_impulse_response`."""
    whole = 2 * (n_frequencies - 1)
    if 0 < window_size < whole:
        return 2 * ((window_size + 1) // 2) - 1
    return whole


@functools.cache
def _response_basis(n_frequencies: int, window_size: int) -> np.ndarray:
    """Returns the impulse response of each frequency, [n_frequencies, ir_size]."""
    with tf.init_scope():
        return frequency_impulse_response(tf.eye(n_frequencies), window_size).numpy()


def sinc(x: ArrayLike, threshold: float = 1e-20) -> tf.Tensor:
    """Computes the normalized sinc, sin(pi x) / (pi x).

    Args:
      x: Values of any shape.
      threshold: Replacement of zeros.

    Returns:
      Tensor of the shape of `x`.

    Example:

    >>> ddsp.core.sinc([0.0, 0.5]).numpy().round(2)
    array([1.  , 0.64], dtype=float32)
    """
    x = tf_float32(x)
    x = np.float32(np.pi) * tf.where(x == 0.0, threshold, x)
    return tf.sin(x) / x


def sinc_impulse_response(
    cutoff_frequency: ArrayLike,
    window_size: int = 512,
    sample_rate: int | None = None,
    high_pass: bool = False,
) -> tf.Tensor:
    """Computes Hamming-windowed sinc filters.

    Args:
      cutoff_frequency: Cutoff in Hz, or relative to Nyquist in [0, 1] if `sample_rate`
        is None. Shape [..., 1], [], [batch] or [batch, n_frames].
      window_size: Samples of the window, rounded up to an odd number.
      sample_rate: Samples per second, or None.
      high_pass: Whether the filter is a high-pass instead of a low-pass.

    Returns:
      Impulse responses of `ir_size = 2 * (window_size // 2) + 1` samples. Low-pass
      filters have a gain of 1 at 0 Hz. The shape is [..., ir_size]; [1, 1, ir_size],
      [batch, 1, ir_size] or [batch, n_frames, ir_size] for cutoffs without a last axis
      of size 1.

    Example:

    >>> ddsp.core.sinc_impulse_response([[0.5]], window_size=64).shape.as_list()
    [1, 65]
    """
    cutoff_frequency = tf_float32(cutoff_frequency)
    if cutoff_frequency.shape.rank < 2:
        cutoff_frequency = tf.reshape(cutoff_frequency, [-1, 1, 1])
    elif cutoff_frequency.shape.rank == 2 and cutoff_frequency.shape[1] != 1:
        cutoff_frequency = cutoff_frequency[:, :, tf.newaxis]
    if sample_rate is not None:
        cutoff_frequency = cutoff_frequency * 2.0 / float(sample_rate)
    half = window_size // 2
    times = tf.range(-half, half + 1, dtype=tf.float32)
    window = tf.signal.hamming_window(2 * half + 1)
    low_pass = sinc(cutoff_frequency * times) * window
    low_pass /= tf.abs(tf.reduce_sum(low_pass, axis=-1, keepdims=True))
    if not high_pass:
        return low_pass
    return tf.cast(times == 0.0, tf.float32) - low_pass


def sinc_filter(
    audio: ArrayLike,
    cutoff_frequency: ArrayLike,
    window_size: int = 512,
    sample_rate: int | None = None,
    padding: str = "same",
    high_pass: bool = False,
) -> tf.Tensor:
    """Filters audio with a windowed sinc with a cutoff that may vary over time.

    Args:
      audio: Audio, shape [batch, n_samples].
      cutoff_frequency: Cutoff, shape [], [batch], [batch, n_frames] or
        [batch, n_frames, 1], see `sinc_impulse_response`.
      window_size: Samples of the window.
      sample_rate: Samples per second, or None for a cutoff relative to Nyquist.
      padding: `'same'` or `'valid'`, see `fft_convolve`.
      high_pass: Whether the filter is a high-pass instead of a low-pass.

    Returns:
      Filtered audio, see `fft_convolve`.

    Raises:
      ValueError: If a rank is wrong, the batch sizes differ, the padding is unknown,
        or the number of frames does not fit the audio.

    Example:

    >>> ddsp.core.sinc_filter(
    ...     tf.ones([1, 64]), 1000.0, window_size=16, sample_rate=16000
    ... ).shape.as_list()
    [1, 64]
    """
    impulse_response = sinc_impulse_response(
        cutoff_frequency, window_size, sample_rate, high_pass
    )
    return fft_convolve(audio, impulse_response, padding=padding)
