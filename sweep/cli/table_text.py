"""The table of one spec or several as text, in any format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainables.task import Task
from trainables.task_registry import TASKS

if TYPE_CHECKING:
    from sweep.home import Home
    from trainables.schema import CellRequest


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """What is asked of a table; the command's options.

    Args:
        metrics: A table each; none for what a search seeks, else the task's.
        output_format: One of `analysis.formats.rendering.FORMATS`.
        spread: What ± is.
        compare: What stands beside the means.
        select: "best" for the best cells alone.
        select_by: The metric that selects; none for the first of the task's that may.
        test: Whether cells are tested against the best.
        estimators: Those shown, in this order; none for all.
        latents: The same.
        transpose: Whether latents are rows and estimators columns.
        digits: After the point; none for the metric's own.
    """

    metrics: Sequence[str] = ()
    output_format: str = "text"
    spread: str = "std"
    compare: str | None = None
    select: str | None = None
    select_by: str | None = None
    test: bool = False
    estimators: Sequence[str] = ()
    latents: Sequence[str] = ()
    transpose: bool = False
    digits: int | None = None


@dataclass(frozen=True)
class _Asked:
    """What specs ask for together: a task, cells one after the other, and the metrics that searches seek."""

    task: Task
    requests: tuple[CellRequest, ...]
    searched: tuple[str, ...]
    is_search: dict[str, bool]
    """By cell: whether it counts only if it has begun, since nobody asked for every cell of a space."""


def table_text(specs: Sequence[str], home: Home, options: TableOptions = TableOptions()) -> str:
    """Return the table of specs as text.

    Args:
        specs: Names of presets, or files.
        home: Where the store is.
        options: What is asked for.
    Raises:
        FigureError: If options do not go together, or the specs are of several tasks.
        UnknownNameError: If a name is none of the allowed ones.
    """
    import pandas as pd

    from analysis import load_runs, render
    from analysis.formats.rendering import FORMATS_FOR_PROGRAMS
    from analysis.runs.frame import resolve_duplicates
    from analysis.tables.arrangement import arranged
    from analysis.tables.table import make_table
    from sweep.store.store import Store

    asked = _asked(specs, home)
    metrics = list(dict.fromkeys(options.metrics or asked.searched or asked.task.default_tables))
    _check(options, asked.task, metrics)
    may_select = asked.task.selection_metrics
    select_by = options.select_by or next(
        name for name in (*asked.searched, *may_select) if name in may_select
    )
    Store(home).check_readable()
    needed = dict.fromkeys(metrics if options.select is None else [*metrics, select_by])
    runs = load_runs(home.tracking_uri, metrics=list(needed))
    begun = set(runs["cell"])
    requests = arranged(
        [one for one in asked.requests if one.cell.hash in begun or not asked.is_search[one.cell.hash]],
        options.estimators,
        options.latents,
    )
    resolved = resolve_duplicates(runs)
    frames = []
    for metric in metrics:
        made = make_table(
            resolved, requests, metric, options.spread,
            compare=options.compare, select=options.select, select_by=select_by, test=options.test,
        )  # fmt: skip
        made = made.with_rows(made.rows, latents=list(options.latents), is_transposed=options.transpose)
        frames.append(made.frame)
    if options.output_format in FORMATS_FOR_PROGRAMS:
        return render(pd.concat(frames, ignore_index=True), options.output_format)
    return "\n".join(render(frame, options.output_format, digits=options.digits) for frame in frames)


def measured_text(specs: Sequence[str], home: Home) -> tuple[str, tuple[str, ...]]:
    """Return what specs have measured of gradients in one table, and what is missing, in words."""
    from analysis.figures.measured import measured_table
    from sweep.store.store import Store

    asked = _asked(specs, home)
    Store(home).check_readable()
    return measured_table(home.tracking_uri, asked.requests)


def _asked(specs: Sequence[str], home: Home) -> _Asked:
    from analysis.figure_error import FigureError
    from sweep.spec.file import load_spec
    from sweep.store.store import Store

    declared = Store(home).declared
    loaded = [load_spec(spec, declared=declared) for spec in specs]
    tasks = {one.name: one.task for one in loaded}
    if len(set(tasks.values())) > 1:
        found = ", ".join(f"{name} of {task}" for name, task in tasks.items())
        raise FigureError(f"the sweeps of one table must be of one task, and these are {found}")
    requests = [(request, not spec.search.is_grid) for spec in loaded for request in spec.requests()]
    is_search: dict[str, bool] = {}
    for request, is_of_search in requests:
        is_search[request.cell.hash] = is_search.get(request.cell.hash, True) and is_of_search
    searched = dict.fromkeys(one.search.metric for one in loaded if not one.search.is_grid)
    task = TASKS[loaded[0].task]
    return _Asked(task, tuple(request for request, _ in requests), tuple(searched), is_search)


def _check(options: TableOptions, task: Task, metrics: Sequence[str]) -> None:
    from analysis.choices import check_choice
    from analysis.figure_error import FigureError
    from analysis.formats.rendering import FORMATS, FORMATS_FOR_PROGRAMS

    check_choice("format", options.output_format, FORMATS)
    for metric in metrics:
        check_choice("metric", metric, task.metrics)
    if options.select_by is not None:
        check_choice("metric to select by", options.select_by, task.selection_metrics)
        if options.select is None:
            raise FigureError("--select-by says by which metric cells are selected, and needs --select best")
    if options.transpose and options.compare is not None:
        raise FigureError("--transpose is of a table of means alone: --compare has a line for each cell")
    if options.output_format in FORMATS_FOR_PROGRAMS and (options.transpose or options.digits is not None):
        raise FigureError(
            f"--format {options.output_format} has a row for each cell at full precision, and no --transpose "
            "or --digits"
        )
