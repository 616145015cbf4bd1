"""What a figure shows, as plain data: panels of lines, and heat maps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

_LEAST_HEIGHT = 0.005
"""A bar of this part of an axis is as high as its edge is thick."""


@dataclass(frozen=True)
class Line:
    """Means of one cell over its epochs, or of the cells that differ in the hyperparameter on the axis alone.

    Args:
        label: What the legend calls it.
        estimator: The estimator's id.
        x: Positions, ascending, shape (n,).
        mean: Means over the seeds, in the metric's unit, shape (n,).
        error: How far their spread reaches below and above them, shape (2, n); NaN where none is defined.
        seeds: Position and value of single members, shape (m, 2).
        is_joined: Whether the points are joined; if not, error bars take the place of the band.
        is_published: Whether the numbers are the paper's or its authors'.
        num_seeds: Over how many seeds each mean is, shape (n,); none where that is not known.
        cells: What the tables call the cell of each point, where the points are not joined.
    """

    label: str
    estimator: str
    x: Numbers
    mean: Numbers
    error: Numbers
    seeds: Numbers | None = None
    is_joined: bool = True
    is_published: bool = False
    num_seeds: npt.NDArray[np.int64] | None = None
    cells: tuple[str, ...] = ()

    @property
    def has_band(self) -> bool:
        """Whether a band can show the spread, which takes two points; else bars do."""
        return self.is_joined and len(self.x) > 1

    @property
    def low(self) -> Numbers:
        """Lower ends of the spread, shape (n,)."""
        low: Numbers = self.mean - self.error[0]
        return low

    @property
    def high(self) -> Numbers:
        """Upper ends of the spread, shape (n,)."""
        high: Numbers = self.mean + self.error[1]
        return high

    @property
    def has_zeros(self) -> bool:
        """Whether some mean has no place on a logarithmic axis."""
        return bool((self.mean <= 0).any())

    @property
    def has_cut_spread(self) -> bool:
        """Whether a logarithmic axis shows the upper half only of some spread."""
        return bool(reaches_zero(self.mean, self.error).any())

    def above_zero(self) -> Line:
        """Return what a logarithmic axis can show: a line with gaps, upper halves of some spreads."""
        error = upper_halves(self.mean, self.error)
        return replace(self, mean=np.where(self.mean > 0, self.mean, np.nan), error=error)


def reaches_zero(mean: Numbers, error: Numbers) -> npt.NDArray[np.bool_]:
    """Tell of which means above 0 the spread reaches to 0 or below.

    Args:
        mean: The means, shape (n,).
        error: How far their spread reaches below and above them, shape (2, n).
    """
    found: npt.NDArray[np.bool_] = (mean > 0) & (mean - error[0] <= 0)
    return found


def upper_halves(mean: Numbers, error: Numbers) -> Numbers:
    """Return spreads without their lower half where it reaches to 0: a logarithmic axis has no place for it.

    Arguments as for `reaches_zero`.
    """
    return np.stack([np.where(reaches_zero(mean, error), 0.0, error[0]), error[1]])


@dataclass(frozen=True)
class Level:
    """A value that is drawn across a panel.

    Args:
        label: What the legend calls it.
        value: Where it is.
    """

    label: str
    value: float


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Args:
        title: What it shows apart from the metric, such as the latent.
        x_label: Name and unit.
        y_label: Name and unit.
        lines: Ours, then the published ones.
        ticks: The names of the positions 0, 1, ... where x is no number.
        has_log_x: Whether x is on a logarithmic axis.
        has_log_y: Whether y is.
        top: Upper end of y, where what lies above is left out.
        level: What the lines are compared with.
    """

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    ticks: tuple[str, ...] = ()
    has_log_x: bool = False
    has_log_y: bool = False
    top: float | None = None
    level: Level | None = None

    def shown(self, line: Line) -> Line:
        """Return what the vertical axis can show of a line."""
        return line.above_zero() if self.has_log_y else line


@dataclass(frozen=True)
class BarAxis:
    """The bars of one metric.

    Args:
        label: Name and unit.
        mean: Means over the seeds, a bar each, shape (n,); NaN where there is none.
        error: How far their spread reaches below and above them, shape (2, n); NaN where none is defined.
        has_log_y: Whether the axis is logarithmic.
    """

    label: str
    mean: Numbers
    error: Numbers
    has_log_y: bool

    @property
    def is_too_low(self) -> npt.NDArray[np.bool_]:
        """Which bars on a linear axis are too low to be seen beside the others, shape (n,)."""
        tops = np.abs(self.mean) + np.nan_to_num(self.error[1])
        highest = float(np.nanmax(tops, initial=0.0))
        found: npt.NDArray[np.bool_] = (np.abs(self.mean) <= _LEAST_HEIGHT * highest) & (not self.has_log_y)
        return found


@dataclass(frozen=True)
class BarPanel:
    """Bars of one or two metrics side by side, the second on an axis of its own.

    Args:
        title: What it shows apart from the metrics, such as the latent.
        labels: What each bar, or pair of bars, is called, shape (n,).
        estimators: The estimator's id of each.
        axes: The metrics.
    """

    title: str
    labels: tuple[str, ...]
    estimators: tuple[str, ...]
    axes: tuple[BarAxis, ...]


@dataclass(frozen=True)
class HeatPanel:
    """One heat map.

    Args:
        title: The estimator, the latent and what else is fixed.
        x_label: Name of the horizontal hyperparameter.
        y_label: Name of the vertical one.
        value_label: Name and unit of the metric.
        x_ticks: Values of the first, ascending.
        y_ticks: Values of the second, ascending.
        mean: Means over the seeds, shape (y, x); NaN where there is none.
        num_counted: How many seeds each mean is over, shape (y, x).
        num_requested: How many were asked for, shape (y, x); 0 where no cell was.
        form: Format of the numbers in the fields.
        published: Row and column of the setting behind a printed number, and the number with its ±.
    """

    title: str
    x_label: str
    y_label: str
    value_label: str
    x_ticks: tuple[str, ...]
    y_ticks: tuple[str, ...]
    mean: Numbers
    num_counted: npt.NDArray[np.int64]
    num_requested: npt.NDArray[np.int64]
    form: str
    published: tuple[int, int, str] | None = None
