"""The folder for Ray: private, short, and gone at the end, also of a driver that was killed."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweep.cluster import scratch
from sweep.cluster.scratch import scratch_folder
from sweep.cluster_error import ClusterError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files with a short path, as pytest's own have none."""
    with tempfile.TemporaryDirectory(prefix="short-") as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)
        yield Path(folder)


def test_it_is_its_users_alone_and_gone_at_the_end(place: Path) -> None:
    before = os.umask(0)
    try:
        with scratch_folder() as folder:
            assert folder.parent == place
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            (folder / "ray" / "logs").mkdir(parents=True)
    finally:
        os.umask(before)
    assert list(place.iterdir()) == []


def test_it_is_gone_after_an_error_too(place: Path) -> None:
    with pytest.raises(ZeroDivisionError), scratch_folder():
        raise ZeroDivisionError
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("variable", ["RAY_TMPDIR", "TMPDIR"])
def test_a_path_too_long_for_a_socket_is_not_used(
    variable: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    long = place / ("x" * 60)
    long.mkdir()
    monkeypatch.delenv("RAY_TMPDIR")
    monkeypatch.setenv(variable, str(long))
    monkeypatch.setattr(tempfile, "tempdir", None)  # so that it is looked for anew
    monkeypatch.setattr(scratch, "_ALWAYS_SHORT", (str(place),))
    if variable == "RAY_TMPDIR":
        monkeypatch.setattr(tempfile, "tempdir", str(place))
    with scratch_folder() as folder:
        assert folder.parent == place
        assert len(os.fsencode(folder / "ray" / scratch._SESSION / "sockets" / "plasma_store")) <= 107
    assert list(long.iterdir()) == []
    said = capsys.readouterr().err
    assert said == (
        f"{long} cannot be written, or its path is too long for Ray's sockets; Ray uses {place}\n"
    )


def test_where_no_folder_will_do_one_line_says_so(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = place / "gone"
    monkeypatch.setenv("RAY_TMPDIR", str(gone))
    monkeypatch.setattr(tempfile, "tempdir", str(gone))
    monkeypatch.setattr(scratch, "_ALWAYS_SHORT", (str(gone),))
    with pytest.raises(ClusterError) as caught, scratch_folder():
        pass
    assert f"got {gone}; name one with RAY_TMPDIR" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_a_killed_driver_left_is_removed_and_what_a_living_one_uses_is_not(place: Path) -> None:
    code = """
from sweep.cluster.scratch import scratch_folder
with scratch_folder() as folder:
    print(folder, flush=True)
    input()
"""
    words = [sys.executable, "-c", code]
    with subprocess.Popen(
        words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout is not None
        theirs = Path(driver.stdout.readline().strip())
        (theirs / "session").mkdir()
        with scratch_folder():
            assert (theirs / "session").is_dir()
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        assert (theirs / "session").is_dir()
        with scratch_folder() as folder:
            assert list(place.iterdir()) == [folder]


def test_a_link_in_the_place_is_neither_followed_nor_removed(place: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("")
    link = place / "catsweep.planted"
    link.symlink_to(tmp_path)
    with scratch_folder():
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]
    assert link.is_symlink()


def test_processes_that_still_write_do_not_keep_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remove, calls = shutil.rmtree, []

    def hinder(path: Path, **options: bool) -> None:
        remove(path, **options)
        if not calls:
            (path / "late.log").parent.mkdir()
            (path / "late.log").write_text("")
        calls.append(path)

    monkeypatch.setattr(shutil, "rmtree", hinder)
    with scratch_folder():
        pass
    assert (len(calls), list(place.iterdir())) == (2, [])


def test_folders_of_former_releases_go_once_nothing_in_them_has_changed_for_a_day(place: Path) -> None:
    for name, hours in (("catsweep-tune-old", 25), ("catsweep-tune-used", 23), ("catsweep-other", 25)):
        folder = place / name
        folder.mkdir()
        (folder / "trial").touch()
        for path, age in ((folder / "trial", hours), (folder, 48)):
            os.utime(path, (time.time() - age * 3600,) * 2)
    with scratch_folder():
        pass
    assert sorted(one.name for one in place.iterdir()) == ["catsweep-other", "catsweep-tune-used"]
