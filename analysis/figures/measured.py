"""Measures of gradients as the table of docs/estimators.md: a line for each estimator and measured epoch."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from analysis.figure_error import FigureError
from analysis.figures.choice import EPOCH
from analysis.figures.curves import mean_curves
from analysis.figures.results import Results
from analysis.names import estimator_name
from analysis.runs.frame import load_runs
from analysis.runs.history import load_history
from analysis.tables.member_states import COMPLETE
from trainables.schema import CellRequest
from trainables.schema.metrics import names_of
from trainables.tasks.gradient_quality import GRADIENT_QUALITY, GRADIENT_QUALITY_METRICS

_COLUMNS = ("row", "step", "n", "mean", "above")
_METRICS = names_of(*GRADIENT_QUALITY_METRICS)
_HEADS: Mapping[str, str] = {
    "gradient_cosine": "cosine",
    "gradient_cosine_batch": "cosine, batch",
    "gradient_variance": "variance",
    "gradient_relative_std": "relative std",
    "gradient_std": "std",
}
"""What a column is headed, in the order of the columns."""


def measured_table(tracking_uri: str, requests: Sequence[CellRequest]) -> tuple[str, tuple[str, ...]]:
    """Return all measures at every measured epoch as a Markdown table, and what is missing, in words.

    A mean is over the n seeds that count in a table; ± is their sample standard deviation (ddof=1), left out
    for one seed. A cell without such a seed has no lines.

    Args:
        tracking_uri: The store.
        requests: Cells of the task `gradient_quality` of one latent, one for each estimator, and their seeds.
            Those with a note are left out.
    Raises:
        FigureError: If the cells are others, or nothing has finished.
    """
    wanted = [request for request in requests if not request.cell.note]
    _check(wanted)
    runs = load_runs(tracking_uri, metrics=_METRICS)
    results = [Results.from_runs(runs, wanted, metric, "std") for metric in _METRICS]
    history = load_history(tracking_uri, _METRICS, results[0].counted["run_id"])
    lines: dict[tuple[int, int, int], dict[str, str]] = defaultdict(dict)
    for one in results:
        curve = mean_curves(history, one, EPOCH)
        for row, step, n, mean, std in zip(*(curve[name] for name in _COLUMNS), strict=True):
            spread = "" if n == 1 else f" ± {std:.2g}"
            lines[int(row), int(step), int(n)][one.metric] = f"{mean:.3g}{spread}"
    rows = [
        (f"`{wanted[row].cell.estimator}`", str(step), str(n), *(texts.get(name, "--") for name in _HEADS))
        for (row, step, n), texts in sorted(lines.items())
    ]
    heads = ("estimator", "epoch", "n", *_HEADS.values())
    table = [heads, ["---", *(["---:"] * (len(heads) - 1))], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in table), tuple(_missing(results[0]))


def _check(requests: Sequence[CellRequest]) -> None:
    cells = [request.cell for request in requests]
    if {cell.params.get("task") for cell in cells} != {GRADIENT_QUALITY}:
        raise FigureError(f"the spec must be of the task {GRADIENT_QUALITY}, whose measures the table shows")
    if len(latents := sorted({cell.latent for cell in cells})) > 1:
        raise FigureError(
            f"the spec must have one latent, since the table is of one, got {', '.join(latents)}"
        )
    counts = Counter(cell.estimator for cell in cells)
    if several := [name for name, count in counts.items() if count > 1]:
        raise FigureError(
            f"each estimator must have one cell, since it has one line, got more of {', '.join(several)}"
        )


def _missing(results: Results) -> Iterable[str]:
    incomplete = results.frame[results.frame["status"] != COMPLETE]
    for name, status in zip(incomplete["estimator"], incomplete["status"], strict=True):
        yield f"{estimator_name(name)}: {status}"
