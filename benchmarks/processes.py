"""What a command and all its descendants use of processor and memory, read from Linux's /proc as it runs."""

from __future__ import annotations

import itertools
import math
import os
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

DRIVER = "driver"
TRAINING = "workers that train"
OTHER = "other"

_ROLES = {
    "Trainable": TRAINING,
    "/workers/": "other workers",
    "/raylet ": "raylet",
    "/gcs_server ": "gcs",
}
"""What a process is, by a mark in its command line; a worker's says what it is doing."""
_SAMPLE_SECONDS = 0.5
_SAMPLES_PER_MEMORY_SAMPLE = 10  # to sum up a process's pages takes many times as long as all the rest
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Sample:
    """A process as it was at one time.

    Args:
        time: When, seconds since 1970.
        pid: The process.
        title: Its command line.
        cpu_seconds: Processor time since it started, user and system.
        peak_mib: Most resident memory so far, MiB, what it shares with others included.
        own_mib: Memory that no other process shares (USS), MiB; none in most samples.
    """

    time: float
    pid: int
    title: str
    cpu_seconds: float
    peak_mib: float
    own_mib: float | None


@dataclass(frozen=True)
class Usage:
    """What the processes of one role used.

    Args:
        first_seen_seconds: When the first of them was seen, from the start of the command.
        cpu_seconds: Processor seconds in all.
        training_cpu_seconds: Processor seconds from the first epoch's begin to the last's end.
        peak_mib: Largest resident memory of one of them, MiB, what it shares included.
        own_mib: Largest memory of one of them that no other shares, MiB.
    """

    first_seen_seconds: float
    cpu_seconds: float
    training_cpu_seconds: float
    peak_mib: float
    own_mib: float


class Sampler:
    """Samples a process and its descendants for as long as the context lasts.

    Processor time is that of a process's last sample: what it used in the half second after it is missed.

    Args:
        pid: The process.

    Attributes:
        samples: The samples, in the order of time.
    """

    def __init__(self, pid: int) -> None:
        self.samples: list[Sample] = []
        self._known = {pid}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        for number in itertools.count():
            if self._is_over.wait(_SAMPLE_SECONDS):
                return
            self._known |= _descendants(self._known)
            is_with_memory = number % _SAMPLES_PER_MEMORY_SAMPLE == 0
            found = (_sample(pid, is_with_memory) for pid in sorted(self._known))
            self.samples += [one for one in found if one is not None]


def usage(
    samples: Sequence[Sample], driver: int, start: float, first_epoch: float, last_epoch: float
) -> dict[str, Usage]:
    """Return what the processes of each role used.

    Args:
        samples: The samples, in the order of time.
        driver: The process of the command.
        start: When the command started, seconds since 1970.
        first_epoch: When the first epoch began.
        last_epoch: When the last epoch ended.
    """
    of = _roles_of(samples, driver)
    used = {}
    for role in dict.fromkeys(of.values()):
        own = [one for one in samples if of[one.pid] == role]
        before, after, whole = (_cpu_seconds(own, until) for until in (first_epoch, last_epoch, math.inf))
        used[role] = Usage(
            first_seen_seconds=own[0].time - start,
            cpu_seconds=whole,
            training_cpu_seconds=after - before,
            peak_mib=max(one.peak_mib for one in own),
            own_mib=max(one.own_mib or 0.0 for one in own),
        )
    return used


def machine_cpu_seconds() -> float:
    """Return the processor seconds that the whole machine has been busy since it started."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICKS_PER_SECOND


def _roles_of(samples: Iterable[Sample], driver: int) -> dict[int, str]:
    """Return what each process is, by all the titles that it had."""
    titles: dict[int, set[str]] = {}
    for one in samples:
        titles.setdefault(one.pid, set()).add(one.title)
    return {pid: DRIVER if pid == driver else _role(" ".join(seen)) for pid, seen in titles.items()}


def _cpu_seconds(samples: Iterable[Sample], until: float) -> float:
    return math.fsum({one.pid: one.cpu_seconds for one in samples if one.time <= until}.values())


def _role(titles: str) -> str:
    return next((role for mark, role in _ROLES.items() if mark in titles), OTHER)


def _descendants(pids: set[int]) -> set[int]:
    numbers = (int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal())
    parents = {pid: int(fields[1]) for pid in numbers if (fields := _stat(pid))}
    found: set[int] = set()
    new = pids
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - found
        found |= new
    return found


def peak_memory_mib(pid: int) -> float:
    """Return the most resident memory that a process has had, MiB; 0 where it is gone.

    Not what `getrusage` and `wait4` say: to those a process owns the peak of the one that started it.
    """
    return _mib(_read(pid, "status"), "VmHWM")


def _read(pid: int, name: str) -> str:
    """Return a file of a process; nothing where the process is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""


def _stat(pid: int) -> list[str]:
    """Return the fields of the stat file from the state on; the name before it may hold blanks."""
    return _read(pid, "stat").rpartition(")")[2].split()


def _mib(text: str, *names: str) -> float:
    """Add up lines such as "VmHWM:  1024 kB"."""
    lines = (line.split() for line in text.splitlines())
    return sum(int(words[1]) for words in lines if words and words[0].rstrip(":") in names) / 1024


def _sample(pid: int, is_with_memory: bool) -> Sample | None:
    fields, title = _stat(pid), _read(pid, "cmdline").replace("\0", " ")
    if not fields or not title:  # gone, or gone but for its exit status
        return None
    rollup = _read(pid, "smaps_rollup") if is_with_memory else ""
    return Sample(
        time=time.time(),
        pid=pid,
        title=title,
        cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND,
        peak_mib=peak_memory_mib(pid),
        own_mib=_mib(rollup, "Private_Clean", "Private_Dirty") if rollup else None,
    )
