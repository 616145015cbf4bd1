"""Our numbers beside the published ones: the difference and its z-score."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.choices import check_choice
from analysis.published import printed as published
from analysis.published.errata import erratum
from analysis.statistics.spread import z_score
from trainables.schema import NETWORK_PARAMS, Cell
from trainables.tasks.gradient_quality import GRADIENT_QUALITY

PUBLISHED = "published"
CURVES = "curves"
COMPARISONS: Mapping[str, str] = {
    PUBLISHED: "the printed tables of Beyond ReinMax",
    CURVES: "the authors' training curves at 8x4",
}
COMPARISON_COLUMNS = ("published", "published_error", "difference", "z", "erratum")


@dataclass(frozen=True)
class Reference:
    """A published number.

    Args:
        value: The mean, in the metric's unit; NaN where nothing is published.
        error: Its ± in the form in which it is published.
        sample_sem: Its standard error of the mean from the sample standard deviation.
    """

    value: float = math.nan
    error: float = math.nan
    sample_sem: float = math.nan


def add_comparison(
    frame: pd.DataFrame, cells: Sequence[Cell], sems: Sequence[float], compare: str
) -> pd.DataFrame:
    """Return a table with `published, published_error, difference, z, erratum` added.

    z is the difference over the root of both squared standard errors, from sample standard deviations
    whatever spread the table shows; NaN where a side has fewer than two runs. `erratum` says what is known to
    be wrong with the printed number or its settings, and is empty elsewhere.

    Args:
        frame: A table, one row per cell.
        cells: The cell of each row.
        sems: Our sample standard error of each row's mean.
        compare: A key of `COMPARISONS`.
    Raises:
        ValueError: If nothing is published of the table's metric.
    """
    metrics = set(frame["metric"])
    allowed = published_metrics(compare)
    for metric in metrics:
        check_choice(f"metric to compare with {COMPARISONS[compare]}:", metric, allowed)
    find = _as_printed if compare == PUBLISHED else _on_curve
    references = [find(cell, metric) for cell, metric in zip(cells, frame["metric"], strict=True)]
    added = pd.DataFrame(
        [(reference.value, reference.error) for reference in references],
        columns=["published", "published_error"],
        dtype="float64",
    )
    added["difference"] = frame["mean"] - added["published"]
    sems_published = [reference.sample_sem for reference in references]
    added["z"] = [z_score(*terms) for terms in zip(added["difference"], sems, sems_published, strict=True)]
    result = pd.concat([frame, added.astype("float64")], axis=1)
    is_printed = (added["published"].notna() & (compare == PUBLISHED)).tolist()
    texts = map(erratum, frame["estimator"], frame["latent"])
    errata = [text if printed else "" for text, printed in zip(texts, is_printed, strict=True)]
    result["erratum"] = pd.Series(errata, index=frame.index, dtype="str")
    return result


def published_metrics(compare: str) -> tuple[str, ...]:
    """Return the metrics of which something is published."""
    if compare == CURVES:
        return published.CURVE_METRICS
    return tuple(dict.fromkeys(metric for result in published.results() for metric in result.metrics))


def printed_result(cell: Cell, metric: str) -> published.PublishedResult | None:
    """Return the printed number of a metric at a cell's task, dataset, estimator and latent."""
    wanted = (cell.params.get("task"), cell.params.get("dataset"), cell.estimator, cell.latent)
    for result in published.results_of(metric):
        if (result.task, published.DATASET, result.estimator, result.latent) == wanted:
            return result
    return None


def curve_points(cell: Cell, metric: str) -> list[published.CurvePoint]:
    """Return the authors' training curve of a cell's estimator; empty where there is none of the metric."""
    where = (cell.params.get("task"), cell.params.get("dataset"), cell.latent)
    if where != (published.TASK, published.DATASET, published.CURVE_LATENT):
        return []
    if metric not in published.CURVE_METRICS:
        return []
    return [point for point in published.training_curves() if point.estimator == cell.estimator]


def has_published(cell: Cell, metric: str, compare: str) -> bool:
    """Tell whether anything is published of a metric at a cell's task, dataset, estimator and latent."""
    if compare == CURVES:
        return bool(curve_points(cell, metric))
    return printed_result(cell, metric) is not None


def is_alike(cell: Cell, metric: str, compare: str) -> bool:
    """Tell whether something is published of a metric with a cell's hyperparameters and after its epochs."""
    if not has_published(cell, metric, compare) or has_other_settings(cell):
        return False
    if compare == CURVES:
        return not math.isnan(_on_curve(cell, metric).value)
    printed = printed_result(cell, metric)
    return printed is not None and printed.epochs in (None, int(cell.params["epochs"]))


def fair_comparison(cells: Iterable[Cell], metric: str) -> str | None:
    """Return the first of `COMPARISONS` that is fair to a whole table, or none.

    It is where whatever it has of these cells was made as they were. Cells with a note, which stand beside
    the table, do not matter.
    """
    ordinary = [cell for cell in cells if not cell.note]
    for compare in COMPARISONS:
        known = [cell for cell in ordinary if has_published(cell, metric, compare)]
        if known and all(is_alike(cell, metric, compare) for cell in known):
            return compare
    return None


def published_settings(cell: Cell) -> Mapping[str, str]:
    """Return what is known of the hyperparameters behind the published number of a cell."""
    if cell.params.get("task") == GRADIENT_QUALITY:
        return published.TABLE_1_SETTINGS
    return published.settings_as_run(cell.estimator, cell.latent)


def has_other_settings(cell: Cell) -> bool:
    """Tell whether a cell's published number was made with other hyperparameters than the cell's."""
    if any(name in cell.params for name in NETWORK_PARAMS):
        return True
    settings = published_settings(cell)
    return bool(settings) and not published.has_settings(cell, settings)


def _as_printed(cell: Cell, metric: str) -> Reference:
    result = printed_result(cell, metric)
    return Reference() if result is None else Reference(result.value, result.error, result.sample_sem)


def _on_curve(cell: Cell, metric: str) -> Reference:
    for point in curve_points(cell, metric):
        if str(point.epoch) == cell.params.get("epochs"):
            std = point.std[metric]
            return Reference(point.mean[metric], std, std / math.sqrt(point.num_seeds))
    return Reference()
