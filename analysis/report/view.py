"""One pair of axes of a report's figure, in Vega-Lite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Spec = dict[str, Any]


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
