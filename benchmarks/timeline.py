"""Where the time of the cores goes: epochs laid out on cores, and the gaps between them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

_OVERLAP_SECONDS = 0.01  # ends are noted in whole milliseconds, and by another clock than durations


@dataclass(frozen=True)
class Epoch:
    """An epoch of a pack.

    Args:
        pack: What tells the pack from others.
        start: When it began, seconds since some origin.
        end: When it ended, on the same clock.
    """

    pack: str
    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start


@dataclass(frozen=True)
class CoreSeconds:
    """The seconds of all cores from start to exit; nothing is left out and nothing counted twice.

    Args:
        training: Inside epochs.
        start: Before a core's first epoch.
        between_epochs: Between epochs of one pack.
        between_packs: Between packs on one core.
        tail: After a core's last epoch, while other cores still train.
        end: After the last epoch of all.
    """

    training: float
    start: float
    between_epochs: float
    between_packs: float
    tail: float
    end: float

    @property
    def total(self) -> float:
        """Cores times wall seconds."""
        return math.fsum(asdict(self).values())

    @property
    def loss(self) -> float:
        """Share of the cores' seconds that is not inside an epoch."""
        return 1 - self.training / self.total


def lay_out(epochs: Iterable[Epoch], num_cores: int) -> list[list[Epoch]]:
    """Return the epochs of each core; a pack that starts takes the core that has been idle longest.

    Raises:
        ValueError: If more packs were at work at once than there are cores.
    """
    packs: dict[str, list[Epoch]] = {}
    for epoch in sorted(epochs, key=lambda one: one.start):
        packs.setdefault(epoch.pack, []).append(epoch)
    cores: list[list[Epoch]] = [[] for _ in range(num_cores)]
    for pack in packs.values():
        core = min(cores, key=lambda done: done[-1].end if done else float("-inf"))
        if core and core[-1].end > pack[0].start + _OVERLAP_SECONDS:
            raise ValueError(f"at most {num_cores} packs must be at work at once, got more: {pack[0].pack}")
        core.extend(pack)
    return cores


def account(epochs: Sequence[Epoch], num_cores: int, start: float, end: float) -> CoreSeconds:
    """Split the seconds of all cores by what they went into.

    Args:
        epochs: Every epoch of every pack, at least one.
        num_cores: Number of cores; a pack keeps one busy.
        start: When the command started, on the clock of the epochs.
        end: When it had exited.
    """
    first, last = min(one.start for one in epochs), max(one.end for one in epochs)
    cores = lay_out(epochs, num_cores)
    pairs = [pair for core in cores for pair in itertools.pairwise(core)]
    return CoreSeconds(
        training=math.fsum(one.seconds for one in epochs),
        start=math.fsum((core[0].start if core else first) - start for core in cores),
        between_epochs=math.fsum(b.start - a.end for a, b in pairs if a.pack == b.pack),
        between_packs=math.fsum(b.start - a.end for a, b in pairs if a.pack != b.pack),
        tail=math.fsum(last - (core[-1].end if core else first) for core in cores),
        end=num_cores * (end - last),
    )
