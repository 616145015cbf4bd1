"""An axis of a plot: where values lie in pixels, and its ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator

from analysis.figures.drawing import Numbers
from analysis.figures.log_ticks import log_ticks, tick_text

_MOST_TICKS = 6
_MOST_NAMED = 12


@dataclass(frozen=True)
class Tick:
    """A tick: where it is, in pixels, what it says, and in which of the rows below each other."""

    at: float
    text: str
    row: int = 0


@dataclass(frozen=True)
class Axis:
    """A linear or logarithmic axis.

    Args:
        low: Value at its start.
        high: Value at its end.
        start: Pixel of the low end.
        end: Pixel of the high end.
        is_log: Whether it is logarithmic.
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    @classmethod
    def around(
        cls, values: Numbers, start: float, end: float, *, is_log: bool = False, margin: float = 0.05
    ) -> Axis:
        """Return the axis that holds all finite values, with room at both ends.

        Args:
            values: The values, any shape; on a logarithmic axis those above 0 count.
            start: Pixel of the low end.
            end: Pixel of the high end.
            is_log: Whether it is logarithmic.
            margin: The room, as a part of what the values span.
        """
        usable = values[np.isfinite(values) & ((values > 0) | (not is_log))]
        low, high = (float(usable.min()), float(usable.max())) if len(usable) else (1.0, 2.0)
        if is_log:
            room = (high / low) ** margin if high > low else 2.0
            return cls(low / room, high * room, start, end, True)
        room = margin * (high - low) if high > low else max(abs(high) * 0.05, 0.5)
        return cls(low - room, high + room, start, end)

    def at(self, values: Numbers) -> Numbers:
        """Return the pixels of values; NaN where a logarithmic axis has no place for one."""
        ends = np.array([self.low, self.high])
        if self.is_log:
            with np.errstate(divide="ignore", invalid="ignore"):
                values, ends = np.log10(np.where(values > 0, values, np.nan)), np.log10(ends)
        share = (values - ends[0]) / (ends[1] - ends[0])
        return np.asarray(self.start + share * (self.end - self.start))

    def ticks(self, *, is_whole: bool = False) -> tuple[Tick, ...]:
        """Return ticks at round values.

        Args:
            is_whole: Whether values are whole numbers.
        """
        if self.is_log:
            return self.ticks_at(log_ticks(self.low, self.high))
        locator = MaxNLocator(_MOST_TICKS, steps=[1, 2, 2.5, 5, 10], integer=is_whole, min_n_ticks=1)
        values = locator.tick_values(self.low, self.high)
        return self.ticks_at([float(value) for value in values if self.low <= value <= self.high])

    def ticks_at(self, values: Sequence[float], names: Sequence[str] = ()) -> tuple[Tick, ...]:
        """Return ticks at these values, with these names or as numbers."""
        texts = names or [tick_text(value) for value in values]
        return tuple(
            Tick(round(float(at), 1), text)
            for at, text in zip(self.at(np.array(values, dtype="float64")), texts, strict=True)
            if math.isfinite(at)
        )


def are_few(values: Sequence[float]) -> bool:
    """Tell whether so many values can each have a tick."""
    return len(values) <= _MOST_NAMED
