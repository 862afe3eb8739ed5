"""Notes, compared with NumPy one note at a time."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from ddsp.training import nn

# Runs of at least two frames, so that none starts in the last frame.
PITCHES = np.array(
    [
        [0, 0, 60, 60, 60, 62, 62, 0, 0, 0, 60, 60],
        [48, 48, 48, 48, 55, 55, 48, 48, 48, 0, 0, 0],
    ],
    np.float32,
)


def notes_of(pitches, with_silence=False):
    """Returns the slices of equal frames of each row, with their indices."""
    for row in pitches:
        start, found = 0, []
        for i, (pitch, run) in enumerate(itertools.groupby(row)):
            stop = start + len(list(run))
            if pitch > 0 or with_silence:
                found.append((i, slice(start, stop)))
            start = stop
        yield found


def mask_of(pitches, n_regions, with_silence=False):
    mask = np.zeros([*pitches.shape, n_regions])
    for row, found in enumerate(notes_of(pitches, with_silence)):
        for i, frames in found:
            mask[row, frames, i] = 1.0
    return mask


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("with_channel", [False, True])
@pytest.mark.parametrize("with_silence", [False, True])
def test_every_change_of_pitch_begins_a_note(with_silence, with_channel):
    pitches = PITCHES[..., None] if with_channel else PITCHES
    mask = nn.get_note_mask(pitches, 8, note_on_only=not with_silence)
    np.testing.assert_array_equal(mask, mask_of(PITCHES, 8, with_silence))


def test_regions_beyond_the_last_are_left_out():
    mask = nn.get_note_mask(PITCHES, 2)
    np.testing.assert_array_equal(mask, mask_of(PITCHES, 8)[..., :2])


def test_a_single_frame_is_one_region():
    np.testing.assert_array_equal(nn.get_note_mask([[60.0]], 2), [[[1.0, 0.0]]])
    onset_mask = nn.get_note_mask_from_onset([[60.0]], [[0.0]], 2)
    np.testing.assert_array_equal(onset_mask, [[[1.0, 0.0]]])


def test_onsets_part_notes_of_the_same_pitch():
    pitch = np.array([[60, 60, 60, 60, 0, 0, 62]], np.float32)
    onset = np.array([[1, 0, 1, 0, 0, 0, 1]], np.float32)
    expected = np.zeros([1, 7, 4])
    expected[0, [0, 1], 0] = expected[0, [2, 3], 1] = expected[0, 6, 2] = 1.0
    mask = nn.get_note_mask_from_onset(pitch, onset, 4)
    np.testing.assert_array_equal(mask, expected)
    expected[0, [4, 5], 1] = 1.0
    mask = nn.get_note_mask_from_onset(pitch[..., None], onset[..., None], 4, False)
    np.testing.assert_array_equal(mask, expected)


def test_note_lengths():
    lengths = nn.get_note_lengths(nn.get_note_mask(PITCHES, 6))
    np.testing.assert_array_equal(lengths, [[0, 3, 2, 0, 2, 0], [4, 2, 3, 0, 0, 0]])


def test_moments_are_those_of_each_note(rng):
    # Far from zero, where a difference of squares would lose precision.
    x = 60.0 + 0.1 * rng.normal(size=[2, 12, 3])
    means, stds = nn.get_note_moments(x, nn.get_note_mask(PITCHES, 8))
    expected_means, expected_stds = np.zeros([2, 2, 8, 3])
    for row, found in enumerate(notes_of(PITCHES)):
        for i, frames in found:
            expected_means[row, i] = x[row, frames].mean(0)
            expected_stds[row, i] = x[row, frames].std(0)
    # The resolution of float32 at 60 is 4e-6.
    np.testing.assert_allclose(means, expected_means, atol=2e-5)
    np.testing.assert_allclose(stds, expected_stds, atol=2e-5)


def test_moments_of_one_value_a_frame(rng):
    x = rng.normal(size=[2, 12]).astype(np.float32)
    mask = nn.get_note_mask(PITCHES, 8)
    wide = nn.get_note_moments(x[..., None], mask)
    for moment, wide_moment in zip(nn.get_note_moments(x, mask), wide, strict=True):
        np.testing.assert_array_equal(moment, wide_moment[..., 0])
    means = nn.get_note_moments(x, mask, return_std=False)
    np.testing.assert_array_equal(means, wide[0][..., 0])


def test_pooled_frames_have_the_moments_of_their_note(rng):
    x = rng.normal(size=[2, 12, 3]).astype(np.float32)
    mask = nn.get_note_mask(PITCHES, 8)
    means, stds = nn.pool_over_notes(x, mask)
    expected_means, expected_stds = np.zeros([2, *x.shape])
    for row, found in enumerate(notes_of(PITCHES)):
        for _, frames in found:
            expected_means[row, frames] = x[row, frames].mean(0)
            expected_stds[row, frames] = x[row, frames].std(0)
    np.testing.assert_allclose(means, expected_means, atol=1e-6)
    np.testing.assert_allclose(stds, expected_stds, atol=1e-6)
    alone = nn.pool_over_notes(x, mask, return_std=False)
    np.testing.assert_array_equal(alone, means)


def test_gradients_are_finite_where_nothing_deviates():
    x = tf.constant(PITCHES[..., None])
    with tf.GradientTape() as tape:
        tape.watch(x)
        means, stds = nn.pool_over_notes(x, nn.get_note_mask(PITCHES))
        total = tf.reduce_sum(means) + tf.reduce_sum(stds)
    assert np.isfinite(tape.gradient(total, x)).all()


def test_frames_of_short_notes():
    mask = nn.get_note_mask(PITCHES, note_on_only=False)
    pitches = nn.get_note_moments(PITCHES, mask, return_std=False)
    short = nn.get_short_note_loss_mask(
        mask, nn.get_note_lengths(mask), pitches, min_length=3
    )
    expected = np.zeros([2, 12])
    expected[0, [5, 6, 10, 11]] = expected[1, [4, 5]] = 1.0
    np.testing.assert_array_equal(short, expected)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_notes_in_a_graph_of_any_length(jit_compile, rng):
    shapes = [tf.TensorSpec([None, None, n]) for n in (1, 3)]

    @tf.function(input_signature=shapes, jit_compile=jit_compile)
    def pooled(pitch, x):
        return nn.pool_over_notes(x, nn.get_note_mask(pitch))

    x = rng.normal(size=[2, 12, 3]).astype(np.float32)
    expected = nn.pool_over_notes(x, nn.get_note_mask(PITCHES))
    for a, b in zip(pooled(PITCHES[..., None], x), expected, strict=True):
        # Summation order.
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="`q_pitch` must have 2 or 3 axes, got"):
        nn.get_note_mask(tf.zeros([4]))
    with pytest.raises(ValueError, match="`max_regions` must be positive, got 0"):
        nn.get_note_mask(PITCHES, 0)
    with pytest.raises(ValueError, match=r"same shape, got \(2, 12\) and"):
        nn.get_note_mask_from_onset(PITCHES, PITCHES[:, 1:])
    with pytest.raises(ValueError, match="`note_lengths` must have 2 axes, got"):
        nn.get_short_note_loss_mask(tf.zeros([2, 3, 4]), tf.zeros([2]), tf.zeros([2]))
