"""`catsweep tables`: the papers' tables from the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sweep.cli.options import HomeOption, SpecArgument, TrackingOption
from trainables.schema import HEADLINE_METRICS, METRICS_OF_TASK

if TYPE_CHECKING:
    from sweep.home import Home


def command(
    spec: SpecArgument,
    metric: Annotated[
        str | None,
        typer.Option(
            help="A metric of the run schema; by default the task's: "
            f"{', '.join(f'{metric} of {task}' for task, metric in HEADLINE_METRICS.items())}."
        ),
    ] = None,
    output_format: Annotated[
        str, typer.Option("--format", help="text, markdown, latex, csv or json.")
    ] = "text",
    spread: Annotated[str, typer.Option(help="What ± is: std, sem or sem-population.")] = "std",
    compare: Annotated[
        str | None,
        typer.Option(help="published: the paper's tables. curves: its authors' runs at the same epoch."),
    ] = None,
    tracking_uri: TrackingOption = None,
    home: HomeOption = None,
) -> None:
    """Print estimators by latents: mean ± spread over the seeds, number of seeds, ranks, what is missing.

    Example: `catsweep tables quickstart --compare published`
    """
    from sweep.home import Home

    typer.echo(table_text(spec, Home.resolve(home, tracking_uri), metric, output_format, spread, compare))


def table_text(
    spec: str,
    home: Home,
    metric: str | None = None,
    output_format: str = "text",
    spread: str = "std",
    compare: str | None = None,
) -> str:
    """Return a spec's table as text in one of the formats; arguments as the command's options."""
    from analysis import load_runs, render, table
    from analysis.choices import check_choice
    from sweep.spec_file import load_spec
    from sweep.store import Store

    loaded = load_spec(spec)
    metric = HEADLINE_METRICS[loaded.task] if metric is None else metric
    check_choice("metric", metric, METRICS_OF_TASK[loaded.task])
    requests = loaded.requests()
    store = Store(home)
    if not store.is_empty_file:
        store.check()
    runs = load_runs(home.tracking_uri, metrics=[metric])
    if not loaded.search.is_grid:  # what there is, since nobody asked for every cell of the space
        begun = set(runs["cell"])
        requests = tuple(request for request in requests if request.cell.hash in begun)
    return render(table(runs, requests, metric=metric, spread=spread, compare=compare), output_format)
