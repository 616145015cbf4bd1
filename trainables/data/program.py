"""A program that gets files from elsewhere: waited for within bounds, its reasons in one line."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from trainables.data.errors import SourceError

_NAME_LOOK_UPS = "timeout:2 attempts:1"
"""For the system's resolver, which else asks a server that does not answer for half a minute."""


def run_program(
    command: Sequence[str], folder: Path, seconds: float, *, shows_progress: bool = False
) -> None:
    """Run a program to its end.

    Args:
        command: The program and its arguments.
        folder: Where it runs.
        seconds: The longest that it may take.
        shows_progress: Whether its standard error is ours; it then gives reasons on standard output.

    Raises:
        SourceError: If it is not on this machine, takes longer or fails.
    """
    program = Path(command[0]).name
    if shutil.which(command[0]) is None:
        raise SourceError(f"{program} is not on this machine")
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C", "RES_OPTIONS": _NAME_LOOK_UPS},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if shows_progress else subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SourceError(f"{program} took longer than {seconds:g} s") from None
    if done.returncode != 0:
        raise SourceError(
            _reason((done.stderr or "") + done.stdout) or f"{program} ended with status {done.returncode}"
        )


def _reason(said: str) -> str:
    """Return the lines that are marked as errors, by pip or by apt-get, else the last one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return " ".join([line for line in lines if line.startswith(("E:", "ERROR"))] or lines[-1:])
