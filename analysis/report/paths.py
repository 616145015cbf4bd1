"""Lines, bands and points as SVG paths, in pixels; what has no place on an axis is left out."""

from __future__ import annotations

import numpy as np

from analysis.figures.drawing import Line, Numbers
from analysis.figures.stretches import stretches
from analysis.report.axis import Axis


def rounded(pixel: float) -> float:
    """Return a pixel to a tenth, which no eye tells from more."""
    return round(float(pixel), 1)


def joined(x: Numbers, y: Numbers) -> str:
    """Return the line through points in pixels, with a gap where one has no place."""
    parts = stretches(np.isfinite(x) & np.isfinite(y))
    return "".join(_through(x[part], y[part]) for part in parts if part.stop - part.start > 1)


def band(line: Line, x: Numbers, axis: Axis) -> str:
    """Return the outline of mean ± spread: there along its upper edge, back along the lower one.

    Args:
        line: What the axis can show of the line.
        x: Pixels of its positions.
        axis: The vertical axis.
    """
    low, high = axis.at(line.low), axis.at(line.high)
    return "".join(
        _through(np.r_[x[part], x[part][::-1]], np.r_[high[part], low[part][::-1]]) + "Z"
        for part in stretches(np.isfinite(low) & np.isfinite(high))
        if part.stop - part.start > 1
    )


def bars(line: Line, x: Numbers, axis: Axis) -> str:
    """Return a bar of mean ± spread at each point; arguments as for `band`."""
    low, high = axis.at(line.low), axis.at(line.high)
    return "".join(
        f"M{rounded(at)} {rounded(start)}V{rounded(end)}"
        for at, start, end in zip(x, low, high, strict=True)
        if np.isfinite(start) and np.isfinite(end)
    )


def dots(line: Line, x_axis: Axis, y_axis: Axis) -> str:
    """Return the single seeds, each as a line of no length, which round ends make a dot."""
    if line.seeds is None:
        return ""
    x, y = x_axis.at(line.seeds[:, 0]), y_axis.at(line.seeds[:, 1])
    return "".join(f"M{rounded(a)} {rounded(b)}h0" for a, b in zip(x, y, strict=True) if np.isfinite(b))


def _through(x: Numbers, y: Numbers) -> str:
    return "M" + "L".join(f"{rounded(a)} {rounded(b)}" for a, b in zip(x, y, strict=True))
