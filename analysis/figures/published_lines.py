"""The published numbers as lines and points beside ours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis import published
from analysis.comparison import CURVES, PUBLISHED, is_published_task
from analysis.figures.choice import EPOCH
from analysis.figures.drawing import Line, Panel
from analysis.figures.results import Results, panel_key, panel_keys
from analysis.figures.settings import positions_of
from analysis.statistics import spread_from_std
from trainables.schema import Cell, format_param

WORDS = {PUBLISHED: "hollow: published", CURVES: "hollow: the authors' runs"}
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
    return [
        replace(
            panel, lines=(*panel.lines, *_beside(panel, by_title[panel.title], results, against, compare))
        )
        for panel in panels
    ]


def printed_value(cell: Cell, metric: str, spread: str) -> tuple[float, float] | None:
    """Return the printed mean of a cell's estimator and latent, with the spread asked for."""
    if is_published_task(cell):
        for result in published.results():
            if (result.estimator, result.latent, result.metric) == (cell.estimator, cell.latent, metric):
                std = result.sample_sem * math.sqrt(result.num_seeds)
                error = spread_from_std(np.array(std), np.array(result.num_seeds), spread)
                return result.value, float(error)
    return None


def _beside(panel: Panel, key: tuple[str, ...], results: Results, against: str, compare: str) -> list[Line]:
    shown = {line.estimator for line in panel.lines}
    cells = {cell.estimator: cell for cell in results.cells if panel_key(cell) == key}
    found = []
    for estimator, cell in cells.items():
        if estimator in shown and is_published_task(cell):
            last = max(float(line.x.max()) for line in panel.lines)
            line = (
                _over_epochs(cell, results, compare, last)
                if against == EPOCH
                else _at_setting(cell, results, against, compare)
            )
            found.extend([] if line is None else [line])
    return found


def _over_epochs(cell: Cell, results: Results, compare: str, last: float) -> Line | None:
    """Return the authors' curve as far as ours goes, or the printed value at its epoch."""
    if compare == PUBLISHED:
        printed = printed_value(cell, results.metric, results.spread)
        if printed is None or last < published.EPOCHS:
            return None
        return _published(cell, compare, [(published.EPOCHS, *printed)])
    points = [point for point in _curve(cell, results.metric) if point.epoch <= last]
    return _published(
        cell,
        compare,
        [(point.epoch, point.mean[results.metric], _error(point, results)) for point in points],
    )


def _at_setting(cell: Cell, results: Results, against: str, compare: str) -> Line | None:
    """Return the published value at the value of the hyperparameter that it was made with."""
    value = published.settings_as_run(cell.estimator, cell.latent).get(against)
    places = positions_of(results.cells, against)
    place = places.get(format_param(against, value)) if value is not None else None
    if place is None:
        return None
    if compare == PUBLISHED:
        printed = printed_value(cell, results.metric, results.spread)
        return None if printed is None else _published(cell, compare, [(place, *printed)])
    points = [
        (place, point.mean[results.metric], _error(point, results))
        for point in _curve(cell, results.metric)
        if str(point.epoch) == cell.params.get("epochs")
    ]
    return _published(cell, compare, points)


def _curve(cell: Cell, metric: str) -> list[published.CurvePoint]:
    if cell.latent != published.CURVE_LATENT or metric not in published.CURVE_METRICS:
        return []
    return [point for point in published.training_curves() if point.estimator == cell.estimator]


def _error(point: published.CurvePoint, results: Results) -> float:
    std, number = np.array(point.std[results.metric]), np.array(point.num_seeds)
    return float(spread_from_std(std, number, results.spread))


def _published(cell: Cell, compare: str, points: Sequence[tuple[float, float, float]]) -> Line | None:
    if not points:
        return None
    x, mean, error = np.array(points, dtype="float64").T
    return Line(WORDS[compare], cell.estimator, x, mean, error, is_published=True)
