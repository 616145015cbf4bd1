"""Panels of lines as plain data for SVG: paths in pixels, and what is said of each point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.figures.drawing import Line, Panel
from analysis.figures.line_plot import band_alpha, looks_of, markers_of
from analysis.figures.published_lines import HOLLOW
from analysis.figures.styles import Variant
from analysis.names import estimator_name
from analysis.report.axis import Axis, Tick, are_few
from analysis.report.looks import Looks
from analysis.report.name_rows import ROW, in_rows
from analysis.report.paths import band, bars, dots, joined, rounded

WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 54, 10, 10, 46
_DASHES = {"-": "", "-.": "7 3 1.5 3"}
_PUBLISHED_DASHES = "4 2"
_SEPARATORS = str.maketrans("|;", "/,")
"""What separates the parts of `points` must not stand in a note."""


@dataclass(frozen=True)
class Series:
    """One line of a plot, or points of one estimator that are not joined.

    Args:
        label: What the legend calls it.
        name: What is said of whose points they are.
        color: CSS class of its colour.
        symbol: Id of its marker.
        is_published: Whether the numbers are the paper's or its authors'; the marker is then hollow.
        dashes: SVG's dash pattern.
        path: The line; empty where the points are not joined.
        band: The outline of mean ± spread, all of it for lines, a bar at each point for points.
        opacity: Of the band; bars are opaque.
        dots: Single seeds, as a path of points.
        markers: Where markers stand.
        points: What is said of each point, for the page's script: pixels, position, value, number of seeds,
            and the cell where the points are of different ones.
        summary: The same of the last point, in a sentence.
    """

    label: str
    name: str
    color: str
    symbol: str
    is_published: bool
    dashes: str
    path: str
    band: str
    opacity: float | None
    dots: str
    markers: tuple[tuple[float, float], ...]
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
        level: What the lines are compared with: where it lies across the plot, and what it is.
    """

    title: str
    x_label: str
    y_label: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    series: tuple[Series, ...]
    level: Tick | None = None

    @property
    def height(self) -> int:
        """Pixels from top to bottom, with room for all rows of the names below the axis."""
        return HEIGHT + ROW * max((tick.row for tick in self.x_ticks), default=0)


def plots(panels: Sequence[tuple[Panel, str]], looks: Looks) -> list[Plot]:
    """Return the plots of panels, with the colours and markers of `catsweep figures`.

    Args:
        panels: The panels, each with the format of its metric's numbers.
        looks: Collects colours and markers.
    """
    variants = looks_of(tuple(panel for panel, _ in panels))
    return [_plot(panel, form, variants, looks) for panel, form in panels]


@dataclass(frozen=True)
class _Frame:
    """A panel with its axes.

    Args:
        panel: The panel.
        form: Format of its numbers.
        x: Its horizontal axis.
        y: Its vertical axis.
    """

    panel: Panel
    form: str
    x: Axis
    y: Axis

    @property
    def num_ours(self) -> int:
        """How many of its lines are ours."""
        return sum(not line.is_published for line in self.panel.lines)


def _plot(panel: Panel, form: str, variants: Mapping[tuple[str, str], Variant], looks: Looks) -> Plot:
    frame = _Frame(panel, form, *_axes(panel))
    series = tuple(
        _series(frame, line, number, variants[line.estimator, line.label], looks)
        for number, line in enumerate(panel.lines)
    )
    ticks = _x_ticks(panel, frame.x), frame.y.ticks()
    return Plot(panel.title, panel.x_label, panel.y_label, *ticks, series, _level(frame))


def _level(frame: _Frame) -> Tick | None:
    level = frame.panel.level
    return None if level is None else next(iter(frame.y.ticks_at([level.value], [level.label])), None)


def _axes(panel: Panel) -> tuple[Axis, Axis]:
    lines = [panel.shown(line) for line in panel.lines]
    seeds = [line.seeds.reshape(-1, 2) for line in lines if line.seeds is not None]
    across = np.concatenate([line.x for line in lines])
    up = [end for line in lines for end in (np.fmin(line.low, line.mean), np.fmax(line.high, line.mean))]
    up += [pairs[:, 1] for pairs in seeds]
    up += [np.array([panel.level.value])] if panel.level is not None else []
    margin = 0.15 if panel.ticks else 0.03  # names are wider than numbers
    x_axis = Axis.around(across, LEFT, WIDTH - RIGHT, is_log=panel.has_log_x, margin=margin)
    values = np.concatenate(up)
    y_axis = Axis.around(values, HEIGHT - BOTTOM, TOP, is_log=panel.has_log_y)
    if panel.top is not None:
        lowest = float(np.nanmin(values))
        y_axis = Axis(lowest - 0.04 * (panel.top - lowest), panel.top, HEIGHT - BOTTOM, TOP)
    return x_axis, y_axis


def _x_ticks(panel: Panel, axis: Axis) -> tuple[Tick, ...]:
    if panel.ticks:
        return in_rows(axis.ticks_at([float(place) for place in range(len(panel.ticks))], panel.ticks))
    values = sorted({float(x) for line in panel.lines for x in line.x})
    if panel.has_log_x and are_few(values):
        return axis.ticks_at(values)
    return axis.ticks(is_whole=panel.x_label == "epoch")


def _series(frame: _Frame, line: Line, number: int, look: Variant, looks: Looks) -> Series:
    """Return what is drawn of the panel's line of this number."""
    drawn = frame.panel.shown(line)
    x, y = frame.x.at(drawn.x), frame.y.at(drawn.mean)
    is_line = line.is_joined and len(x) > 1
    has_band = is_line and not line.is_published
    shown = [index for index in range(len(x)) if np.isfinite(y[index]) and y[index] >= TOP - 0.5]
    marked = set(markers_of(drawn, number, frame.num_ours))
    said = _said(frame, line)
    places = [(rounded(x[index]), rounded(y[index])) for index in range(len(x))]
    return Series(
        label=line.label,
        name=_name(line),
        color=looks.color(look.color),
        symbol=_symbol(line, look, looks),
        is_published=line.is_published,
        dashes=_PUBLISHED_DASHES if line.is_published else _DASHES[look.dashes],
        path=joined(x, y) if is_line else "",
        band=band(drawn, x, frame.y) if has_band else bars(drawn, x, frame.y),
        opacity=band_alpha(frame.num_ours) if has_band else None,
        dots=dots(line, frame.x, frame.y),
        markers=tuple(places[index] for index in shown if index in marked),
        points=";".join(f"{places[index][0]}|{places[index][1]}|{said[index]}" for index in shown),
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


def _said(frame: _Frame, line: Line) -> list[str]:
    """Return position, mean with its spread, and number of seeds of each point, with bars between them."""
    said = []
    panel, form = frame.panel, frame.form
    for index, (x, mean, below, above) in enumerate(zip(line.x, line.mean, *line.error, strict=True)):
        name = panel.ticks[int(x)].translate(_SEPARATORS) if panel.ticks else f"{x:g}"
        spread = f" ± {below:{form}}" if np.isfinite(below) else ""
        if np.isfinite(below) and below != above:
            spread = f" [{mean - below:{form}}, {mean + above:{form}}]"
        seeds = "" if line.num_seeds is None else f"n = {line.num_seeds[index]}"
        cell = f"|{line.cells[index].translate(_SEPARATORS)}" if line.cells else ""
        said.append(f"{panel.x_label} {name}|{mean:{form}}{spread}|{seeds}{cell}")
    return said
