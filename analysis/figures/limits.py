"""How much a figure can hold and still be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from analysis.figure_error import FigureError
from analysis.figures.choice import varied
from analysis.figures.styles import MOST_VARIANTS
from trainables.schema import Cell

MOST_LINES = 20
MOST_PANELS = 24


def fits_one_panel(cells: Sequence[Cell]) -> bool:
    """Tell whether lines of these cells, one each, can be told apart."""
    counts = Counter(cell.estimator for cell in cells)
    return len(cells) <= MOST_LINES and max(counts.values(), default=0) <= MOST_VARIANTS


def check_number_of_lines(cells: Sequence[Cell], title: str) -> None:
    """Refuse a panel with too many lines.

    Raises:
        FigureError: If there are too many; it says which axis would do.
    """
    if fits_one_panel(cells):
        return
    several = sorted(varied(cells).items(), key=lambda item: -item[1])
    names = [name for name, _ in several]
    remedy = "; draw a spec of fewer estimators"
    if names:
        remedy = f"; draw final values instead: --against {names[0]}"
    if len(names) > 1:
        remedy += f", or a heat map: --against {names[0]},{names[1]}"
    raise FigureError(
        f"a panel must have at most {MOST_LINES} lines, and {MOST_VARIANTS} of one estimator; {title} has "
        f"{len(cells)}{remedy}"
    )


def check_number_of_panels(number: int) -> None:
    """Refuse a figure with too many panels.

    Raises:
        FigureError: If there are too many.
    """
    if number > MOST_PANELS:
        raise FigureError(
            f"a figure must have at most {MOST_PANELS} panels, got {number}; draw a spec of fewer cells, or "
            "choose --against so that fewer hyperparameters are left"
        )
