"""Where a logarithmic axis has its ticks, and what they say, whoever draws it."""

from __future__ import annotations

import math

from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, Locator, MaxNLocator, NullFormatter

_FEW_DECADES = 3.0
_MOST_STEPS = 7
_STEPS = (1, 2, 5)
_LINEAR_STEPS = [1, 2, 2.5, 5, 10]


def log_ticks(low: float, high: float) -> list[float]:
    """Return the ticks of a logarithmic axis.

    Many decades have powers of ten, whole steps apart. Fewer than three have 1, 2 and 5 times these, and a
    range that holds less than two of those has round values as a linear axis has.

    Args:
        low: Value at one end, > 0.
        high: Value at the other end, greater.
    """
    decades = math.log10(high / low)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    if decades >= _FEW_DECADES:
        step = math.ceil(decades / _MOST_STEPS)
        ticks = [_power(exponent) for exponent in exponents if exponent % step == 0]
    else:
        ticks = [float(f"{factor}e{exponent}") for exponent in exponents for factor in _STEPS]
    within = [tick for tick in ticks if low <= tick <= high]
    if len(within) >= 2:
        return within
    linear = MaxNLocator(4, steps=_LINEAR_STEPS, min_n_ticks=1).tick_values(low, high)
    return [float(tick) for tick in linear if low <= tick <= high]


def tick_text(value: float) -> str:
    """Return what a tick says: 1e-6, not 1e-06."""
    text = f"{float(f'{value:.12g}'):g}"
    return text.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def put_log_ticks(axis: Axis) -> None:
    """Give a logarithmic axis of matplotlib's these ticks; smaller ones between them have no text."""
    axis.set_major_locator(_LogTicks())
    axis.set_major_formatter(FuncFormatter(lambda value, _position: tick_text(value)))
    axis.set_minor_formatter(NullFormatter())


class _LogTicks(Locator):
    """These ticks for matplotlib."""

    def __call__(self) -> list[float]:
        low, high = sorted(self.axis.get_view_interval())  # type: ignore[union-attr]
        return self.tick_values(low, high)

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        return log_ticks(vmin, vmax) if 0 < vmin < vmax else []


def _power(exponent: int) -> float:
    return float(f"1e{exponent}")
