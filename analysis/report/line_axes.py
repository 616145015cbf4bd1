"""The axes of a panel of lines as Vega-Lite: their scales and where their ticks are."""

from __future__ import annotations

import numpy as np

from analysis.figures.log_ticks import log_ticks
from analysis.figures.panels import Numbers, Panel
from analysis.report.view import Spec

_MOST_NAMED = 12


def x_axis(panel: Panel) -> Spec:
    """Return the channel of x: names, or numbers of which a few are all on the axis."""
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


def y_axis(panel: Panel) -> Spec:
    """Return the scale of y and, where that is logarithmic, its ticks."""
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
