import os
import re
import shutil
import signal
import socket
import time
import zipfile
from pathlib import Path

import pytest

from trainables.data import DataError, fetch, load, verify
from trainables.data import download as download_module
from trainables.data.check import failures


def closed_root() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}/good"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_dataset_is_downloaded_verified_and_loaded(tmp_path: Path, small, server, use_small) -> None:
    use_small(f"{server.root}/good")
    target = fetch("mnist", tmp_path / "new" / "data")
    assert target == tmp_path / "new" / "data" / "mnist"
    assert names_in(target) == sorted(small.content)
    assert failures(verify("mnist", tmp_path / "new" / "data")) == []
    assert load("mnist", tmp_path / "new" / "data").train_images.shape == (300, 784)


def test_second_fetch_does_no_work_and_says_nothing(tmp_path: Path, server, use_small, capfd) -> None:
    use_small(f"{server.root}/good")
    fetch("mnist", tmp_path)
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "mnist").iterdir()}
    capfd.readouterr()
    fetch("mnist", tmp_path)
    assert len(server.requests) == 4
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "mnist").iterdir()} == times
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("place", ["mnist", "mnist/MNIST/raw", "MNIST/raw"])
@pytest.mark.parametrize("is_packed", [False, True])
def test_files_put_by_hand_count(tmp_path: Path, small, server, use_small, place, is_packed) -> None:
    use_small(f"{server.root}/good")
    (tmp_path / place).mkdir(parents=True)
    for name, content in (small.packed if is_packed else small.content).items():
        (tmp_path / place / name).write_bytes(content)
    fetch("mnist", tmp_path)
    assert server.requests == []
    assert failures(verify("mnist", tmp_path)) == []


def test_only_what_is_lacking_or_damaged_is_downloaded(tmp_path: Path, small, server, use_small) -> None:
    use_small(f"{server.root}/good")
    (tmp_path / "mnist").mkdir()
    lacking, damaged, *sound = small.content
    for name in sound:
        (tmp_path / "mnist" / name).write_bytes(small.content[name])
    (tmp_path / "mnist" / damaged).write_bytes(small.content[damaged][:-1])
    fetch("mnist", tmp_path)
    assert server.requests == [f"/good/{lacking}.gz", f"/good/{damaged}.gz"]


@pytest.mark.parametrize("is_zip", [False, True])
def test_source_that_the_user_names_is_used(tmp_path: Path, small, server, use_small, is_zip) -> None:
    use_small(f"{server.root}/good")
    source = tmp_path / "source"
    source.mkdir()
    for name, content in small.packed.items():
        (source / name).write_bytes(content)
    if is_zip:
        source = Path(shutil.make_archive(str(tmp_path / "archive"), "zip", source))
        assert zipfile.is_zipfile(source)
    fetch("mnist", tmp_path / "data", source=source)
    assert server.requests == []
    assert failures(verify("mnist", tmp_path / "data")) == []


def test_source_that_does_not_exist_is_an_error_at_once(tmp_path: Path, server, use_small) -> None:
    use_small(f"{server.root}/good")
    with pytest.raises(DataError, match=f"the source {tmp_path}/nowhere for mnist does not exist"):
        fetch("mnist", tmp_path / "data", source=tmp_path / "nowhere")
    assert server.requests == []


def test_failed_mirror_is_tried_once_and_the_next_one_gives_all_files(
    tmp_path: Path, server, use_small, monkeypatch
) -> None:
    monkeypatch.setattr(download_module, "ANSWER_SECONDS", 0.5)
    other_name = server.root.replace("127.0.0.1", "localhost")
    use_small(f"{other_name}/silent", f"{server.root}/good")
    fetch("mnist", tmp_path)
    assert [path.split("/")[1] for path in server.requests] == ["silent", "good", "good", "good", "good"]


def test_each_failure_is_one_line_and_the_error_lists_them_all(
    tmp_path: Path, small, server, use_small, monkeypatch, capfd
) -> None:
    monkeypatch.setattr(download_module, "ANSWER_SECONDS", 0.5)
    refusing = closed_root()
    dataset = use_small()
    sources = [small.dataset(root).remote_sources[0] for root in (refusing, f"{server.root}/missing")]
    sources += small.dataset(f"{server.root}/silent").remote_sources
    object.__setattr__(dataset, "remote_sources", tuple(sources))
    began = time.monotonic()
    with pytest.raises(DataError) as caught:
        fetch("mnist", tmp_path)
    assert time.monotonic() - began < 8
    lines = str(caught.value).splitlines()
    assert lines[0] == "cannot fetch mnist; every source failed:"
    assert re.match(r"  1\. files in .*/mnist or .*/MNIST/raw: there are none", lines[1])
    assert "Connection refused" in lines[2]
    assert "HTTP status 404" in lines[3]
    assert "no answer within 0.5 s" in lines[4]
    assert "train-images-idx3-ubyte" in lines[5]
    assert f"into {tmp_path}/mnist and run `catsweep data fetch mnist` again" in lines[5]
    assert lines[5].endswith("folder or zip that holds them: `catsweep data fetch mnist --from PATH`.")
    out, err = capfd.readouterr()
    assert out == ""
    assert [line.rpartition("; trying ")[2] for line in err.splitlines()[:3]] == [
        "torchvision's download of MNIST"
    ] * 3
    assert len(err.splitlines()) == 4
    assert names_in(tmp_path / "mnist") == []


def test_two_processes_download_once(tmp_path: Path, server, start_fetch, use_small) -> None:
    processes = [start_fetch(tmp_path, f"{server.root}/stalling") for _ in range(2)]
    deadline = time.monotonic() + 60
    while not server.requests and time.monotonic() < deadline:
        time.sleep(0.05)
    waiting_seconds = 2.0
    time.sleep(waiting_seconds)
    server.release.set()
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    assert len(server.requests) == 4
    assert sum("verified in" in error for error in errors) == 1
    assert sum("another process is fetching it; waiting" in error for error in errors) == 1
    use_small()
    assert failures(verify("mnist", tmp_path)) == []


def test_killed_download_leaves_nothing_that_is_accepted(
    tmp_path: Path, small, server, start_fetch, use_small
) -> None:
    process = start_fetch(tmp_path, f"{server.root}/stalling")
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size for path in tmp_path.rglob("*.part") if path.is_file()):
        assert time.monotonic() < deadline, "the download never began to write"
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert not set(small.content) & {path.name for path in tmp_path.rglob("*")}
    use_small(f"{server.root}/good")
    assert len(failures(verify("mnist", tmp_path))) == 4
    fetch("mnist", tmp_path)
    assert failures(verify("mnist", tmp_path)) == []
    assert names_in(tmp_path / "mnist") == sorted(small.content)


def test_folder_that_cannot_be_written_is_named(tmp_path: Path, server, use_small) -> None:
    use_small(f"{server.root}/good")
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DataError, match=f"cannot write the data folder {tmp_path}/file/data for mnist"):
        fetch("mnist", tmp_path / "file" / "data")


@pytest.mark.parametrize("call", [lambda name, folder: fetch(name, folder), verify, load])
def test_unknown_name_gets_the_nearest(tmp_path: Path, call) -> None:
    with pytest.raises(DataError, match=r"unknown dataset 'fashion-mnist'.*did you mean 'fashion_mnist'\?"):
        call("fashion-mnist", tmp_path)
