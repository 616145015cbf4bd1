"""Panels of lines as plain data for SVG: paths in pixels, and what is said of each point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.figures.drawing import Line, Numbers, Panel
from analysis.figures.line_plot import band_alpha, looks_of, marked
from analysis.figures.published_lines import HOLLOW
from analysis.figures.styles import Variant
from analysis.names import estimator_name
from analysis.report.axis import Axis, Tick, are_few
from analysis.report.looks import Looks

WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 48, 10, 10, 40
_DASHES = {"-": "", "-.": "7 3 1.5 3"}
_PUBLISHED_DASHES = "4 2"
_SEPARATORS = str.maketrans("|;", "/,")
"""What separates the parts of `points` must not stand in a note."""


@dataclass(frozen=True)
class Series:
    """One line of a plot, or points of one estimator that are not joined.

    Args:
        label: What the legend calls it.
        color: CSS class of its colour.
        symbol: Id of its marker.
        is_published: Whether the numbers are the paper's or its authors'; the marker is then hollow.
        dashes: SVG's dash pattern.
        path: The line; empty where the points are not joined.
        band: The outline of mean ± spread, all of it for lines, a bar at each point for points.
        opacity: Of the band; bars are opaque.
        dots: Single seeds, as a path of points.
        markers: Where markers stand.
        name: What is said of whose points they are.
        points: What is said of each point, for the page's script: pixels, position, value, number of seeds,
            and the cell where the points are of different ones.
        summary: The same of the last point, in a sentence.
    """

    label: str
    color: str
    symbol: str
    is_published: bool
    dashes: str
    path: str
    band: str
    opacity: float | None
    dots: str
    markers: tuple[tuple[float, float], ...]
    name: str
    points: str
    summary: str


@dataclass(frozen=True)
class Plot:
    """One pair of axes.

    Args:
        title: What it shows apart from the metric.
        x_label: Name and unit.
        y_label: Name and unit.
        x_ticks: Ticks of x.
        y_ticks: Ticks of y.
        series: What is drawn, what comes first lies below.
    """

    title: str
    x_label: str
    y_label: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    series: tuple[Series, ...]


def plots(panels: Sequence[tuple[Panel, int]], looks: Looks) -> list[Plot]:
    """Return the plots of panels, with the colours and markers of `catsweep figures`.

    Args:
        panels: The panels, each with the digits after the point that its metric is shown with.
        looks: Collects colours and markers.
    """
    variants = looks_of(tuple(panel for panel, _ in panels))
    return [_plot(panel, digits, variants, looks) for panel, digits in panels]


def _plot(panel: Panel, digits: int, variants: Mapping[tuple[str, str], Variant], looks: Looks) -> Plot:
    x_axis, y_axis = _axes(panel)
    count = sum(not line.is_published for line in panel.lines)
    series = tuple(
        _series(
            line,
            variants[line.estimator, line.label],
            panel,
            (x_axis, y_axis),
            digits,
            (number, count),
            looks,
        )
        for number, line in enumerate(panel.lines)
    )
    return Plot(panel.title, panel.x_label, panel.y_label, _x_ticks(panel, x_axis), y_axis.ticks(), series)


def _axes(panel: Panel) -> tuple[Axis, Axis]:
    lines = panel.lines
    seeds = [line.seeds.reshape(-1, 2) for line in lines if line.seeds is not None]
    across = np.concatenate([line.x for line in lines])
    up = [line.mean + sign * np.nan_to_num(line.error) for line in lines for sign in (-1, 1)]
    up += [pairs[:, 1] for pairs in seeds]
    x_axis = Axis.around(across, LEFT, WIDTH - RIGHT, is_log=panel.has_log_x, margin=0.03)
    values = np.concatenate(up)
    y_axis = Axis.around(values, HEIGHT - BOTTOM, TOP, is_log=panel.has_log_y)
    if panel.top is not None:
        lowest = float(np.nanmin(values))
        y_axis = Axis(lowest - 0.04 * (panel.top - lowest), panel.top, HEIGHT - BOTTOM, TOP)
    return x_axis, y_axis


def _x_ticks(panel: Panel, axis: Axis) -> tuple[Tick, ...]:
    if panel.ticks:
        return axis.ticks_at([float(place) for place in range(len(panel.ticks))], panel.ticks)
    values = sorted({float(x) for line in panel.lines for x in line.x})
    if panel.has_log_x and are_few(values):
        return axis.ticks_at(values)
    return axis.ticks(is_whole=panel.x_label == "epoch")


def _series(
    line: Line,
    look: Variant,
    panel: Panel,
    axes: tuple[Axis, Axis],
    digits: int,
    place: tuple[int, int],
    looks: Looks,
) -> Series:
    x, y = axes[0].at(line.x), axes[1].at(line.mean)
    is_line = line.is_joined and len(x) > 1
    shown = np.isfinite(y) & (y >= TOP - 0.5)
    chosen = (
        range(len(x))
        if not line.is_joined
        else range(*slice(*_from_step(marked(len(x), *place))).indices(len(x)))
    )
    said = _said(line, panel, digits)
    return Series(
        label=line.label,
        color=looks.color(look.color),
        symbol=_symbol(line, look, looks),
        is_published=line.is_published,
        dashes=_PUBLISHED_DASHES if line.is_published else _DASHES[look.dashes],
        path=_joined(x, y) if is_line else "",
        band=_band(line, x, axes[1]) if is_line and not line.is_published else _bars(line, x, axes[1]),
        opacity=band_alpha(place[1]) if is_line and not line.is_published else None,
        dots=_dots(line, axes),
        markers=tuple((_round(x[index]), _round(y[index])) for index in chosen if shown[index]),
        name=_name(line),
        points=";".join(
            f"{_round(x[index])}|{_round(y[index])}|{said[index]}" for index in range(len(x)) if shown[index]
        ),
        summary=said[-1].replace("|", ", ") if said else "",
    )


def _name(line: Line) -> str:
    if line.is_published:
        return f"{estimator_name(line.estimator)}, {line.label.removeprefix(HOLLOW)}"
    return line.label


def _symbol(line: Line, look: Variant, looks: Looks) -> str:
    if line.is_published:
        return looks.symbol(look.marker, "full", is_hollow=True)
    return looks.symbol(look.marker, look.fill)


def _from_step(every: tuple[int, int]) -> tuple[int, None, int]:
    start, step = every
    return start, None, step


def _said(line: Line, panel: Panel, digits: int) -> list[str]:
    """Return position, mean with its spread, and number of seeds of each point, with bars between them."""
    said = []
    for index, (x, mean, error) in enumerate(zip(line.x, line.mean, line.error, strict=True)):
        name = panel.ticks[int(x)] if panel.ticks else f"{x:g}"
        spread = f" ± {error:.{digits}f}" if np.isfinite(error) else ""
        seeds = "" if line.num_seeds is None else f"n = {line.num_seeds[index]}"
        cell = f"|{line.cells[index].translate(_SEPARATORS)}" if line.cells else ""
        said.append(f"{panel.x_label} {name}|{mean:.{digits}f}{spread}|{seeds}{cell}")
    return said


def _round(value: float) -> float:
    return round(float(value), 1)


def _joined(x: Numbers, y: Numbers) -> str:
    usable = np.isfinite(x) & np.isfinite(y)
    return "M" + "L".join(f"{_round(a)} {_round(b)}" for a, b in zip(x[usable], y[usable], strict=True))


def _ends(line: Line, axis: Axis) -> tuple[Numbers, Numbers]:
    """Return the pixels of mean ∓ spread; what a logarithmic axis cannot show is its end."""
    low, high = axis.at(line.mean - line.error), axis.at(line.mean + line.error)
    below = np.isfinite(line.error) & ~np.isfinite(low)
    return np.where(below, axis.start, low), high


def _band(line: Line, x: Numbers, axis: Axis) -> str:
    low, high = _ends(line, axis)
    usable = np.isfinite(low) & np.isfinite(high)
    if usable.sum() < 2:
        return ""
    there, back = (x[usable], high[usable]), (x[usable][::-1], low[usable][::-1])
    return _joined(np.concatenate((there[0], back[0])), np.concatenate((there[1], back[1]))) + "Z"


def _bars(line: Line, x: Numbers, axis: Axis) -> str:
    low, high = _ends(line, axis)
    return "".join(
        f"M{_round(at)} {_round(start)}V{_round(end)}"
        for at, start, end in zip(x, low, high, strict=True)
        if np.isfinite(start) and np.isfinite(end)
    )


def _dots(line: Line, axes: tuple[Axis, Axis]) -> str:
    if line.seeds is None or not len(line.seeds):
        return ""
    x, y = axes[0].at(line.seeds[:, 0]), axes[1].at(line.seeds[:, 1])
    return "".join(f"M{_round(a)} {_round(b)}h0" for a, b in zip(x, y, strict=True) if np.isfinite(b))
