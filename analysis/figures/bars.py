"""Final values of each cell as bars, of one metric or of two side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.figure_error import FigureError
from analysis.figures.axis_labels import has_log_axis, metric_label
from analysis.figures.panels import BarAxis, BarPanel, Line, Panel
from analysis.figures.results import Results, panel_key, panel_keys

MOST_BARS = 12


def bar_panels(results: Sequence[Results]) -> list[BarPanel]:
    """Return a panel for each latent with a bar, or two, for each of its cells.

    Args:
        results: The members that count for each metric, one or two, of the same cells.
    Raises:
        FigureError: If a panel would have too many bars.
    """
    cells = results[0].cells
    panels = []
    for key, title in panel_keys(cells).items():
        rows = [row for row, cell in enumerate(cells) if panel_key(cell) == key]
        if len(rows) > MOST_BARS:
            raise FigureError(
                f"a panel must have at most {MOST_BARS} bars of a metric; {title} has {len(rows)}; choose "
                "another axis, such as --against epoch"
            )
        labels = tuple(results[0].labels[row] for row in rows)
        axes = tuple(_axis(one, rows) for one in results)
        panels.append(BarPanel(title, labels, tuple(cells[row].estimator for row in rows), axes))
    return panels


def point_panels(bars: BarPanel) -> list[Panel]:
    """Return what bars show as points that are not joined, a panel for each metric.

    A point is its cell's line, so that it has the cell's colour and name.
    """
    return [
        Panel(
            bars.title,
            "estimator",
            axis.label,
            _points(bars, axis),
            ticks=bars.labels,
            has_log_y=axis.has_log_y,
        )
        for axis in bars.axes
    ]


def _points(bars: BarPanel, axis: BarAxis) -> tuple[Line, ...]:
    return tuple(
        Line(
            label,
            estimator,
            np.array([float(place)]),
            axis.mean[[place]],
            axis.error[:, [place]],
            is_joined=False,
        )
        for place, (label, estimator) in enumerate(zip(bars.labels, bars.estimators, strict=True))
        if np.isfinite(axis.mean[place])
    )


def _axis(results: Results, rows: Sequence[int]) -> BarAxis:
    mean = results.frame["mean"].to_numpy(dtype="float64")[list(rows)]
    return BarAxis(metric_label(results.metric), mean, results.errors(rows), has_log_axis(results.metric))
