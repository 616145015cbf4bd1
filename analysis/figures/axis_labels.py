"""What the axes of metrics say, and which of them are logarithmic."""

from __future__ import annotations

import math
import textwrap

from analysis.names import metric_name
from trainables.task_registry import METRIC, metric_of

_LETTERS_AN_INCH = 17
_WIDE = 50


def is_wide(smallest: float, largest: float) -> bool:
    """Tell whether positive finite numbers lie so far apart that their axis is logarithmic."""
    return smallest > 0 and math.isfinite(largest) and largest >= _WIDE * smallest


def metric_label(metric: str) -> str:
    """Return a metric's name with its unit, where it is known and has one."""
    name = metric_name(metric)
    return f"{name.text} ({name.unit})" if name.unit and metric in METRIC else name.text


def broken(label: str, inches: float) -> str:
    """Return an axis label in lines that fit a length, broken before its unit where that will do."""
    width = int(inches * _LETTERS_AN_INCH)
    if len(label) <= width:
        return label
    name, _, unit = label.partition(" (")
    parts = [name, f"({unit}"] if unit else [name]
    return "\n".join(_even(part, width) for part in parts)


def _even(text: str, width: int) -> str:
    """Return a text in as few lines as fit, and those as even as they can be."""

    def lines(letters: int) -> list[str]:
        return textwrap.wrap(text, letters, break_long_words=False)

    return "\n".join(
        next(lines(less) for less in range(1, width + 1) if len(lines(less)) <= len(lines(width)))
    )


def has_log_axis(metric: str) -> bool:
    """Tell whether a metric is drawn on a logarithmic axis, as the spreads of gradients are."""
    return metric_of(metric).has_log_axis
