"""Heat maps drawn: a grey-safe scale, the number in every field, its n where seeds are missing."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analysis.figures.axis_labels import broken
from analysis.figures.page import Grid, empty_figure, finish
from analysis.figures.panels import HeatPanel, Numbers

COLORS = "cividis"
_FIELD = 0.38
_FIELD_HEIGHT = 0.3
_BAR_WIDTH = 0.09
_NUMBER_SIZE = 5.5
_LETTER = 0.055
"""Width that a digit of a field's number takes, with what is left free beside it."""
_FAR_ABOVE = 4.0
"""The scale ends so many times as far above the lowest value as the median is."""


def draw_heat_maps(panels: tuple[HeatPanel, ...], caption: tuple[str, ...]) -> Figure:
    """Return the figure of heat maps.

    Args:
        panels: The maps.
        caption: The sentences below.
    """
    field = max(_FIELD, _LETTER * max(_longest(panel) for panel in panels))
    width = max(2.0, field * max(len(panel.x_ticks) for panel in panels))
    height = max(1.2, _FIELD_HEIGHT * max(len(panel.y_ticks) for panel in panels))
    columns = 1 if len(panels) == 1 else 2 if width > 2.5 or len(panels) in (2, 4) else 3
    grid = Grid(columns, width, height, right=0.95)
    if columns == 1 and width < 4:
        grid = Grid(columns, 4.0, height, right=0.95)
    figure, axes = empty_figure(len(panels))
    for one, panel in zip(axes, panels, strict=True):
        _draw(figure, one, panel, height)
    finish(figure, axes, grid, [], caption)
    return figure


def _draw(figure: Figure, axes: Axes, panel: HeatPanel, height: float) -> None:
    low, high, is_cut = scale_of(panel.mean)
    axes.set_facecolor("#F2F2F2")
    axes.grid(visible=False)
    image = axes.imshow(
        panel.mean, cmap=COLORS, vmin=low, vmax=high, origin="lower", aspect="auto", interpolation="nearest"
    )
    axes.set_xticks(range(len(panel.x_ticks)), panel.x_ticks)
    axes.set_yticks(range(len(panel.y_ticks)), panel.y_ticks)
    axes.tick_params(length=0)
    axes.set_xlabel(panel.x_label)
    axes.set_ylabel(panel.y_label)
    title = panel.title if panel.published is None else f"{panel.title} (published: {panel.published[2]})"
    axes.set_title(title)
    for row, column in np.ndindex(panel.mean.shape):
        _fill(axes, panel, row, column, dark=bool(panel.mean[row, column] < (low + high) / 2))
    if panel.published is not None:
        row, column, _ = panel.published
        axes.add_patch(
            Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, fill=False, edgecolor="#D55E00", linewidth=1.6)
        )
    bar_axes = axes.inset_axes((1.03, 0, _BAR_WIDTH / 2.5, 1))
    bar = figure.colorbar(image, cax=bar_axes, extend="max" if is_cut else "neither")
    bar.set_label(broken(panel.value_label, height), fontsize=6.5)
    bar.ax.tick_params(labelsize=6)


def _number(panel: HeatPanel, row: int, column: int) -> str:
    return f"{panel.mean[row, column]:{panel.form}}" if panel.num_counted[row, column] else ""


def _longest(panel: HeatPanel) -> int:
    """Return the number of letters of a panel's longest number."""
    return max(len(_number(panel, *place)) for place in np.ndindex(panel.mean.shape))


def _fill(axes: Axes, panel: HeatPanel, row: int, column: int, *, dark: bool) -> None:
    counted, requested = panel.num_counted[row, column], panel.num_requested[row, column]
    if not requested:
        return
    text = _number(panel, row, column)
    if counted < requested:
        text = f"{text}\nn={counted}".strip()
    color = "white" if dark and counted else "black"
    axes.text(
        column, row, text, ha="center", va="center", fontsize=_NUMBER_SIZE, color=color, linespacing=0.95
    )


def scale_of(mean: Numbers) -> tuple[float, float, bool]:
    """Return the ends of the colour scale of a map's means, and whether a value lies above it."""
    values = mean[np.isfinite(mean)]
    low, highest = float(values.min()), float(values.max())
    high = min(highest, low + _FAR_ABOVE * (float(np.median(values)) - low))
    return (low, high, high < highest) if high > low else (low, max(highest, low + 1e-9), False)
