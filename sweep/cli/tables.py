"""`catsweep tables`: the papers' tables from the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sweep.cli.options import HomeOption, SpecArgument, TrackingOption
from trainables.tasks import TASKS
from trainables.tasks.task import Task
from trainables.terminal import echo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweep.home import Home

MEASURED = "measured"
_DEFAULT_TABLES = "; ".join(f"{', '.join(task.default_tables)} of {name}" for name, task in TASKS.items())

MetricOption = Annotated[
    str | None,
    typer.Option(
        help="Metrics of the run schema, joined by commas, a table each; by default what a search seeks, "
        f"else the task's: {_DEFAULT_TABLES}."
    ),
]
FormatOption = Annotated[
    str,
    typer.Option(
        "--format",
        help="text, markdown, latex, html, csv or json. measured: of a spec that judges gradients, "
        "every measure at every measured epoch in one Markdown table, as in docs/estimators.md.",
    ),
]
SpreadOption = Annotated[
    str, typer.Option(help="What ± is: std, sem or sem-population; ci: a 95 % interval.")
]
CompareOption = Annotated[
    str | None,
    typer.Option(help="published: the paper's tables. curves: its authors' runs at the same epoch."),
]
SelectOption = Annotated[
    str | None,
    typer.Option(help="best: of each estimator and latent only the best cell, with its hyperparameters."),
]
SelectByOption = Annotated[
    str | None,
    typer.Option(
        help="The metric that selects: one of training or of the gradient, never of the test; by default "
        "the first such metric of the task, where it trains a VAE train_neg_elbo."
    ),
]
TestOption = Annotated[
    bool, typer.Option("--test", help="Test each cell against the best of its latent (Welch, Holm).")
]


def command(
    spec: SpecArgument,
    metric: MetricOption = None,
    output_format: FormatOption = "text",
    spread: SpreadOption = "std",
    compare: CompareOption = None,
    select: SelectOption = None,
    select_by: SelectByOption = None,
    test: TestOption = False,
    tracking_uri: TrackingOption = None,
    home: HomeOption = None,
) -> None:
    """Print estimators by latents: mean ± spread over the seeds, number of seeds, ranks, what is missing.

    With `--select best` a grid becomes one row for each estimator; below the table stand the hyperparameters
    chosen, how many candidates there were, and how many seeds each had.

    Example: `catsweep tables quickstart --compare curves`
    """
    from sweep.home import Home

    place = Home.resolve(home, tracking_uri)
    if output_format != MEASURED:
        shown = table_text(spec, place, metric, output_format, spread, compare, select, select_by, test=test)
        echo(shown)
        return
    given = {
        "--metric": metric is not None,
        "--compare": compare is not None,
        "--select": select is not None,
        "--select-by": select_by is not None,
        "--test": test,
        "--spread": spread != "std",
    }
    _refuse([name for name, is_given in given.items() if is_given])
    text, missing = measured_text(spec, place)
    for line in missing:
        echo(line, err=True)
    echo(text, nl=False)


def table_text(
    spec: str,
    home: Home,
    metric: str | None = None,
    output_format: str = "text",
    spread: str = "std",
    compare: str | None = None,
    select: str | None = None,
    select_by: str | None = None,
    *,
    test: bool = False,
) -> str:
    """Return a spec's table as text in one of the formats; arguments as the command's options."""
    import pandas as pd

    from analysis import load_runs, render, table
    from analysis.figure_error import FigureError
    from analysis.formats.rendering import FORMATS_FOR_PROGRAMS
    from sweep.spec.file import load_spec
    from sweep.store.store import Store

    loaded = load_spec(spec, declared=Store(home).declared_estimators)
    task = TASKS[loaded.task]
    is_search = not loaded.search.is_grid
    searched = (loaded.search.metric,) if is_search else ()
    metrics = list(dict.fromkeys(names_in(metric)) or searched or task.default_tables)
    _check_metrics(task, metrics, select_by)
    if select_by is not None and select is None:
        raise FigureError("--select-by says by which metric cells are selected, and needs --select best")
    if select_by is None:
        select_by = next(
            name for name in (*searched, *task.selection_metrics) if name in task.selection_metrics
        )
    requests = loaded.requests()
    store = Store(home)
    store.check_readable()
    needed = dict.fromkeys(metrics if select is None else [*metrics, select_by])
    runs = load_runs(home.tracking_uri, metrics=list(needed))
    if is_search:  # what there is, since nobody asked for every cell of the space
        begun = set(runs["cell"])
        requests = tuple(request for request in requests if request.cell.hash in begun)
    frames = [
        table(
            runs, requests, metric=name, spread=spread, compare=compare, select=select, select_by=select_by,
            test=test,
        )
        for name in metrics
    ]  # fmt: skip
    if output_format in FORMATS_FOR_PROGRAMS:
        return render(pd.concat(frames, ignore_index=True), output_format)
    return "\n".join(render(frame, output_format) for frame in frames)


def measured_text(spec: str, home: Home) -> tuple[str, tuple[str, ...]]:
    """Return what a spec has measured of gradients in one table, and what is missing, in words."""
    from analysis.figures.measured import measured_table
    from sweep.spec.file import load_spec
    from sweep.store.store import Store

    loaded = load_spec(spec, declared=Store(home).declared_estimators)
    Store(home).check_readable()
    return measured_table(home.tracking_uri, loaded.requests())


def _refuse(options: Sequence[str]) -> None:
    from analysis.figure_error import FigureError

    if options:
        raise FigureError(
            f"--format {MEASURED} has all measures with mean and std, and no {', '.join(options)}"
        )


def names_in(text: str | None) -> list[str]:
    """Return the names in an option that are joined by commas; none where it is not given."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _check_metrics(task: Task, metrics: Sequence[str], select_by: str | None) -> None:
    from analysis.choices import check_choice

    for metric in metrics:
        check_choice("metric", metric, task.metrics)
    if select_by is not None:
        check_choice("metric to select by", select_by, task.selection_metrics)
