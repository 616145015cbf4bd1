"""A heat map as Vega-Lite: its fields, and what is said of each."""

from __future__ import annotations

import numpy as np

from analysis.figures.heat_plot import COLORS, scale_of
from analysis.figures.panels import HeatPanel
from analysis.report.view import Spec, View

_FIELD_WIDTH, _FIELD_HEIGHT = 46, 30
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
