"""What a figure shows of one of its metrics, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from analysis.figures.panels import BarPanel, HeatPanel, Panel
from analysis.figures.results import Results
from analysis.names import metric_name


@dataclass(frozen=True)
class Part:
    """The panels of one metric.

    Args:
        results: What they were made from.
        panels: Panels of lines.
        maps: Heat maps.
        bars: Panels of bars, which show all of a figure's metrics; a figure has one of the three.
        line_of: The label of the line that each row of the table belongs to.
        num_dropped: Points that are left out since some seed has no finite value there.
        without_points: Cells of which no point is left.
    """

    results: Results
    panels: tuple[Panel, ...] = ()
    maps: tuple[HeatPanel, ...] = ()
    bars: tuple[BarPanel, ...] = ()
    line_of: Mapping[int, str] = field(default_factory=dict)
    num_dropped: int = 0
    without_points: tuple[str, ...] = ()

    @property
    def metric_text(self) -> str:
        """The name of the metric."""
        return metric_name(self.results.metric).text
