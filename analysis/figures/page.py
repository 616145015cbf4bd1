"""Where things lie on a figure, in inches: panels in a grid, the legend below them, the caption last."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend

_POINTS = 72
_EDGE = 0.1
_CAPTION_SIZE = 6.5
_CAPTION_LINE = 1.35 * _CAPTION_SIZE / _POINTS
_MEAN_LETTER = 0.54 * _CAPTION_SIZE / _POINTS
_LEGEND_SIZE = 7.5


@dataclass(frozen=True)
class Grid:
    """How the panels of a figure lie, in inches.

    Args:
        columns: Panels beside each other.
        width: Of a panel's axes.
        height: Of a panel's axes.
        left: Room left of every panel, for its ticks and label.
        right: Room right of every panel.
        top: Room above every panel, for its title.
        bottom: Room below every panel, for its ticks and label.
    """

    columns: int
    width: float
    height: float
    left: float = 0.68
    right: float = 0.12
    top: float = 0.3
    bottom: float = 0.5

    @property
    def across(self) -> float:
        """Width of a panel with the room beside it."""
        return self.left + self.width + self.right

    @property
    def up(self) -> float:
        """Height of a panel with the room above and below it."""
        return self.top + self.height + self.bottom


def empty_figure(num_panels: int) -> tuple[Figure, list[Axes]]:
    """Return a figure with empty axes; `finish` gives them their places."""
    figure = Figure()
    FigureCanvasAgg(figure)
    return figure, [figure.add_axes((0.1, 0.1, 0.8, 0.8), label=str(place)) for place in range(num_panels)]


def finish(
    figure: Figure,
    axes: Sequence[Axes],
    grid: Grid,
    legend: Sequence[tuple[Artist, str]],
    caption: Sequence[str],
) -> None:
    """Give the figure its size, and everything its place.

    Args:
        figure: The figure.
        axes: Its panels.
        grid: How they lie.
        legend: What the legend shows, in its order; nothing for none.
        caption: The sentences below.
    """
    columns = min(grid.columns, len(axes))
    rows = -(-len(axes) // columns)
    width = columns * grid.across + 2 * _EDGE
    figure.set_size_inches(width, 4)
    placed = _legend(figure, legend, width - 2 * _EDGE)
    legend_height = _extent(figure, placed)[1] + _EDGE if placed else 0.0
    text = textwrap.wrap(" ".join(caption), int((width - 4 * _EDGE) / _MEAN_LETTER))
    caption_height = len(text) * _CAPTION_LINE + _EDGE
    height = rows * grid.up + legend_height + caption_height + _EDGE
    figure.set_size_inches(width, height)
    _place(axes, grid, width, height)
    if placed:
        placed.set_bbox_to_anchor((0.5, (caption_height + legend_height) / height), figure.transFigure)
    figure.text(
        2 * _EDGE / width,
        caption_height / height,
        "\n".join(text),
        va="top",
        linespacing=1.25,
        fontsize=_CAPTION_SIZE,
        color="#333333",
    )


def _place(axes: Sequence[Axes], grid: Grid, width: float, height: float) -> None:
    """Put the panels row by row on a figure of this size, in inches."""
    columns = min(grid.columns, len(axes))
    for place, one in enumerate(axes):
        row, column = divmod(place, columns)
        left = _EDGE + column * grid.across + grid.left
        bottom = height - _EDGE - row * grid.up - grid.top - grid.height
        one.set_position((left / width, bottom / height, grid.width / width, grid.height / height))


def _legend(figure: Figure, entries: Sequence[tuple[Artist, str]], width: float) -> Legend | None:
    """Return a legend with as many columns as fit into the width."""
    for columns in range(min(len(entries), 5), 0, -1):
        legend = figure.legend(
            [handle for handle, _ in entries],
            [label for _, label in entries],
            loc="upper center",
            borderaxespad=0,
            ncols=columns,
            fontsize=_LEGEND_SIZE,
            frameon=False,
            handlelength=2.6,
        )
        if columns == 1 or _extent(figure, legend)[0] <= width:
            return legend
        legend.remove()
    return None


def _extent(figure: Figure, legend: Legend) -> tuple[float, float]:
    """Return width and height of a legend in inches."""
    size = legend.get_window_extent(FigureCanvasAgg(figure).get_renderer())  # type: ignore[no-untyped-call]
    return float(size.width / figure.dpi), float(size.height / figure.dpi)
