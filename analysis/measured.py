"""Measures of gradients as the file that `make docs MEASURED=FILE` puts into the estimators' pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

from analysis.completeness import COMPLETE
from analysis.figure_error import FigureError
from analysis.figures.choice import EPOCH
from analysis.figures.curves import mean_curves
from analysis.figures.results import Results
from analysis.history import load_history
from analysis.names import estimator_name
from analysis.store import load_runs
from trainables.metrics import GRADIENT_QUALITY_METRICS, names_of
from trainables.schema import CellRequest
from trainables.tasks import GRADIENT_QUALITY

COLUMNS = ("estimator", "epoch", "metric", "n", "mean", "std")
_METRICS = names_of(*GRADIENT_QUALITY_METRICS)
_LATENT = "8x4"
"""The pages say that their numbers are of this latent."""


def measured_csv(tracking_uri: str, requests: Sequence[CellRequest]) -> tuple[str, tuple[str, ...]]:
    """Return a line for every estimator, measured epoch and measure, and what is missing, in words.

    A mean is over the n seeds that count in a table; std is their sample standard deviation (ddof=1), empty
    for one seed. A cell without such a seed has no lines.

    Args:
        tracking_uri: The store.
        requests: Cells of the task `gradient_quality` at 8x4, one for each estimator, and their seeds. Those
            with a note are left out.
    Raises:
        FigureError: If the cells are others, or nothing has finished.
    """
    wanted = [request for request in requests if not request.cell.note]
    _check(wanted)
    runs = load_runs(tracking_uri, metrics=_METRICS)
    results = [Results.from_runs(runs, wanted, metric, "std") for metric in _METRICS]
    history = load_history(tracking_uri, _METRICS, results[0].counted["run_id"])
    parts = []
    for one in results:
        curve = mean_curves(history, one, EPOCH)
        names = [wanted[row].cell.estimator for row in curve["row"]]
        shown = pd.DataFrame(
            {"estimator": names, "epoch": curve["step"], "metric": one.metric, "n": curve["n"]}
        )
        parts.append(shown.assign(mean=curve["mean"], std=curve["above"]))
    frame = pd.concat(parts)[list(COLUMNS)]
    return frame.to_csv(index=False, lineterminator="\n"), tuple(_missing(results[0]))


def _check(requests: Sequence[CellRequest]) -> None:
    cells = [request.cell for request in requests]
    if {cell.params.get("task") for cell in cells} != {GRADIENT_QUALITY}:
        raise FigureError(f"the spec must be of the task {GRADIENT_QUALITY}, whose measures the pages show")
    if others := sorted({cell.latent for cell in cells} - {_LATENT}):
        raise FigureError(f"latent must be {_LATENT}, which the pages are of, got {', '.join(others)}")
    counts = Counter(cell.estimator for cell in cells)
    if several := [name for name, count in counts.items() if count > 1]:
        raise FigureError(
            f"each estimator must have one cell, since it has one page, got more of {', '.join(several)}"
        )


def _missing(results: Results) -> Iterable[str]:
    incomplete = results.frame[results.frame["status"] != COMPLETE]
    for name, status in zip(incomplete["estimator"], incomplete["status"], strict=True):
        yield f"{estimator_name(name)}: {status}"
