"""A driver in a process of its own, which this one watches, and starts again where Ray took it away.

Where the raylet, one of its agents or the GCS is gone, Ray ends the process of a driver by `_exit(1)`: no
line of Python runs any more in which it could say so, and the status would be that of members that failed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from trainables.terminal import echo

EXIT_LOST = 2
RESTARTS = 2
"""How often a driver that Ray took with it is started again, as often as a pack whose process died."""
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_OF_CRASHES = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS)
_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux's prctl.h


def supervise(drive: Callable[[], None]) -> None:
    """Call a function in a process of its own, and end this one with its status.

    Args:
        drive: What the driver does; it ends by returning or by SystemExit. Called again, it goes on.
    """
    for num_left in reversed(range(RESTARTS + 1)):
        own, status = _drive_once(drive)
        if own is not None:
            sys.exit(own)
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        if number is not None and number not in _OF_CRASHES:
            name = signal.Signals(number).name
            echo(f"error: the driver was ended by {name}; to go on, run the same command again", err=True)
            sys.exit(128 + number)
        lost = "Ray has ended, since a process of its own was killed, and with it the driver of this run"
        if num_left:
            echo(f"{lost}; going on from the checkpoints", err=True)
    again = "to go on from the checkpoints, run the same command again"
    echo(f"error: {lost}, {RESTARTS + 1} times; {again}", err=True)
    sys.exit(EXIT_LOST)


def _drive_once(drive: Callable[[], None]) -> tuple[int | None, int]:
    """Return the status that the driver says it ends with, none where it could not say, and how it ended."""
    reader, writer = os.pipe()
    parent = os.getpid()
    driver = os.fork()
    if driver == 0:
        os.close(reader)
        _end_with(parent)
        _say_status_of(drive, writer)
    os.close(writer)
    before = _forward_signals(driver)
    try:
        _, status = os.waitpid(driver, 0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    with os.fdopen(reader, "rb") as said:
        own = said.read(1)
    return (own[0] if own else None), status


def _say_status_of(drive: Callable[[], None], writer: int) -> None:
    status = 1  # of a traceback
    try:
        drive()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
    finally:
        os.write(writer, bytes([status]))
    sys.exit(status)


def _end_with(parent: int) -> None:
    """Leave the terminal's signals to the parent, which hands them on, and end when it is killed."""
    os.setpgid(0, 0)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


def _forward_signals(driver: int) -> dict[signal.Signals, Any]:
    """Hand signals on to the driver, and stop and go on with it; return the handlers of before."""

    def forward(number: int, _frame: FrameType | None) -> None:
        os.kill(driver, number)

    def stop(_number: int, _frame: FrameType | None) -> None:
        os.kill(driver, signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        os.kill(driver, signal.SIGCONT)

    handlers = {**dict.fromkeys(_FORWARDED, forward), signal.SIGTSTP: stop}
    return {number: signal.signal(number, handler) for number, handler in handlers.items()}
