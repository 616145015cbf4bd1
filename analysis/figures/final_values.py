"""Final values against a hyperparameter, with the single seeds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from analysis.figures.axis_labels import has_log_axis, is_wide, metric_label
from analysis.figures.choice import setting
from analysis.figures.limits import fits_one_panel
from analysis.figures.panels import Line, Numbers, Panel
from analysis.figures.results import Results, panel_key, panel_keys
from analysis.names import estimator_name
from analysis.tables.labels import row_labels
from trainables.schema import Cell, param_of


def without(cell: Cell, *names: str) -> Cell:
    """Return the cell without some of its params: what is left is one line, or one heat map."""
    return Cell.from_params(
        {name: value for name, value in cell.params.items() if name not in names}, cell.note
    )


def positions_of(cells: Sequence[Cell], name: str) -> dict[str, float]:
    """Return where each value lies on an axis: at its number, or, for a text, at 0, 1, ..."""
    values = {value for cell in cells if (value := setting(cell, name)) is not None}
    if param_of(name).is_text:
        return {value: float(place) for place, value in enumerate(sorted(values))}
    return {value: float(value) for value in sorted(values, key=float)}


def setting_panels(results: Results, against: str) -> list[Panel]:
    """Return a panel for each latent, with a line for all cells that differ in the hyperparameter alone.

    Where that would be more lines than can be told apart, each cell is a point of its own, not joined to
    others. A cell whose estimator lacks the hyperparameter is a level line.

    Args:
        results: The members that count.
        against: The hyperparameter.
    """
    places = positions_of(results.cells, against)
    is_text = param_of(against).is_text
    lines = _lines(results, against)
    ends = np.array([min(places.values()), max(places.values())])
    panels = []
    for key, title in panel_keys(results.cells).items():
        drawn: list[Line] = []
        for (panel, label, is_joined), rows in lines.items():
            if panel != key:
                continue
            levels = [row for row in rows if setting(results.cells[row], against) is None]
            placed = [row for row in rows if row not in levels]
            drawn.extend(_level_line(results, row, label, ends) for row in levels)
            if placed:
                drawn.append(_line(results, placed, label, against, places, is_joined=is_joined))
        if drawn:
            panels.append(
                Panel(
                    title,
                    param_of(against).axis,
                    metric_label(results.metric),
                    tuple(drawn),
                    ticks=tuple(places) if is_text else (),
                    has_log_x=not is_text and _has_log_x(against, ends),
                    has_log_y=has_log_axis(results.metric),
                )
            )
    return panels


def lines_by_row(results: Results, against: str) -> dict[int, str]:
    """Return the label of the line that each cell belongs to."""
    return {row: label for (_, label, _), rows in _lines(results, against).items() for row in rows}


def _lines(results: Results, against: str) -> dict[tuple[tuple[str, ...], str, bool], list[int]]:
    """Return the rows of each line with a mean, by its panel, its label and whether it is joined."""
    reduced = {without(cell, against).hash + cell.note: without(cell, against) for cell in results.cells}
    label_of = dict(zip(reduced, row_labels(list(reduced.values())), strict=True))
    by_panel: dict[tuple[str, ...], list[Cell]] = defaultdict(list)
    for cell in reduced.values():
        by_panel[panel_key(cell)].append(cell)
    is_joined = all(map(fits_one_panel, by_panel.values()))
    found: dict[tuple[tuple[str, ...], str, bool], list[int]] = defaultdict(list)
    for row, cell in enumerate(results.cells):
        label = label_of[without(cell, against).hash + cell.note]
        if not is_joined:
            label = estimator_name(cell.estimator) + (f" ({cell.note})" if cell.note else "")
        if results.frame["n"].iloc[row]:
            found[panel_key(cell), label, is_joined].append(row)
    return found


def _line(
    results: Results,
    rows: Sequence[int],
    label: str,
    against: str,
    places: Mapping[str, float],
    *,
    is_joined: bool,
) -> Line:
    cells = [results.cells[row] for row in rows]
    mean, error = results.frame["mean"].to_numpy(dtype="float64")[list(rows)], results.errors(rows)
    x = np.array([places[setting(cell, against) or ""] for cell in cells])
    seeds = [(at, value) for at, row in zip(x, rows, strict=True) for value in results.values(row)]
    order = np.argsort(x, kind="stable")
    single = np.array(seeds, dtype="float64").reshape(-1, 2)
    num_seeds = results.frame["n"].to_numpy(dtype="int64")[list(rows)][order]
    names = () if is_joined else tuple(results.labels[rows[place]] for place in order)
    ordered = x[order], mean[order], error[:, order]
    return Line(label, cells[0].estimator, *ordered, single, is_joined, num_seeds=num_seeds, cells=names)


def _level_line(results: Results, row: int, label: str, ends: Numbers) -> Line:
    mean, error = float(results.frame["mean"].iloc[row]), results.errors([row])
    num_seeds = np.full(2, results.frame["n"].iloc[row])
    level = np.full(2, mean), np.tile(error, 2)
    return Line(label, results.cells[row].estimator, ends, *level, num_seeds=num_seeds)


def _has_log_x(against: str, ends: Numbers) -> bool:
    smallest, largest = float(ends[0]), float(ends[1])
    is_rate = against == "lr" and smallest > 0 and math.isfinite(largest)
    return is_rate or is_wide(smallest, largest)
