"""Means over the seeds at every epoch, from histories."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.figure_error import FigureError
from analysis.figures.axis_labels import has_log_axis, is_wide, metric_label
from analysis.figures.choice import ITERATION, SECONDS, curve_axis
from analysis.figures.limits import check_number_of_lines
from analysis.figures.panels import Level, Line, Panel
from analysis.figures.results import Results, panel_key, panel_keys
from analysis.statistics.bootstrap import distances, mean_interval
from analysis.statistics.spread import INTERVAL, spread_from_std
from trainables import schema
from trainables.schema import Cell
from trainables.task_registry import metric_of

_FIRST_PART = 0.05
"""Losses fall so fast in this part of a long training that with it on the axis the rest would be flat."""
_LONG = 20
_MOST_ABOVE = 0.1
"""The largest share of a curve's points that may lie above the axis."""


def mean_curves(history: pd.DataFrame, results: Results, against: str) -> pd.DataFrame:
    """Return `row, step, x, n, mean, below, above` of the cells at the steps that all their members have.

    The spread reaches so far below and above the mean: the same, but for an interval. x is the step, the
    iterations until its end, or the mean of the seconds of its epochs until then, which hold the test of each
    where the task tests. `attrs["num_dropped"]` counts the points at which a member has no value, or one that
    is not finite: a mean there would be over fewer seeds.
    `attrs["without_points"]` names the cells of which no point is left.

    Args:
        history: A frame of `load_history` with the metric, for seconds also with `epoch_seconds`.
        results: The members that count.
        against: "epoch", "iteration" or "seconds".
    """
    row_of = dict(zip(results.counted["run_id"], results.counted["row"], strict=True))
    points = history[history["metric"] == results.metric].drop(columns="metric")
    if against == SECONDS:
        points = points.merge(_seconds(history), on=["run_id", "step"], how="left")
    else:
        points = points.assign(x=points["step"].astype("float64"))
    rows = np.array([row_of.get(run_id, -1) for run_id in points["run_id"].cat.categories], dtype="int64")
    points = points.assign(row=rows[points["run_id"].cat.codes.to_numpy()]).query("row >= 0")
    if against == ITERATION:
        per_epoch = [int(cell.params["iterations_per_epoch"]) for cell in results.cells]
        points = points.assign(x=points["x"] * np.array(per_epoch)[points["row"]])
    usable = points[np.isfinite(points["value"]) & np.isfinite(points["x"])]
    steps = usable.groupby(["row", "step"], as_index=False)
    curve: pd.DataFrame = steps.agg(
        x=("x", "mean"), n=("value", "size"), mean=("value", "mean"), std=("value", "std")
    )
    if results.spread == INTERVAL:
        bounds = [mean_interval(values.to_numpy()) for _, values in steps["value"]]
        low, high = np.array(bounds).reshape(-1, 2).T
        below, above = distances(curve["mean"], low, high)
        curve = curve.assign(below=below, above=above)
    else:
        error = spread_from_std(curve["std"].to_numpy(), curve["n"].to_numpy(), results.spread)
        curve = curve.assign(below=error, above=error)
    is_whole = curve["n"] == curve["row"].map(results.counted["row"].value_counts())
    curve = curve[is_whole].drop(columns="std").reset_index(drop=True)
    curve.attrs["num_dropped"] = len(points[["row", "step"]].drop_duplicates()) - len(curve)
    left = set(results.counted["row"]) - set(curve["row"])
    curve.attrs["without_points"] = [
        f"{results.labels[row]} {results.cells[row].latent}" for row in sorted(left)
    ]
    return curve


