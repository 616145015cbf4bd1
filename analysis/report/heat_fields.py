"""Heat maps as plain data for SVG: a coloured field for each pair of settings, with its number."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.colors import to_hex

from analysis.figures.drawing import HeatPanel
from analysis.figures.heat_plot import COLORS, scale_of
from analysis.report.axis import Tick

FIELD_WIDTH, FIELD_HEIGHT = 46, 26
LEFT, TOP, BOTTOM, RIGHT = 48, 4, 38, 4


@dataclass(frozen=True)
class Field:
    """One field of a heat map.

    Args:
        x: Its left edge, in pixels.
        y: Its upper edge.
        fill: Its colour; empty where there is no mean.
        ink: The colour of its number.
        lines: What stands in it.
    """

    x: int
    y: int
    fill: str
    ink: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class HeatMap:
    """One heat map.

    Args:
        title: What it shows apart from the metric.
        x_label: Name of the horizontal hyperparameter.
        y_label: Name of the vertical one.
        value_label: Name and unit of the metric.
        width: Of the drawing, in pixels.
        height: Of the drawing.
        x_ticks: Values of the first.
        y_ticks: Values of the second.
        fields: The fields that were asked for.
        columns: How many fields a row has, for the page's script.
        points: What is said of each field, as in `Series`.
    """

    title: str
    x_label: str
    y_label: str
    value_label: str
    width: int
    height: int
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    fields: tuple[Field, ...]
    columns: int
    points: str


def heat_map(panel: HeatPanel) -> HeatMap:
    """Return a heat map in the colours of `catsweep figures`; the first value of y is at the bottom."""
    num_rows, num_columns = panel.mean.shape
    width = LEFT + num_columns * FIELD_WIDTH + RIGHT
    height = TOP + num_rows * FIELD_HEIGHT + BOTTOM
    places = [place for place in np.ndindex(panel.mean.shape) if panel.num_requested[place]]
    middle_of_row, middle_of_column = TOP + FIELD_HEIGHT / 2, LEFT + FIELD_WIDTH / 2
    return HeatMap(
        panel.title if panel.published is None else f"{panel.title} (published: {panel.published[2]})",
        panel.x_label,
        panel.y_label,
        panel.value_label,
        width,
        height,
        tuple(Tick(middle_of_column + FIELD_WIDTH * at, text) for at, text in enumerate(panel.x_ticks)),
        tuple(
            Tick(middle_of_row + FIELD_HEIGHT * (num_rows - 1 - at), text)
            for at, text in enumerate(panel.y_ticks)
        ),
        tuple(_field(panel, row, column) for row, column in places),
        num_columns,
        ";".join(_said(panel, row, column) for row, column in places),
    )


def _corner(panel: HeatPanel, row: int, column: int) -> tuple[int, int]:
    return LEFT + FIELD_WIDTH * column, TOP + FIELD_HEIGHT * (len(panel.y_ticks) - 1 - row)


def _field(panel: HeatPanel, row: int, column: int) -> Field:
    low, high, _ = scale_of(panel.mean)
    counted, requested = panel.num_counted[row, column], panel.num_requested[row, column]
    mean = float(panel.mean[row, column])
    number = [f"{mean:{panel.form}}"] if counted else []
    fewer = [f"n={counted}"] if counted < requested else []
    share = min(1.0, (mean - low) / (high - low))
    fill = to_hex(matplotlib.colormaps[COLORS](share)) if counted else ""
    ink = "#FFFFFF" if counted and mean < (low + high) / 2 else "#000000"
    return Field(*_corner(panel, row, column), fill, ink, (*number, *fewer))


def _said(panel: HeatPanel, row: int, column: int) -> str:
    left, top = _corner(panel, row, column)
    counted, requested = panel.num_counted[row, column], panel.num_requested[row, column]
    value = f"{panel.mean[row, column]:{panel.form}}" if counted else "no seed has finished"
    place = f"{panel.x_label} {panel.x_ticks[column]}, {panel.y_label} {panel.y_ticks[row]}"
    at = f"{left + FIELD_WIDTH / 2:g}|{top + FIELD_HEIGHT / 2:g}"
    return f"{at}|{place}|{value}|n = {counted} of {requested}"
