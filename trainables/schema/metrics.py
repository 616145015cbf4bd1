"""What a metric is: its name in the store, what people call it, its unit, and what is good; and times.

Standard library only, so that analysis can use it where torch is not installed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trainables.schema import EPOCH_SECONDS, MEASUREMENT_SECONDS


@dataclass(frozen=True)
class Reference:
    """A value to compare a metric with, drawn as a line across its curves.

    Args:
        label: What the legend calls it.
        value: Maps categories and variables to it.
    """

    label: str
    value: Callable[[int, int], float]


@dataclass(frozen=True)
class Metric:
    """A number that members log.

    Args:
        name: Its name in the store.
        text: What tables and axes call it.
        unit: Its unit; empty where it has none.
        is_higher_better: Whether the highest mean is the best; of all others the lowest is.
        may_select: Whether cells may be chosen by it: a metric of a test set never is.
        digits: How many digits after the point a table shows.
        is_scientific: Whether a table shows it as 1.2e-05.
        has_log_axis: Whether figures draw it on a logarithmic axis.
        has_log_x: Whether its curves are drawn against the logarithm of epochs or seconds.
        reference: What its curves are compared with.
        is_own: Whether each cell's value is of a quantity of its own, so that cells are not ranked by it.
        is_steep: Whether it falls so fast at first that figures of a long training cut that part off.
    """

    name: str
    text: str
    unit: str = ""
    is_higher_better: bool = False
    may_select: bool = False
    digits: int = 2
    is_scientific: bool = False
    has_log_axis: bool = False
    has_log_x: bool = False
    reference: Reference | None = None
    is_own: bool = False
    is_steep: bool = False

    @property
    def form(self) -> str:
        """The format of its numbers where people read them, such as ".4f" or ".1e"."""
        return ".1e" if self.is_scientific else f".{self.digits}f"


SECONDS = Metric(EPOCH_SECONDS, "time per epoch", "seconds")
MEASUREMENT = Metric(MEASUREMENT_SECONDS, "time per measurement", "seconds")


def names_of(*metrics: Metric) -> tuple[str, ...]:
    """Return the names of metrics."""
    return tuple(metric.name for metric in metrics)
