"""Panels of lines drawn: a mean line with its band, markers, single seeds, published numbers hollow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from analysis.figures.axis_labels import broken
from analysis.figures.log_ticks import put_log_ticks, tick_text
from analysis.figures.page import Grid, empty_figure, finish
from analysis.figures.panels import Line, Panel
from analysis.figures.stretches import with_lone_points
from analysis.figures.styles import PUBLISHED_DASHES, Variant, styles_of, variant

_ONE, _SEVERAL = Grid(1, 4.4, 2.9), {2: Grid(2, 2.9, 2.3), 4: Grid(2, 2.9, 2.3)}
_MANY = Grid(3, 2.3, 1.9)
_MOST_MARKERS = 12
_MARKERS_OF_MANY = 8
_FEW_BANDS = 8
_MARKER_SIZE = 5.0


def draw_lines(panels: tuple[Panel, ...], suffixes: Mapping[str, str], caption: tuple[str, ...]) -> Figure:
    """Return the figure of panels of lines.

    Args:
        panels: The panels.
        suffixes: What the legend adds to a label, such as "n = 8 of 10".
        caption: The sentences below.
    """
    grid = _ONE if len(panels) == 1 else _SEVERAL.get(len(panels), _MANY)
    figure, axes = empty_figure(len(panels))
    looks = looks_of(panels)
    entries: dict[str, Artist] = {}
    for place, (one, panel) in enumerate(zip(axes, panels, strict=True)):
        _prepare(one, panel)
        if place % grid.columns == 0 or panel.y_label != panels[place - 1].y_label:
            one.set_ylabel(broken(panel.y_label, grid.height))
        count = sum(not line.is_published for line in panel.lines)
        for number, line in enumerate(panel.lines):
            handle = _draw(one, panel.shown(line), looks[line.estimator, line.label], number, count)
            entries.setdefault(line.label, handle)
        if panel.level is not None:
            drawn = one.axhline(panel.level.value, color="#777777", linestyle="--", linewidth=0.8, zorder=2)
            entries.setdefault(panel.level.label, drawn)
        _limit(one, panel)
    ours = {line.label for panel in panels for line in panel.lines if not line.is_published}
    order = sorted(entries, key=lambda label: label not in ours)
    legend = [
        (entries[label], f"{label} ({suffixes[label]})" if label in suffixes else label) for label in order
    ]
    finish(figure, axes, grid, legend, caption)
    return figure


def looks_of(panels: tuple[Panel, ...]) -> dict[tuple[str, str], Variant]:
    """Return how the lines of each estimator and label are drawn; the published ones in its own colour."""
    labels: dict[str, dict[str, None]] = defaultdict(dict)
    published: dict[tuple[str, str], None] = {}
    for panel in panels:
        for line in panel.lines:
            if line.is_published:
                published[line.estimator, line.label] = None
            else:
                labels[line.estimator][line.label] = None
    styles = styles_of([*labels, *(estimator for estimator, _ in published)])
    looks = {
        (estimator, label): variant(styles[estimator], index, len(own))
        for estimator, own in labels.items()
        for index, label in enumerate(own)
    }
    return looks | {key: variant(styles[key[0]], 0, 1) for key in published}


def _prepare(axes: Axes, panel: Panel) -> None:
    axes.set_title(panel.title)
    axes.set_xlabel(panel.x_label)
    if panel.has_log_x:
        axes.set_xscale("log")
    if panel.has_log_y:
        axes.set_yscale("log")
        put_log_ticks(axes.yaxis)
    if panel.ticks:
        axes.set_xticks(range(len(panel.ticks)), panel.ticks)
    elif panel.x_label == "epoch" and not panel.has_log_x:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    if panel.has_log_x:
        _show_values(axes, panel)


def _show_values(axes: Axes, panel: Panel) -> None:
    """Put the ticks of a logarithmic axis at the values themselves, where they are few."""
    values = sorted({float(x) for line in panel.lines for x in line.x})
    if len(values) <= _MOST_MARKERS:
        axes.set_xticks(values, [tick_text(value) for value in values], rotation=45 if len(values) > 5 else 0)
        axes.minorticks_off()
    else:
        put_log_ticks(axes.xaxis)


def _draw(axes: Axes, line: Line, look: Variant, number: int, count: int) -> Artist:
    """Draw a line; return what the legend shows of it."""
    if line.is_published:
        return _draw_published(axes, line, look)
    if line.seeds is not None and len(line.seeds):
        axes.plot(
            line.seeds[:, 0], line.seeds[:, 1], linestyle="none", marker="o", markersize=2.2, zorder=1.5,
            markerfacecolor="none", markeredgecolor=look.color, markeredgewidth=0.5, alpha=0.8,
        )  # fmt: skip
    (drawn,) = axes.plot(
        line.x, line.mean, label=line.label, color=look.color,
        linestyle=look.dashes if line.is_joined else "none",
        marker=look.marker, fillstyle=look.fill, markersize=_MARKER_SIZE, markeredgewidth=0.7,
        markerfacecoloralt="white", markevery=markers_of(line, number, count),
        zorder=3,
    )  # fmt: skip
    if not line.has_band:
        axes.errorbar(line.x, line.mean, yerr=line.error, fmt="none", ecolor=look.color, elinewidth=0.7)
    elif np.isfinite(line.error).any():
        axes.fill_between(
            line.x, line.low, line.high, color=look.color, alpha=band_alpha(count), linewidth=0, zorder=1
        )
    return drawn


def _draw_published(axes: Axes, line: Line, look: Variant) -> Artist:
    """Draw published numbers; the legend shows them once, in grey, since colour and marker are known."""
    axes.errorbar(
        line.x, line.mean, yerr=line.error, fmt="none", ecolor=look.color, elinewidth=0.7, zorder=3.5
    )
    axes.plot(
        line.x, line.mean, label=line.label, color=look.color, linestyle=PUBLISHED_DASHES, linewidth=1.0,
        marker=look.marker, fillstyle="full", markersize=_MARKER_SIZE + 1, markerfacecolor="white",
        markeredgewidth=0.9, zorder=4,
    )  # fmt: skip
    return Line2D(
        [],
        [],
        color="#777777",
        linestyle=PUBLISHED_DASHES,
        linewidth=1.0,
        marker="o",
        markerfacecolor="white",
    )


def markers_of(line: Line, number: int, count: int) -> list[int]:
    """Return which points get a marker: all of a few, else some, and those between two gaps.

    Args:
        line: What the axes can show of the line.
        number: Which line of the panel it is; the markers of its lines are staggered.
        count: How many lines of its kind the panel has.
    """
    num_points, is_there = len(line.x), np.isfinite(line.x) & np.isfinite(line.mean)
    if num_points <= _MOST_MARKERS or not line.is_joined:
        return np.flatnonzero(is_there).tolist()
    step = -(-num_points // _MARKERS_OF_MANY)
    return with_lone_points(range(number * step // count, num_points, step), is_there)


def band_alpha(count: int) -> float:
    """Return how opaque bands are where there are so many lines."""
    return 0.18 if count <= _FEW_BANDS else 0.1


def _limit(axes: Axes, panel: Panel) -> None:
    if panel.top is None:
        return
    lowest = min(float(np.fmin(line.low, line.mean).min()) for line in panel.lines)
    axes.set_ylim(lowest - 0.04 * (panel.top - lowest), panel.top)
