"""Panels of lines as Vega-Lite: what the page's script draws, and what it says of each point."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.figures.line_plot import band_alpha, looks_of, markers_of
from analysis.figures.panels import Line, Panel
from analysis.figures.published_lines import HOLLOW
from analysis.figures.styles import Variant
from analysis.names import estimator_name
from analysis.report.line_axes import x_axis, y_axis
from analysis.report.palette import Palette
from analysis.report.view import Spec, View

HIDDEN = "hidden"
"""The parameter that holds the labels whose lines are switched off."""
_HEIGHT = 260
_DASHES: Mapping[str, Sequence[float]] = {"-": (1, 0), "-.": (7, 3, 1.5, 3)}
_PUBLISHED_DASHES: Sequence[float] = (4, 2)
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
    y = {"field": "mean", "type": "quantitative", "title": panel.y_label, **y_axis(panel)}
    layers = _layers(panel, looks, y, palette)
    if panel.level is not None:
        layers.insert(0, _level_layer(panel.level.value, y))
    colors = [palette.variable(look.color) for look in looks.values()]
    spec = {
        "data": {"values": rows},
        "width": "container",
        "height": _HEIGHT,
        "params": [{"name": HIDDEN, "value": []}],
        "transform": [{"filter": f"indexof({HIDDEN}, datum.label) < 0"}],
        "encoding": {"x": x_axis(panel), "y": y, "color": _of_line(looks, colors)},
        "layer": layers,
    }
    title = f"{panel.title}: {panel.y_label}"
    return View(title, f"{title} against {panel.x_label}, {len(looks)} lines", spec, _told(panel))


def _layers(panel: Panel, looks: Mapping[str, Variant], y: Spec, palette: Palette) -> list[Spec]:
    """Return what is drawn of every line, from the back to the points that tell what they are."""
    count = sum(not line.is_published for line in panel.lines)
    shape = {"shape": _of_line(looks, [palette.symbol(one.marker) for one in looks.values()])}
    spread = {"y": {**y, "field": "low"}, "y2": {"field": "high"}}
    points = {"type": "point", "clip": True, "size": 45, "strokeWidth": 1.3, "opacity": 1}
    hollow = {**points, "fill": "var(--paper)"}
    is_line = "datum.is_joined && !datum.is_seed"
    told = [{"field": field, "title": title} for field, title in _told(panel)]
    shown = {"condition": {"param": "at", "empty": False, "value": 1}, "value": 0}
    pointed_at = {"type": "point", "size": 70, "fill": "transparent"}
    return [
        _layer("datum.drawn == 'band'", {"type": "area", "opacity": band_alpha(count)}, spread),
        _layer("datum.drawn == 'bar'", {"type": "rule", "strokeWidth": 1}, spread),
        _layer(is_line, {"type": "line", "strokeWidth": 1.8}, _dashed(looks, panel)),
        _layer("datum.is_seed", {"type": "circle", "size": 9, "opacity": 0.45}, {}),
        _layer("datum.is_marked && !datum.is_published", {**points, "filled": True}, shape),
        _layer("datum.is_marked && datum.is_published", hollow, shape),
        {
            **_layer("!datum.is_seed", pointed_at, {"tooltip": told, "opacity": shown}),
            "params": [_POINTED_AT, {"name": "zoom", "bind": "scales", "select": _ZOOM}],
        },
    ]


def _of_line(looks: Mapping[str, Variant], values: Sequence[object]) -> Spec:
    """Return a channel that has a value for each line; the page writes the legend."""
    scale = {"domain": list(looks), "range": list(values)}
    return {"field": "line", "type": "nominal", "scale": scale, "legend": None}


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
    return {"strokeDash": _of_line(looks, dashes)}


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
