"""What a command and all its descendants use of processor and memory, read from Linux's /proc as it runs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PRIVATE = ("Private_Clean", "Private_Dirty")
DRIVER, TRAINING, IDLE_WORKERS, RAYLET, GCS, OTHER = (
    "driver",
    "workers that train",
    "workers that never train",
    "raylet",
    "gcs",
    "other",
)


@dataclass(frozen=True)
class Sample:
    """A process as it was at one time.

    Args:
        time: When, seconds since 1970.
        pid: The process.
        title: Its command line.
        cpu_seconds: Processor time since it started, user and system.
        rss_mib: Resident memory, MiB, what it shares with others included.
        uss_mib: Memory that is its alone, MiB.
    """

    time: float
    pid: int
    title: str
    cpu_seconds: float
    rss_mib: float
    uss_mib: float


class Sampler:
    """Samples a process and its descendants for as long as the context lasts.

    Processor time is that of a process's last sample: up to `interval` of it is missed.

    Args:
        pid: The process.
        interval: Seconds between samples.
    """

    def __init__(self, pid: int, interval: float = 0.5) -> None:
        self.samples: list[Sample] = []
        self._pid = pid
        self._interval = interval
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._known = {pid}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(self._interval):
            self._known |= _descendants(self._known)
            self.samples += [one for pid in self._known if (one := _sample(pid)) is not None]


def roles(samples: Iterable[Sample], driver: int) -> dict[int, str]:
    """Return what each process is, by all the titles that it had: a Ray worker's says what it does now."""
    titles: dict[int, set[str]] = {}
    for one in samples:
        titles.setdefault(one.pid, set()).add(one.title)
    return {pid: DRIVER if pid == driver else _role(" ".join(seen)) for pid, seen in titles.items()}


def cpu_seconds(samples: Iterable[Sample], of: dict[int, str], until: float) -> dict[str, float]:
    """Return the processor seconds of each role up to a time, seconds since 1970."""
    latest = {one.pid: one.cpu_seconds for one in sorted(samples, key=_time) if one.time <= until}
    totals = dict.fromkeys(sorted(set(of.values())), 0.0)
    for pid, seconds in latest.items():
        totals[of[pid]] += seconds
    return totals


def _time(sample: Sample) -> float:
    return sample.time


def _role(titles: str) -> str:
    if "ray::PackTrainable" in titles:
        return TRAINING
    for mark, role in (("ray::", IDLE_WORKERS), ("/raylet/raylet", RAYLET), ("/gcs/gcs_server", GCS)):
        if mark in titles:
            return role
    return OTHER


def _descendants(pids: set[int]) -> set[int]:
    parents = dict(_parents())
    found: set[int] = set()
    new = pids
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - found
        found |= new
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            fields = _stat(int(folder.name))
            if fields:
                yield int(folder.name), int(fields[1])


def _stat(pid: int) -> list[str]:
    """Return the fields of the stat file from the state on; the name before it may hold blanks."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _sample(pid: int) -> Sample | None:
    fields = _stat(pid)
    try:
        title = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        lines = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]]
    except OSError:
        return None
    if not fields or not lines:
        return None
    mib = {name.rstrip(":"): int(value) / 1024 for name, value, *_ in lines}
    cpu = (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND
    return Sample(time.time(), pid, title.strip(), cpu, mib["Rss"], sum(mib[name] for name in _PRIVATE))
