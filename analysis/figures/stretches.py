"""Where a line has gaps, and so of which stretches it consists, whoever draws it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def stretches(is_there: npt.NDArray[np.bool_]) -> list[slice]:
    """Return the stretches of points that have no gap between them, in their order.

    Args:
        is_there: Whether each point has a place on the axes, shape (n,).
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([False], is_there, [False])).astype("int8")))
    return [slice(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def with_lone_points(marked: Sequence[int], is_there: npt.NDArray[np.bool_]) -> list[int]:
    """Return which points have a marker: these, and those with a gap at both sides, which no line shows.

    Args:
        marked: The points that have one anyway.
        is_there: As for `stretches`.
    """
    lone = {part.start for part in stretches(is_there) if part.stop - part.start == 1}
    return sorted(lone | {point for point in marked if is_there[point]})
