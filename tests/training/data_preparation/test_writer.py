"""Sets of shards are published whole: what readers find after a stop anywhere."""

import os
import shutil

import numpy as np
import pytest

from ddsp.training.data import Manifest, TFRecordProvider
from ddsp.training.data import manifest as manifests
from ddsp.training.data_preparation import writer
from ddsp.training.data_preparation.examples import serialize
from tests.training.stops import killed_after

RATE = 100


def manifest_of(splits):
    return Manifest(
        sample_rate=RATE,
        frame_rate=10,
        example_secs=1.0,
        hop_secs=1.0,
        center=False,
        features={"audio": RATE},
        pitch_tracker={},
        splits=splits,
        statistics={},
        recordings=[],
    )


def prepare(path, values, splits=("all",), num_shards=2):
    """Writes one example of each value into each split."""
    output = writer.Output(str(path), num_shards, splits)
    with writer.staging(output) as directory:
        for split in splits:
            part = os.path.join(directory, "part")
            with writer.record_writer(part) as records:
                for value in values:
                    records.write(serialize({"audio": np.full(RATE, value, "f4")}))
            writer.deal_out([part], output.shard_paths(split, directory))
        counts = {"examples": len(values), "shards": num_shards}
        manifest = manifest_of(dict.fromkeys(splits, counts))
        return writer.publish(output, directory, manifest)


def read(path):
    provider = TFRecordProvider(
        f"{path}*", example_secs=1, sample_rate=RATE, frame_rate=10
    )
    examples = provider.get_dataset(shuffle=False)
    return [int(example["audio"][0]) for example in examples]


def found(path):
    """What a reader finds, or None where it is refused."""
    try:
        return read(path)
    except FileNotFoundError:
        return []
    except ValueError as error:
        assert "run the same command again" in str(error)
        return None


@pytest.mark.parametrize(
    ("old", "splits", "num_shards"),
    [
        (None, ("all",), 2),
        ({"num_shards": 2}, ("all",), 1),
        ({"num_shards": 1}, ("train", "eval"), 1),
    ],
)
def test_stopped_anywhere(tmp_path, old, splits, num_shards):
    start, here = tmp_path / "start", tmp_path / "here"
    start.mkdir()
    # The sets are of equal sizes, so that sizes do not tell them apart.
    before, after = [], [4, 5, 6]
    if old is not None:
        before = [1, 2, 3]
        prepare(start / "v", before, **old)
    prepare(tmp_path / "whole" / "v", after, splits, num_shards)
    whole = sorted(os.listdir(tmp_path / "whole"))
    states = set()
    for n_calls in range(1000):
        shutil.copytree(start, here)
        with killed_after(n_calls) as made:
            prepare(here / "v", after, splits, num_shards)
        seen = found(here / "v")
        assert seen in (None, before, after)
        states.add(str(seen))
        finished = len(made) < n_calls
        # The same command clears what was left and succeeds; not each time, for speed.
        if seen is None or n_calls % 4 == 0:
            prepare(here / "v", after, splits, num_shards)
            assert read(here / "v") == after
            assert sorted(os.listdir(here)) == whole
        shutil.rmtree(here)
        if finished:
            break
    assert states == {str(before), "None", str(after)}
    assert n_calls > 30


def test_a_second_preparation_is_told_so(tmp_path):
    output = writer.Output(str(tmp_path / "v"), 1, ("all",))
    with writer.staging(output) as directory:
        with pytest.raises(FileExistsError, match=rf"preparing .*/v: .*{os.getpid()}"):
            prepare(tmp_path / "v", [1])
        assert os.path.isdir(directory)
        prepare(tmp_path / "w", [2])
    assert read(tmp_path / "w") == [2]
    assert not list(tmp_path.glob(".*"))


def test_directories_that_stay_empty_go(tmp_path):
    output = writer.Output(str(tmp_path / "a/b/v"), 1, ("all",))
    with pytest.raises(KeyboardInterrupt), writer.staging(output):
        raise KeyboardInterrupt
    assert not os.listdir(tmp_path)


def test_a_hostile_manifest_has_no_other_files_removed(tmp_path):
    """One that only marks a set as unfinished lists names to clear away."""
    (tmp_path / "thesis").write_text("mine")
    (tmp_path / "v-00000-of-00001").mkdir()
    names = ["thesis", "manifest-w.json", "v-00000-of-00001", "v-00007-of-00008"]
    (tmp_path / "v-00007-of-00008").write_text("left")
    manifests.write_unfinished(str(tmp_path / "manifest-v.json"), names)
    prepare(tmp_path / "v", [1, 2])
    assert (tmp_path / "thesis").read_text() == "mine"
    assert (tmp_path / "v-00000-of-00001").is_dir()
    assert not (tmp_path / "v-00007-of-00008").exists()
    assert read(tmp_path / "v-?????-of-00002") == [1, 2]


def test_remote_output():
    prepare("ram://data/sub/v", [1, 2])
    prepare("ram://data/sub/v", [3, 4])
    assert read("ram://data/sub/v") == [3, 4]
