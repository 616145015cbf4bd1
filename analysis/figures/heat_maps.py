"""Final values over two hyperparameters."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from analysis.figures.axis_labels import metric_label
from analysis.figures.choice import setting
from analysis.figures.final_values import positions_of, without
from analysis.figures.panels import HeatPanel
from analysis.figures.published_lines import printed_value
from analysis.figures.results import Results, panel_key, panel_keys
from analysis.names import form_of
from analysis.published.comparison import PUBLISHED, has_other_settings, published_settings
from analysis.tables.labels import row_labels
from trainables.schema import param_of


def heat_panels(results: Results, against: Sequence[str], compare: str | None) -> list[HeatPanel]:
    """Return a heat map for each latent, estimator and setting of all other hyperparameters.

    Cells whose estimator lacks one of the two are left out.

    Args:
        results: The members that count.
        against: The horizontal and the vertical hyperparameter.
        compare: "published" marks the setting behind a printed number, where a map has it.
    """
    rows_of: dict[tuple[tuple[str, ...], str], list[int]] = defaultdict(list)
    reduced = {row: without(cell, *against) for row, cell in enumerate(results.cells)}
    distinct = {cell.hash + cell.note: cell for cell in reduced.values()}
    label_of = dict(zip(distinct, row_labels(list(distinct.values())), strict=True))
    for row, cell in enumerate(results.cells):
        if all(setting(cell, name) is not None for name in against):
            label = label_of[reduced[row].hash + reduced[row].note]
            rows_of[panel_key(cell), label].append(row)
    titles = panel_keys(results.cells)
    return [
        _panel(results, rows, f"{label}, {titles[key]}", against, compare)
        for (key, label), rows in rows_of.items()
        if results.frame["n"].iloc[rows].sum()
    ]


def _panel(
    results: Results, rows: Sequence[int], title: str, against: Sequence[str], compare: str | None
) -> HeatPanel:
    cells = [results.cells[row] for row in rows]
    columns, lines = (list(positions_of(cells, name)) for name in against)
    shape = (len(lines), len(columns))
    mean, counted, requested = np.full(shape, math.nan), np.zeros(shape, "int64"), np.zeros(shape, "int64")
    places = {}
    for row, cell in zip(rows, cells, strict=True):
        across, up = (setting(cell, name) or "" for name in against)
        place = (lines.index(up), columns.index(across))
        shown = results.frame.iloc[row]
        places[up, across] = place
        mean[place], counted[place], requested[place] = shown["mean"], shown["n"], shown["num_requested"]
    return HeatPanel(
        title,
        param_of(against[0]).axis,
        param_of(against[1]).axis,
        metric_label(results.metric),
        tuple(columns),
        tuple(lines),
        mean,
        counted,
        requested,
        form_of(results.metric),
        _printed(results, rows, against, places) if compare == PUBLISHED else None,
    )


def _printed(
    results: Results,
    rows: Sequence[int],
    against: Sequence[str],
    places: Mapping[tuple[str, str], tuple[int, int]],
) -> tuple[int, int, str] | None:
    """Return where the setting of a printed number lies in a map that agrees with it in all else."""
    form = form_of(results.metric)
    for row in rows:
        cell = results.cells[row]
        found = printed_value(cell, results.metric, results.spread)
        if found is None or not published_settings(cell) or has_other_settings(cell):
            continue
        result, mean, error = found
        across, up = (setting(cell, name) or "" for name in against)
        if "epochs" in against and cell.params["epochs"] != str(result.epochs):
            continue
        text = f"{mean:{form}}" + (f" ± {error:{form}}" if result.has_error else "")
        return (*places[up, across], text)
    return None
