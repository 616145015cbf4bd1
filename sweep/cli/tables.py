"""`catsweep tables`: the papers' tables from the store."""

from __future__ import annotations

from typing import Annotated

import typer

from sweep.cli.options import HomeOption, SpecArgument, TrackingOption


def command(
    spec: SpecArgument,
    metric: Annotated[str, typer.Option(help="A metric of the run schema.")] = "test_neg_elbo",
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
    from analysis import load_runs, render, table
    from sweep.home import Home
    from sweep.quiet import quieten
    from sweep.spec_file import load_spec

    quieten()
    requests = load_spec(spec).requests()
    runs = load_runs(Home.resolve(home, tracking_uri).tracking_uri, metrics=[metric])
    frame = table(runs, requests, metric=metric, spread=spread, compare=compare)
    typer.echo(render(frame, output_format))
