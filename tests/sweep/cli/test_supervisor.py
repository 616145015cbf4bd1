"""A driver that is watched; here it is a few lines that end as Ray ends drivers, and as drivers end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import REPOSITORY

PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from sweep.cli.supervisor import supervise

def drive():
    with Path("starts").open("a") as starts:
        starts.write(f"{os.getpid()}\\n")
    is_first = len(Path("starts").read_text().splitlines()) == 1
    BODY

supervise(drive)
"""
GOES_ON = "; going on from the checkpoints"


def start(body: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("BODY", body)],
        cwd=folder,
        env={"PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def starts(folder: Path) -> list[int]:
    path = folder / "starts"
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for_driver(folder: Path, command: subprocess.Popen[str]) -> psutil.Process:
    while not starts(folder):
        assert command.poll() is None
    return psutil.Process(starts(folder)[-1])


@pytest.mark.parametrize(
    ("body", "status", "num_starts", "num_lines"),
    [
        ("pass", 0, 1, 0),
        ("sys.exit(1)", 1, 1, 0),
        ("sys.exit(130)", 130, 1, 0),
        ("os._exit(1) if is_first else None", 0, 2, 1),
        ("os.abort() if is_first else sys.exit(1)", 1, 2, 1),
        ("os._exit(1)", 2, 3, 3),
        ("os.kill(os.getpid(), signal.SIGKILL)", 137, 1, 1),
    ],
)
def test_it_ends_as_its_driver_says_and_starts_again_one_that_could_not_say(
    body: str, status: int, num_starts: int, num_lines: int, tmp_path: Path
) -> None:
    command = start(body, tmp_path)
    _, said = command.communicate(timeout=60)
    assert (command.returncode, len(starts(tmp_path))) == (status, num_starts)
    *more, last = ["", *said.splitlines()]
    assert len(said.splitlines()) == num_lines
    assert all(line.endswith(GOES_ON) for line in more[1:])
    if status in (2, 137):
        assert last.startswith("error: ")
        assert last.endswith("run the same command again")


def test_an_error_of_the_driver_is_no_end_of_ray(tmp_path: Path) -> None:
    command = start("raise ZeroDivisionError('planted')", tmp_path)
    _, said = command.communicate(timeout=60)
    assert (command.returncode, len(starts(tmp_path))) == (1, 1)
    assert said.splitlines()[-1] == "ZeroDivisionError: planted"


def test_ctrl_c_reaches_the_driver_once(tmp_path: Path) -> None:
    body = """
    signal.signal(signal.SIGINT, lambda *words: Path("signals").open("a").write("1"))
    Path("ready").touch()
    signal.pause()
    time.sleep(1)  # for a second one
    sys.exit(len(Path("signals").read_text()))
"""
    command = start(body, tmp_path)
    while not (tmp_path / "ready").exists():
        assert command.poll() is None
    time.sleep(0.2)
    os.killpg(command.pid, signal.SIGINT)
    assert command.wait(60) == 1


def test_a_driver_is_stopped_and_ended_with_the_command(tmp_path: Path) -> None:
    command = start("time.sleep(600)", tmp_path)
    driver = wait_for_driver(tmp_path, command)
    command.send_signal(signal.SIGTSTP)
    while driver.status() != psutil.STATUS_STOPPED:
        assert command.poll() is None
    command.send_signal(signal.SIGCONT)
    while driver.status() == psutil.STATUS_STOPPED:
        assert command.poll() is None
    command.kill()
    assert command.wait(60) == -signal.SIGKILL
    assert psutil.wait_procs([driver], 60)[1] == []
