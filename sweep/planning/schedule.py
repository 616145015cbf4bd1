"""How long packs take together on a machine or a cluster that has room for some of them at once."""

from __future__ import annotations

import heapq
from collections.abc import Iterable


def makespan(durations: Iterable[float], num_slots: int) -> float:
    """Return when the last pack ends, if each starts as soon as a slot is free, in this order.

    Args:
        durations: How long each pack takes, in the order in which they start.
        num_slots: How many run at once, at least one.
    """
    ends = [0.0] * num_slots
    for duration in durations:
        heapq.heapreplace(ends, ends[0] + duration)
    return max(ends)