def curve_panels(results: Results, curves: pd.DataFrame, against: str) -> list[Panel]:
    """Return a panel for each latent with a line for each of its cells.

    Args:
        results: The members that count.
        curves: A frame of `mean_curves`.
        against: "epoch", "iteration" or "seconds".
    Raises:
        FigureError: If a panel would have too many lines, or no cell a point.
    """
    if curves.empty:
        needed = f"{results.metric} and {schema.EPOCH_SECONDS}" if against == SECONDS else results.metric
        raise FigureError(f"nothing to show: no cell has a step at which all its seeds have {needed}")
    groups = dict(iter(curves.groupby("row")))
    panels = []
    for key, title in panel_keys(results.cells).items():
        rows = [row for row, cell in enumerate(results.cells) if row in groups and panel_key(cell) == key]
        if not rows:
            continue
        check_number_of_lines([results.cells[row] for row in rows], title)
        lines = [_line(results, row, groups[row]) for row in rows]
        top = _top([groups[row] for row in rows], results.metric)
        panels.append(
            Panel(
                title,
                curve_axis(against, results.cells),
                metric_label(results.metric),
                tuple(lines),
                has_log_x=_has_log_x(results.metric, lines, against),
                has_log_y=has_log_axis(results.metric),
                top=top,
                level=_level(results.metric, results.cells[rows[0]]),
            )
        )
    return panels


def _has_log_x(metric: str, lines: Sequence[Line], against: str) -> bool:
    """Tell whether x is logarithmic: for the metric's sake, or since some lines take so much longer."""
    ends = [float(line.x[-1]) for line in lines]
    is_far = against == SECONDS and is_wide(min(ends), max(ends))
    return is_far or metric_of(metric).has_log_x


def _level(metric: str, cell: Cell) -> Level | None:
    """Return what a metric is compared with at a cell's latent."""
    reference = metric_of(metric).reference
    if reference is None:
        return None
    categorical_dim, latent_dim = map(int, cell.latent.split("x"))
    return Level(reference.label, reference.value(categorical_dim, latent_dim))


def _line(results: Results, row: int, curve: pd.DataFrame) -> Line:
    x, mean, below, above = (
        curve[name].to_numpy(dtype="float64") for name in ("x", "mean", "below", "above")
    )
    error, num_seeds = np.stack([below, above]), curve["n"].to_numpy(dtype="int64")
    return Line(results.labels[row], results.cells[row].estimator, x, mean, error, num_seeds=num_seeds)


def _seconds(history: pd.DataFrame) -> pd.DataFrame:
    """Return `run_id, step, x`: seconds of all epochs until the end of each, NaN after one unrecorded."""
    epochs = history[history["metric"] == schema.EPOCH_SECONDS]
    by_run = epochs.groupby("run_id", observed=True)
    total = by_run["value"].cumsum(skipna=False)
    is_gapless = epochs["step"] == by_run.cumcount() + 1
    return epochs[["run_id", "step"]].assign(x=total.where(is_gapless))


def _top(curves: Sequence[pd.DataFrame], metric: str) -> float | None:
    """Return where to cut the first steep part of a long training off; None where nothing is cut."""
    if not metric_of(metric).is_steep:
        return None
    upper = [curve["mean"] + curve["above"].fillna(0) for curve in curves]
    highest = max(float(ends[~_may_be_above(curve)].max()) for curve, ends in zip(curves, upper, strict=True))
    if max(float(ends.max()) for ends in upper) <= highest:
        return None
    return with_margin(highest, min(float(curve["mean"].min()) for curve in curves))


def _may_be_above(curve: pd.DataFrame) -> pd.Series[bool]:
    """Tell which points of a curve are its first, steep part; none where they are not few, or it is short."""
    last = curve["step"].max()
    is_first: pd.Series[bool] = curve["step"] <= end_of_first_part(last)
    return is_first & (last >= _LONG and is_first.mean() <= _MOST_ABOVE)


def end_of_first_part(last: float) -> int:
    """Return the epoch until which a training of so many epochs falls steeply."""
    return math.ceil(last * _FIRST_PART)


def with_margin(highest: float, lowest: float) -> float:
    """Return the upper end of an axis for values between two."""
    return highest + 0.05 * (highest - lowest)
