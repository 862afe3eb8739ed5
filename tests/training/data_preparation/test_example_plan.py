"""Which windows become examples, and that the splits share nothing."""

import numpy as np
import pytest

from ddsp.recordings.analysis_settings import Settings
from ddsp.recordings.audio_io import Recording
from ddsp.training.data_preparation import example_plan


def recordings(*seconds, sample_rate=16000):
    return [
        Recording(f"/{i:03d}.wav", sample_rate, 1, round(s * sample_rate))
        for i, s in enumerate(seconds)
    ]


@pytest.mark.parametrize(
    ("n_frames", "window", "hop", "expected"),
    [
        (16, 4, 4, [0, 4, 8, 12]),
        (17, 4, 4, [0, 4, 8, 12]),  # a tail below half a hop
        (18, 4, 4, [0, 4, 8, 12, 14]),  # half a hop: one more, up to the end
        (11, 4, 2, [0, 2, 4, 6, 7]),
        (4, 4, 1, [0]),
        (3, 4, 1, [0]),  # to be filled up
        (2, 4, 1, [0]),
        (1, 4, 1, []),
    ],
)
def test_window_starts(n_frames, window, hop, expected):
    assert example_plan.window_starts(n_frames, window, hop) == expected


def test_without_a_split_all_is_used():
    (plan,) = example_plan.plan_recordings(recordings(10.3), Settings())
    # 4 s windows every second; 0.3 s are less than half a hop.
    assert [w.start for w in plan.windows] == [250 * i for i in range(7)]
    assert {w.split for w in plan.windows} == {example_plan.ALL}


def test_times_at_other_rates():
    (plan,) = example_plan.plan_recordings(recordings(4, sample_rate=44100), Settings())
    assert plan.n_frames == 1000
    assert len(plan.windows) == 1


def covered(plans, name, settings):
    """Frames of each recording that the examples of a split cover."""
    return {
        (plan.recording.path, frame)
        for plan in plans
        for window in plan.windows
        if window.split == name
        for frame in range(window.start, window.start + settings.example_frames)
    }


@pytest.mark.parametrize(
    "seconds",
    [
        [60],
        [8],
        [30, 30],
        [100, 5, 5],
        [3, 3, 9],
        [20] * 20,
        list(np.random.default_rng(0).uniform(3, 90, 30)),
    ],
)
@pytest.mark.parametrize("fraction", [0.1, 0.3])
def test_no_window_overlaps_across_the_split(seconds, fraction):
    settings = Settings(eval_split_fraction=fraction, frame_rate=50)
    plans = example_plan.plan_recordings(recordings(*seconds), settings)
    train, held_out = (covered(plans, name, settings) for name in ("train", "eval"))
    assert train and held_out
    assert not train & held_out


def test_whole_recordings_where_there_are_enough():
    seconds = np.random.default_rng(1).uniform(5, 60, 40)
    settings = Settings(eval_split_fraction=0.2)
    plans = example_plan.plan_recordings(recordings(*seconds), settings)
    splits = [{w.split for w in plan.windows} for plan in plans]
    assert all(len(names) == 1 for names in splits)
    held_out = sum(
        p.n_frames for p, s in zip(plans, splits, strict=True) if "eval" in s
    )
    share = held_out / sum(p.n_frames for p in plans)
    assert share == pytest.approx(0.2, abs=0.02)


def test_few_recordings_give_their_ends():
    settings = Settings(eval_split_fraction=0.1)
    plans = example_plan.plan_recordings(recordings(100, 200), settings)
    for plan in plans:
        starts = [w.start for w in plan.windows if w.split == "eval"]
        assert min(starts) == plan.n_frames * 9 // 10
        assert max(starts) + 1000 == plan.n_frames


def test_too_little_to_split():
    with pytest.raises(ValueError, match=r"two examples of 4 s.*7\.00 s"):
        example_plan.plan_recordings(recordings(7), Settings(eval_split_fraction=0.5))


def test_every_file_has_a_fate():
    bad = Recording("/bad.wav", problem="is empty")
    plans = example_plan.plan_recordings([bad, *recordings(1.5, 2.5)], Settings())
    assert plans[0].skipped == "is empty"
    assert plans[1].skipped.startswith("is shorter than half an example (1.50 s")
    assert plans[2].skipped is None
    assert len(plans[2].windows) == 1


def test_nothing_usable_names_the_files():
    bad = [Recording(f"/{i}.wav", problem="is empty") for i in range(7)]
    with pytest.raises(ValueError, match=r"/0.wav is empty; .*and 2 more"):
        example_plan.plan_recordings(bad, Settings())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample_rate": 44100, "frame_rate": 250}, "nearest that do are 245 and 252"),
        ({"sample_rate": 48000, "frame_rate": 75}, "sample_rate=16000"),
        ({"example_secs": 0}, "positive"),
        ({"hop_secs": 0.3333}, r"nearest is 0.332 s, got 0.3333"),
        ({"eval_split_fraction": 1.0}, "below 1, got 1.0"),
        ({"chunk_secs": -1}, "chunk_secs"),
        ({"crepe_model": "huge"}, "tiny"),
    ],
)
def test_bad_settings(change, message):
    with pytest.raises(ValueError, match=message):
        Settings(**change)
