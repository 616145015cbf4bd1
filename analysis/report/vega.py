"""Panels as Vega-Lite: what the page's script draws, and what it says of each point."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.figures.heat_plot import COLORS, scale_of
from analysis.figures.line_plot import band_alpha, looks_of, markers_of
from analysis.figures.log_ticks import log_ticks
from analysis.figures.panels import HeatPanel, Line, Numbers, Panel
from analysis.figures.published_lines import HOLLOW
from analysis.figures.styles import Variant
from analysis.names import estimator_name
from analysis.report.palette import Palette

Spec = dict[str, Any]
HIDDEN = "hidden"
"""The parameter that holds the labels whose lines are switched off."""
_HEIGHT, _FIELD_WIDTH, _FIELD_HEIGHT = 260, 46, 30
_DASHES: Mapping[str, Sequence[float]] = {"-": (1, 0), "-.": (7, 3, 1.5, 3)}
_PUBLISHED_DASHES: Sequence[float] = (4, 2)
_MOST_NAMED = 12
_GREY = "var(--soft)"


@dataclass(frozen=True)
class Series:
    """A line of a legend.

    Args:
        label: What the legend calls it.
        color: CSS class of its colour.
        symbol: Path of its marker, in a square from -1 to 1.
        dashes: SVG's dash pattern.
        is_published: Whether the numbers are the paper's or its authors'; the marker is then hollow.
        is_joined: Whether its points are joined.
    """

    label: str
    color: str
    symbol: str
    dashes: str
    is_published: bool
    is_joined: bool


@dataclass(frozen=True)
class View:
    """One pair of axes.

    Args:
        title: What it shows, with the metric.
        about: The same and what is on the axes, for those who do not see it.
        spec: What to draw, in Vega-Lite; its data are the rows of the view's table too.
        columns: The table's columns: fields of the data with their headings.
    """

    title: str
    about: str
    spec: Spec
    columns: tuple[tuple[str, str], ...]


def line_views(panels: Sequence[tuple[Panel, str]], palette: Palette) -> tuple[list[View], list[Series]]:
    """Return panels of lines, and the entries of their one legend, ours before what is published.

    Args:
        panels: The panels, each with the format of its metric's numbers.
        palette: Collects the colours.
    """
    variants = looks_of(tuple(panel for panel, _ in panels))
    series = {
        line.label: _series(line, variants[line.estimator, line.label], palette)
        for panel, _ in reversed(panels)
        for line in reversed(panel.lines)
    }
    order = dict.fromkeys(line.label for panel, _ in panels for line in panel.lines)
    legend = sorted((series[label] for label in order), key=lambda one: one.is_published)
    return [_line_view(panel, form, variants, palette) for panel, form in panels], legend


def _series(line: Line, look: Variant, palette: Palette) -> Series:
    dashes = _PUBLISHED_DASHES if line.is_published else _DASHES[look.dashes]
    return Series(
        line.label,
        palette.name(look.color),
        palette.symbol(look.marker),
        " ".join(map(str, dashes)),
        line.is_published,
        line.is_joined and len(line.x) > 1,
    )


def _line_view(
    panel: Panel, form: str, variants: Mapping[tuple[str, str], Variant], palette: Palette
) -> View:
    rows = [row for number, line in enumerate(panel.lines) for row in _rows(panel, line, number, form)]
    looks = {_name(line): variants[line.estimator, line.label] for line in panel.lines}
    count = sum(not line.is_published for line in panel.lines)
    domain = list(looks)
    color = {
        "field": "line",
        "type": "nominal",
        "scale": {"domain": domain, "range": [palette.variable(look.color) for look in looks.values()]},
        "legend": None,
    }
    shape = {
        **color,
        "scale": {"domain": domain, "range": [palette.symbol(one.marker) for one in looks.values()]},
    }
    y = {"field": "mean", "type": "quantitative", "title": panel.y_label, **_y_axis(panel)}
    spread = {"y": {**y, "field": "low"}, "y2": {"field": "high"}}
    told = [{"field": field, "title": title} for field, title in _told(panel)]
    points = {"type": "point", "clip": True, "size": 45, "strokeWidth": 1.3, "opacity": 1}
    layers: list[Spec] = [
        _layer("datum.drawn == 'band'", {"type": "area", "opacity": band_alpha(count)}, spread),
        _layer("datum.drawn == 'bar'", {"type": "rule", "strokeWidth": 1}, spread),
        _layer(
            "datum.is_joined && !datum.is_seed", {"type": "line", "strokeWidth": 1.8}, _dashed(looks, panel)
        ),
        _layer("datum.is_seed", {"type": "circle", "size": 9, "opacity": 0.45}, {}),
        _layer("datum.is_marked && !datum.is_published", {**points, "filled": True}, {"shape": shape}),
        _layer("datum.is_marked && datum.is_published", {**points, "fill": "var(--paper)"}, {"shape": shape}),
        {
            **_layer(
                "!datum.is_seed", {"type": "point", "size": 70, "fill": "transparent"}, {"tooltip": told}
            ),
            "params": [_POINTED_AT, {"name": "zoom", "bind": "scales", "select": _ZOOM}],
        },
    ]
    layers[-1]["encoding"]["opacity"] = {"condition": {"param": "at", "empty": False, "value": 1}, "value": 0}
    if panel.level is not None:
        layers.insert(0, _level_layer(panel.level.value, y))
    spec = {
        "data": {"values": rows},
        "width": "container",
        "height": _HEIGHT,
        "params": [{"name": HIDDEN, "value": []}],
        "transform": [{"filter": f"indexof({HIDDEN}, datum.label) < 0"}],
        "encoding": {"x": _x_axis(panel), "y": y, "color": color},
        "layer": layers,
    }
    title = f"{panel.title}: {panel.y_label}"
    return View(title, f"{title} against {panel.x_label}, {len(domain)} lines", spec, _told(panel))


_ZOOM = {"type": "interval", "zoom": "wheel![event.ctrlKey || event.shiftKey]"}
"""A wheel alone scrolls the page."""


_POINTED_AT = {"name": "at", "select": {"type": "point", "on": "pointerover", "clear": "pointerout"}}


def _layer(condition: str, mark: Spec, encoding: Spec) -> Spec:
    mark = {"clip": True, "invalid": "break-paths-filter-domains", **mark}
    return {"transform": [{"filter": condition}], "mark": mark, "encoding": dict(encoding)}


def _level_layer(value: float, y: Spec) -> Spec:
    mark = {"type": "rule", "color": _GREY, "strokeDash": [5, 3], "clip": True}
    encoding = {"x": None, "color": {"value": _GREY}, "y": {**_without_field(y), "datum": value}}
    return {"data": {"values": [{}]}, "transform": [], "mark": mark, "encoding": encoding}


def _without_field(channel: Spec) -> Spec:
    return {name: value for name, value in channel.items() if name != "field"}


def _dashed(looks: Mapping[str, Variant], panel: Panel) -> Spec:
    published = {_name(line) for line in panel.lines if line.is_published}
    dashes = [_PUBLISHED_DASHES if name in published else _DASHES[one.dashes] for name, one in looks.items()]
    scale = {"domain": list(looks), "range": dashes}
    return {"strokeDash": {"field": "line", "type": "nominal", "scale": scale, "legend": None}}


def _rows(panel: Panel, line: Line, number: int, form: str) -> list[Spec]:
    """Return a row for each point of a line, and for each of its single seeds."""
    shown = panel.shown(line)
    count = sum(not one.is_published for one in panel.lines)
    marked = set(markers_of(shown, number, count))
    has_band = shown.has_band and not line.is_published
    shared = {"label": line.label, "line": _name(line), "is_published": line.is_published}
    shared["is_joined"] = line.is_joined and len(line.x) > 1
    rows = []
    for index, (x, mean, low, high) in enumerate(
        zip(shown.x, shown.mean, shown.low, shown.high, strict=True)
    ):
        has_spread = math.isfinite(low) and math.isfinite(high) and math.isfinite(mean)
        rows.append(
            {
                **shared,
                "name": line.cells[index] if line.cells else _name(line),
                "x": panel.ticks[int(x)] if panel.ticks else float(x),
                "mean": _finite(mean),
                "low": _finite(low),
                "high": _finite(high),
                "value": _value(line, index, form),
                "n": "" if line.num_seeds is None else int(line.num_seeds[index]),
                "is_marked": index in marked,
                "drawn": "" if not has_spread else "band" if has_band else "bar",
            }
        )
    for x, value in () if shown.seeds is None else shown.seeds:
        at = panel.ticks[int(x)] if panel.ticks else float(x)
        rows.append({**shared, "x": at, "mean": _finite(value), "is_seed": True})
    return rows


def _name(line: Line) -> str:
    if line.is_published:
        return f"{estimator_name(line.estimator)}, {line.label.removeprefix(HOLLOW)}"
    return line.label


def _value(line: Line, index: int, form: str) -> str:
    """Return a mean with its spread, which may reach further above it than below."""
    mean, (below, above) = line.mean[index], line.error[:, index]
    if not math.isfinite(below):
        return f"{mean:{form}}"
    if below != above:
        return f"{mean:{form}} [{mean - below:{form}}, {mean + above:{form}}]"
    return f"{mean:{form}} ± {below:{form}}"


def _told(panel: Panel) -> tuple[tuple[str, str], ...]:
    return (("name", "line"), ("x", panel.x_label), ("value", panel.y_label), ("n", "n"))


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _x_axis(panel: Panel) -> Spec:
    if panel.ticks:
        named: Spec = {"labelAngle": -30 if len(panel.ticks) > 3 else 0, "labelLimit": 240}
        return {
            "field": "x",
            "type": "nominal",
            "sort": list(panel.ticks),
            "title": panel.x_label,
            "axis": named,
        }
    values = sorted({float(x) for line in panel.lines for x in line.x})
    axis: Spec = {"grid": False}
    if panel.has_log_x:
        axis["values"] = values if len(values) <= _MOST_NAMED else log_ticks(values[0], values[-1])
    elif len(values) <= _MOST_NAMED:
        axis |= {"values": values, "format": "~g"}
    elif all(value.is_integer() for value in values):
        axis |= {"tickMinStep": 1, "format": "d"}
    scale = {"type": "log" if panel.has_log_x else "linear", "nice": False, "zero": False, "padding": 8}
    return {"field": "x", "type": "quantitative", "title": panel.x_label, "scale": scale, "axis": axis}


def _y_axis(panel: Panel) -> Spec:
    scale: Spec = {"type": "log" if panel.has_log_y else "linear", "nice": False, "zero": False, "padding": 8}
    if panel.top is not None:
        scale["domainMax"] = panel.top
    if not panel.has_log_y:
        return {"scale": scale}
    values = _on_log_axis(panel)
    return {
        "scale": scale,
        "axis": {"values": log_ticks(float(values.min()), float(values.max())), "format": "~g"},
    }


def _on_log_axis(panel: Panel) -> Numbers:
    """Return every value of a panel that a logarithmic axis has a place for; never none."""
    lines = [panel.shown(line) for line in panel.lines]
    values = np.concatenate([*(part for line in lines for part in (line.mean, line.low, line.high)), [1.0]])
    above: Numbers = values[np.isfinite(values) & (values > 0)]
    return above[:-1] if len(above) > 1 else above


_UP_WHERE_TWO_LINES = "indexof(datum.text, '\\n') > 0 ? -5 : 0"


def heat_view(panel: HeatPanel) -> View:
    """Return a heat map in the colours of `catsweep figures`; the first value of y is at the bottom."""
    low, high, _ = scale_of(panel.mean)
    places = [place for place in np.ndindex(panel.mean.shape) if panel.num_requested[place]]
    rows = [_field(panel, row, column, (low + high) / 2) for row, column in places]
    x = {"field": "x", "type": "nominal", "sort": list(panel.x_ticks), "title": panel.x_label}
    y = {"field": "y", "type": "nominal", "sort": list(reversed(panel.y_ticks)), "title": panel.y_label}
    told = (("x", panel.x_label), ("y", panel.y_label), ("value", panel.value_label), ("n", "n"))
    fill = {
        "condition": {
            "test": "isValid(datum.mean)",
            "field": "mean",
            "type": "quantitative",
            "legend": {"title": None},
            "scale": {"scheme": COLORS, "domain": [low, high], "clamp": True},
        },
        "value": "transparent",
    }
    inks = {"!isValid(datum.mean)": "var(--ink)", "datum.is_dark": "#FFFFFF"}
    conditions = [{"test": test, "value": value} for test, value in inks.items()]
    ink = {"condition": conditions, "value": "#000000"}
    tooltip = [{"field": field, "title": title} for field, title in told]
    stroke = {"condition": {"test": "datum.is_published", "value": "#D55E00"}, "value": "var(--line)"}
    spec = {
        "data": {"values": rows},
        "width": {"step": _FIELD_WIDTH},
        "height": {"step": _FIELD_HEIGHT},
        "encoding": {"x": {**x, "axis": {"labelAngle": 0}}, "y": y},
        "layer": [
            {
                "mark": {"type": "rect", "strokeWidth": 1.5},
                "encoding": {"color": fill, "stroke": stroke, "tooltip": tooltip},
            },
            {
                "mark": {
                    "type": "text",
                    "fontSize": 10,
                    "lineBreak": "\n",
                    "dy": {"expr": _UP_WHERE_TWO_LINES},
                },
                "encoding": {"text": {"field": "text"}, "color": ink},
            },
        ],
    }
    title = panel.title if panel.published is None else f"{panel.title} (published: {panel.published[2]})"
    return View(
        title, f"{title}: {panel.value_label} against {panel.x_label} and {panel.y_label}", spec, told
    )


def _field(panel: HeatPanel, row: int, column: int, middle: float) -> Spec:
    counted, requested = panel.num_counted[row, column], panel.num_requested[row, column]
    mean = float(panel.mean[row, column])
    number = f"{mean:{panel.form}}" if counted else ""
    fewer = f"n={counted}" if counted < requested else ""
    return {
        "x": panel.x_ticks[column],
        "y": panel.y_ticks[row],
        "mean": mean if counted else None,
        "value": number or "no seed has finished",
        "text": "\n".join(filter(None, (number, fewer))),
        "n": f"{counted} of {requested}",
        "is_dark": bool(counted and mean < middle),
        "is_published": panel.published is not None and panel.published[:2] == (row, column),
    }
