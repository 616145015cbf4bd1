"""Sums over cells, where there are too many for a line each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from sweep.spec.limits import MAX_LINES

Item = TypeVar("Item")
Label = TypeVar("Label")


def in_few_groups(
    items: Iterable[Item], *labels: Callable[[Item], Label], most: int = MAX_LINES
) -> dict[Label, list[Item]]:
    """Group items by the first label that makes few enough groups, or by the last.

    Args:
        items: The items.
        labels: Map an item to what its group is called by, the finest first.
        most: How many groups are few enough.
    """
    known = list(items)
    groups: dict[Label, list[Item]] = {}
    for label in labels:
        groups = {}
        for item in known:
            groups.setdefault(label(item), []).append(item)
        if len(groups) <= most:
            break
    return groups
