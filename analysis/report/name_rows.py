"""Names below an axis stand in as many rows as it takes for none to touch another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from analysis.report.axis import Tick

ROW = 17
"""Pixels from one row to the next: more than a line of the page's largest letters."""
_LETTER = 9.0
"""Pixels of a wide letter of that size."""
_GAP = 6.0


def in_rows(ticks: Sequence[Tick]) -> tuple[Tick, ...]:
    """Return the ticks, neighbours in rows that follow each other, again from the first after the last.

    Args:
        ticks: Ticks that are equally far apart.
    """
    if len(ticks) < 2:
        return tuple(ticks)
    width = _LETTER * max(len(tick.text) for tick in ticks) + _GAP
    num_rows = math.ceil(width / (ticks[1].at - ticks[0].at))
    return tuple(replace(tick, row=place % num_rows) for place, tick in enumerate(ticks))
