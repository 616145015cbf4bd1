"""The published numbers as lines and points beside ours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.figures.choice import EPOCH
from analysis.figures.curves import end_of_first_part, with_margin
from analysis.figures.final_values import positions_of
from analysis.figures.panels import Line, Panel
from analysis.figures.results import Results, panel_key, panel_keys
from analysis.published import printed as published
from analysis.published.comparison import CURVES, PUBLISHED, curve_points, printed_result, published_settings
from analysis.statistics.spread import spread_from_std
from trainables.schema import Cell, format_param

HOLLOW = "hollow: "
WORDS = {PUBLISHED: f"{HOLLOW}published", CURVES: f"{HOLLOW}the authors' runs"}
"""What the legend says of them, once for all estimators."""


def with_published(panels: Sequence[Panel], results: Results, against: str, compare: str) -> list[Panel]:
    """Return the panels with the published numbers of the estimators that they show; often there are none.

    Args:
        panels: Panels of one metric.
        results: What they were made from.
        against: Their axis.
        compare: A key of `COMPARISONS`.
    """
    by_title = {title: key for key, title in panel_keys(results.cells).items()}
    found = []
    for panel in panels:
        theirs = _beside(panel, by_title[panel.title], results, against, compare)
        found.append(replace(panel, lines=(*panel.lines, *theirs), top=_top(panel, theirs)))
    return found


def printed_value(
    cell: Cell, metric: str, spread: str
) -> tuple[published.PublishedResult, float, float] | None:
    """Return the printed number of a cell's estimator and latent: it, its mean, and the spread asked for."""
    result = printed_result(cell, metric)
    if result is None:
        return None
    std = result.sample_sem * math.sqrt(result.num_seeds)
    return result, result.value, float(spread_from_std(np.array(std), np.array(result.num_seeds), spread))


def _top(panel: Panel, theirs: Sequence[Line]) -> float | None:
    """Return the upper end of y, if the panel has one, above all of theirs after the steep first part."""
    if panel.top is None or not theirs:
        return panel.top
    start = end_of_first_part(max(float(line.x.max()) for line in panel.lines))
    upper = [np.fmax(line.high, line.mean)[line.x > start] for line in theirs]
    highest = max((float(values.max()) for values in upper if len(values)), default=-math.inf)
    lowest = min(float(line.mean.min()) for line in (*panel.lines, *theirs))
    return max(panel.top, with_margin(highest, lowest))


def _beside(panel: Panel, key: tuple[str, ...], results: Results, against: str, compare: str) -> list[Line]:
    shown = {line.estimator for line in panel.lines}
    cells = {cell.estimator: cell for cell in results.cells if panel_key(cell) == key}
    ends = [end(float(end(line.x)) for line in panel.lines) for end in (min, max)]
    found = []
    for estimator, cell in cells.items():
        if estimator in shown:
            line = (
                _over_epochs(cell, results, compare, *ends)
                if against == EPOCH
                else _at_setting(cell, results, against, compare)
            )
            found.extend([] if line is None else [line])
    return found


def _over_epochs(cell: Cell, results: Results, compare: str, first: float, last: float) -> Line | None:
    """Return the authors' curve as far as ours goes, or the printed value at its epoch."""
    if compare == PUBLISHED:
        printed = printed_value(cell, results.metric, results.spread)
        if printed is None:
            return None
        result, *value = printed
        places = [first, last] if result.epochs is None else [float(result.epochs)]
        return _published(cell, compare, [(place, *value) for place in places if place <= last])
    points = [point for point in curve_points(cell, results.metric) if point.epoch <= last]
    return _published(
        cell,
        compare,
        [(point.epoch, point.mean[results.metric], _error(point, results)) for point in points],
    )


def _at_setting(cell: Cell, results: Results, against: str, compare: str) -> Line | None:
    """Return the published value at the value of the hyperparameter that it was made with."""
    value = published_settings(cell).get(against)
    places = positions_of(results.cells, against)
    place = places.get(format_param(against, value)) if value is not None else None
    if place is None:
        return None
    if compare == PUBLISHED:
        printed = printed_value(cell, results.metric, results.spread)
        return None if printed is None else _published(cell, compare, [(place, *printed[1:])])
    points = [
        (place, point.mean[results.metric], _error(point, results))
        for point in curve_points(cell, results.metric)
        if str(point.epoch) == cell.params.get("epochs")
    ]
    return _published(cell, compare, points)


def _error(point: published.CurvePoint, results: Results) -> float:
    std, number = np.array(point.std[results.metric]), np.array(point.num_seeds)
    return float(spread_from_std(std, number, results.spread))


def _published(cell: Cell, compare: str, points: Sequence[tuple[float, ...]]) -> Line | None:
    if not points:
        return None
    x, mean, error = np.array(points, dtype="float64").T
    return Line(WORDS[compare], cell.estimator, x, mean, np.stack([error, error]), is_published=True)
