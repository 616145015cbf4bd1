import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.trainables.data.conftest import Shelf
from trainables.data import DATASETS, DataError, Dataset, ImageDataset, fetch, load, verify
from trainables.data.check import failures

REPOSITORY = Path(__file__).resolve().parents[3]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_dataset_is_fetched_verified_and_loaded(tmp_path: Path, small, shelf, use_small) -> None:
    use_small(shelf)
    target = fetch("mnist", tmp_path / "new" / "data")
    assert target == tmp_path / "new" / "data" / "mnist"
    assert names_in(target) == sorted(small.content)
    assert failures(verify("mnist", tmp_path / "new" / "data")) == []
    assert np.array_equal(
        load("mnist", tmp_path / "new" / "data").train_images, small.arrays[0].reshape(30, 784)
    )


def test_second_fetch_does_no_work_and_says_nothing(tmp_path: Path, shelf, use_small, capfd) -> None:
    use_small(shelf)
    fetch("mnist", tmp_path)
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "mnist").iterdir()}
    capfd.readouterr()
    fetch("mnist", tmp_path)
    assert shelf.num_asked == 1
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "mnist").iterdir()} == times
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("place", ["mnist", "mnist/MNIST/raw", "MNIST/raw"])
@pytest.mark.parametrize("is_packed", [False, True])
def test_files_put_by_hand_count(tmp_path: Path, small, shelf, use_small, place, is_packed) -> None:
    use_small(shelf)
    (tmp_path / place).mkdir(parents=True)
    for name, content in (small.packed if is_packed else small.content).items():
        (tmp_path / place / name).write_bytes(content)
    fetch("mnist", tmp_path)
    assert shelf.num_asked == 0
    assert failures(verify("mnist", tmp_path)) == []


@pytest.mark.parametrize("is_zip", [False, True])
def test_source_that_the_user_names_is_used(tmp_path: Path, small, shelf, use_small, is_zip) -> None:
    use_small(shelf)
    source = tmp_path / "source"
    source.mkdir()
    for name, content in small.packed.items():
        (source / name).write_bytes(content)
    if is_zip:
        source = Path(shutil.make_archive(str(tmp_path / "archive"), "zip", source))
        assert zipfile.is_zipfile(source)
    fetch("mnist", tmp_path / "data", source=source)
    assert shelf.num_asked == 0
    assert failures(verify("mnist", tmp_path / "data")) == []


def test_source_that_does_not_exist_is_an_error_at_once(tmp_path: Path, shelf, use_small) -> None:
    use_small(shelf)
    with pytest.raises(DataError, match=f"the source {tmp_path}/nowhere for mnist does not exist"):
        fetch("mnist", tmp_path / "data", source=tmp_path / "nowhere")
    assert shelf.num_asked == 0


def test_source_with_other_content_leads_to_the_next(tmp_path: Path, small, shelf, use_small, capfd) -> None:
    damaged = Shelf("the other shelf", {**small.content, "t10k-labels-idx1-ubyte": b"nonsense"})
    use_small(damaged, shelf)
    fetch("mnist", tmp_path)
    assert (damaged.num_asked, shelf.num_asked) == (1, 1)
    assert failures(verify("mnist", tmp_path)) == []
    said = capfd.readouterr().err.splitlines()
    assert re.search(r"the other shelf: t10k-labels.* MD5 .*, expected .*; trying the shelf$", said[-2])
    assert said[-1] == f"mnist: verified in {tmp_path}/mnist (from the shelf)"


def test_each_failure_is_one_line_and_the_error_lists_them_all(tmp_path: Path, use_small, capfd) -> None:
    use_small(Shelf("one", {}, "host: refused"), Shelf("two", {}, "host: no answer"))
    with pytest.raises(DataError) as caught:
        fetch("mnist", tmp_path)
    lines = str(caught.value).splitlines()
    assert lines[0] == "cannot fetch mnist; every source failed:"
    assert re.match(r"  1\. files in .*/mnist or .*/MNIST/raw: there are none", lines[1])
    assert lines[2:4] == ["  2. one: host: refused", "  3. two: host: no answer"]
    assert "train-images-idx3-ubyte" in lines[4]
    assert f"{tmp_path}/mnist" in lines[4]
    assert "catsweep data fetch mnist --from PATH" in lines[4]
    said = capfd.readouterr().err.splitlines()
    assert [line.rpartition("; trying ")[2] for line in said] == ["one", "two", "mnist: two: host: no answer"]
    assert names_in(tmp_path / "mnist") == []


