"""What this process may use of its machine: cores and memory, which others may have limited.

A batch system, `taskset` or a container gives a process a part of a machine, and the machine's own numbers
then promise what nobody will get. The standard library has no answer for a control group's limits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path("/")
_UNLIMITED_BYTES = 1 << 60
"""From here on a limit is none: version 1 of control groups has no other word for it."""


def usable_cores(root: Path | None = None) -> int:
    """Return how many cores this process may use, at least one.

    The least of: those that its affinity names, the whole ones in the quotas of its control groups, and
    those of SLURM's job on this node.

    Args:
        root: Where `proc` and `sys` are; none stands for the machine's own.
    """
    counts = [_cores_of_affinity(), *_quotas(root or ROOT), *_number("SLURM_CPUS_ON_NODE")]
    return max(1, int(min(counts)))


def usable_memory(root: Path | None = None) -> int:
    """Return how many bytes of memory this process may use with all that it starts.

    The least of the machine's memory, the limits of its control groups, and what SLURM's job has here.

    Args:
        root: Where `proc` and `sys` are; none stands for the machine's own.
    """
    of_job = [mebibytes * 2**20 for mebibytes in _number("SLURM_MEM_PER_NODE")]
    return int(min([_memory_of_machine(), *_memory_limits(root or ROOT), *of_job]))


def _cores_of_affinity() -> int:
    if hasattr(os, "sched_getaffinity"):  # macOS has none
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_of_machine() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _quotas(root: Path) -> Iterator[float]:
    """Yield the cores that control groups allow, of either version."""
    for folder in _groups(root, ""):
        quota, _, period = _text(folder / "cpu.max").partition(" ")
        yield from _ratio(quota, period)
    for folder in _groups(root, "cpu"):
        yield from _ratio(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> Iterator[float]:
    if quota.isdigit() and period.isdigit() and int(period):  # "max" and -1 mean that there is none
        yield int(quota) / int(period)


def _memory_limits(root: Path) -> Iterator[int]:
    """Yield the bytes that control groups allow, of either version."""
    files = [folder / "memory.max" for folder in _groups(root, "")]
    files += [folder / "memory.limit_in_bytes" for folder in _groups(root, "memory")]
    for limit in map(_text, files):
        if limit.isdigit() and 0 < int(limit) < _UNLIMITED_BYTES:
            yield int(limit)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's control group and of all above it, whose limits hold as well.

    A container may see its own group as the top one, but be told the path that the host knows; then that
    folder is not there, and the top one is what counts.

    Args:
        root: Where `proc` and `sys` are.
        controller: Of version 1; "" stands for version 2, where all controllers have one group.
    """
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, names, path = [*line.split(":", 2), "", ""][:3]
        if controller in names.split(","):
            top = root / "sys/fs/cgroup"
            # Version 2 beside version 1 lies in a folder of its own, without limits but there.
            mounts = (top, top / "unified") if not controller else (top / controller, top / names)
            inner = PurePosixPath(path.lstrip("/"))
            for mount in dict.fromkeys(mounts):
                yield from (mount / part for part in (inner, *inner.parents))


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _number(variable: str) -> Iterator[int]:
    value = os.environ.get(variable, "")
    if value.isdigit() and int(value) > 0:  # of memory, 0 is all of it
        yield int(value)
