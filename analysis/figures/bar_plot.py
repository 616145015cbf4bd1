"""Panels of bars drawn: a colour for each estimator, the second metric hatched, on an axis at the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.axis_labels import broken
from analysis.figures.log_ticks import put_log_ticks, tick_text
from analysis.figures.page import Grid, empty_figure, finish
from analysis.figures.panels import BarAxis, BarPanel, upper_halves
from analysis.figures.styles import Style, styles_of

_PAIR = 0.8
"""Width of a bar, or a pair of bars, where its place is 1 wide."""
_LETTER = 0.06
_ROOM_BELOW = 0.15
_VALUE_SIZE = 5.5
_DECADES_BELOW = 2.0
"""How far a logarithmic axis goes on below its smallest bar, so that this has a height."""


def draw_bars(panels: tuple[BarPanel, ...], caption: tuple[str, ...]) -> Figure:
    """Return the figure of panels of bars.

    Args:
        panels: The panels.
        caption: The sentences below.
    """
    bottom = _ROOM_BELOW + _LETTER * max(len(label) for panel in panels for label in panel.labels)
    right = 0.72 if any(len(panel.axes) > 1 for panel in panels) else 0.12
    grid = Grid(min(len(panels), 3), 2.1, 2.2, left=0.72, right=right, bottom=bottom)
    figure, axes = empty_figure(len(panels))
    styles = styles_of({estimator for panel in panels for estimator in panel.estimators})
    for place, (one, panel) in enumerate(zip(axes, panels, strict=True)):
        _draw(one, panel, styles, grid, place % grid.columns)
    finish(figure, axes, grid, [], caption)
    return figure


def _draw(axes: Axes, panel: BarPanel, styles: Mapping[str, Style], grid: Grid, column: int) -> None:
    axes.set_title(panel.title)
    places = np.arange(len(panel.labels), dtype="float64")
    axes.set_xticks(places, panel.labels, rotation=90)
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    colors = [styles[estimator].color for estimator in panel.estimators]
    width = _PAIR / len(panel.axes)
    for number, bars in enumerate(panel.axes):
        on = axes if number == 0 else axes.twinx()
        if number:
            on.grid(visible=False)
        is_outer = column == 0 if number == 0 else column == grid.columns - 1
        if is_outer:
            on.set_ylabel(broken(bars.label, grid.height))
        middle = places + (number - (len(panel.axes) - 1) / 2) * width
        _draw_axis(on, bars, middle, width, colors, is_hatched=number > 0)


def _draw_axis(
    axes: Axes,
    bars: BarAxis,
    places: np.ndarray[tuple[int], np.dtype[np.float64]],
    width: float,
    colors: Sequence[str],
    *,
    is_hatched: bool,
) -> None:
    shown = np.isfinite(bars.mean) & ((bars.mean > 0) | (not bars.has_log_y))
    if bars.has_log_y and shown.any():
        axes.set_yscale("log")
        put_log_ticks(axes.yaxis)
        low, high = (
            np.log10(bars.mean[shown].min()),
            np.log10((bars.mean + np.nan_to_num(bars.error[1]))[shown].max()),
        )
        axes.set_ylim(10 ** (low - _DECADES_BELOW), 10 ** (high + 0.05 * (high - low + _DECADES_BELOW)))
    drawn = axes.bar(
        places[shown], bars.mean[shown], width * 0.92, edgecolor="black", linewidth=0.5, zorder=2
    )
    for bar, place in zip(drawn, np.flatnonzero(shown).tolist(), strict=True):
        bar.set_facecolor("white" if is_hatched else colors[place])
        if is_hatched:
            bar.set_edgecolor(colors[place])
            bar.set_hatch("////")
    error = upper_halves(bars.mean, bars.error) if bars.has_log_y else bars.error
    axes.errorbar(
        places[shown], bars.mean[shown], yerr=error[:, shown], fmt="none", ecolor="#222222",
        elinewidth=0.7, capsize=1.5, zorder=3,
    )  # fmt: skip
    for place in np.flatnonzero(bars.is_too_low).tolist():
        _write_value(axes, float(places[place]), float(bars.mean[place]))


def _write_value(axes: Axes, place: float, value: float) -> None:
    """Write the value of a bar that is too low to be seen above its place."""
    axes.annotate(
        tick_text(float(f"{value:.1e}")), (place, max(value, 0.0)), (0, 3), textcoords="offset points",
        rotation=90, ha="center", va="bottom", fontsize=_VALUE_SIZE,
    )  # fmt: skip
