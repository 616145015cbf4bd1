"""Lines, bands and points as SVG paths, in pixels; what has no place on an axis is left out."""

from __future__ import annotations

import numpy as np

from analysis.figures.drawing import Line, Numbers
from analysis.report.axis import Axis


def rounded(pixel: float) -> float:
    """Return a pixel to a tenth, which no eye tells from more."""
    return round(float(pixel), 1)


def joined(x: Numbers, y: Numbers) -> str:
    """Return the line through points in pixels."""
    usable = np.isfinite(x) & np.isfinite(y)
    return "M" + "L".join(f"{rounded(a)} {rounded(b)}" for a, b in zip(x[usable], y[usable], strict=True))


def band(line: Line, x: Numbers, axis: Axis) -> str:
    """Return the outline of mean ± spread: there along its upper edge, back along the lower one.

    Args:
        line: The line.
        x: Pixels of its positions.
        axis: The vertical axis.
    """
    low, high = _ends(line, axis)
    usable = np.isfinite(low) & np.isfinite(high)
    if usable.sum() < 2:
        return ""
    across = np.concatenate((x[usable], x[usable][::-1]))
    return joined(across, np.concatenate((high[usable], low[usable][::-1]))) + "Z"


def bars(line: Line, x: Numbers, axis: Axis) -> str:
    """Return a bar of mean ± spread at each point; arguments as for `band`."""
    low, high = _ends(line, axis)
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


def _ends(line: Line, axis: Axis) -> tuple[Numbers, Numbers]:
    """Return the pixels of mean ∓ spread; what a logarithmic axis cannot show is its end."""
    low, high = axis.at(line.mean - line.error), axis.at(line.mean + line.error)
    below = np.isfinite(line.error) & ~np.isfinite(low)
    return np.where(below, axis.start, low), high