SLOW_FETCH = """
import sys, time, tempfile
from pathlib import Path
from tests.trainables.data.conftest import SmallIdx
from trainables.atomic_file import UNFINISHED
from trainables.data import DATASETS, fetch

folder, signals = map(Path, sys.argv[1:])
small = SmallIdx()

class Slow:
    title = "slow source"

    def obtain(self, target):
        with tempfile.TemporaryDirectory(prefix=".download.", suffix=UNFINISHED, dir=target) as temporary:
            (Path(temporary) / "train-images-idx3-ubyte").write_bytes(b"half a file")
            with (signals / "begun").open("a") as file:
                file.write("once;")
            while not (signals / "release").exists():
                time.sleep(0.02)
            for file in small.files:
                file.install(target, small.content[file.name], file.name)

DATASETS["mnist"] = small.dataset(Slow())
fetch("mnist", folder)
"""


@pytest.fixture
def start_fetch(tmp_path: Path) -> Iterator[Callable[[], "subprocess.Popen[str]"]]:
    """Starts a process that fetches the small data set from a source that waits for a file `release`."""
    started: list[subprocess.Popen[str]] = []

    def start() -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", SLOW_FETCH, str(tmp_path / "data"), str(tmp_path)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def wait_for(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_processes_fetch_once(tmp_path: Path, start_fetch, use_small) -> None:
    processes = [start_fetch(), start_fetch()]
    first, second = (process.stderr for process in processes)
    said = [first.readline(), second.readline()]  # each has tried and failed, or waits
    wait_for((tmp_path / "begun").exists)
    (tmp_path / "release").touch()
    said = [line + process.communicate(timeout=60)[1] for line, process in zip(said, processes, strict=True)]
    assert [process.returncode for process in processes] == [0, 0], said
    assert (tmp_path / "begun").read_text() == "once;"
    assert sum("verified in" in one for one in said) == 1
    assert sum("another process is fetching it; waiting" in one for one in said) == 1
    use_small()
    assert failures(verify("mnist", tmp_path / "data")) == []


def test_killed_fetch_leaves_nothing_that_is_accepted(
    tmp_path: Path, small, shelf, start_fetch, use_small
) -> None:
    process = start_fetch()
    wait_for((tmp_path / "begun").exists)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    use_small(shelf)
    assert len(failures(verify("mnist", tmp_path / "data"))) == 4
    fetch("mnist", tmp_path / "data")
    assert failures(verify("mnist", tmp_path / "data")) == []
    assert names_in(tmp_path / "data" / "mnist") == sorted(small.content)


def test_folder_that_cannot_be_written_is_named(tmp_path: Path, shelf, use_small) -> None:
    use_small(shelf)
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DataError, match=f"cannot write the data folder {tmp_path}/file/data for mnist"):
        fetch("mnist", tmp_path / "file" / "data")


@pytest.mark.parametrize("call", [lambda name, folder: fetch(name, folder), verify, load])
def test_unknown_name_gets_the_nearest(tmp_path: Path, call) -> None:
    with pytest.raises(DataError, match=r"unknown dataset 'fashion-mnist'.*did you mean 'fashion_mnist'\?"):
        call("fashion-mnist", tmp_path)


def test_a_record_of_ones_own_needs_neither_sources_nor_images_of_28_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = np.zeros((3, 80), np.uint8), np.zeros(3, np.uint8)

    def read(_: Path) -> ImageDataset:
        return ImageDataset("digits", images, labels, images, labels, "sha256:1", image_shape=(8, 10))

    monkeypatch.setitem(DATASETS, "digits", Dataset("digits", read, lambda _: [], image_shape=(8, 10)))
    fetch("digits", tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert load("digits", tmp_path).train_images is images
