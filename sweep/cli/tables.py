"""`catsweep tables`: the papers' tables from the store."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated

import typer

from sweep.cli.options import HomeOption, TrackingOption
from sweep.cli.table_text import TableOptions, measured_text, table_text
from trainables.task_registry import TASKS
from trainables.terminal import echo

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
SpecsArgument = Annotated[
    list[str],
    typer.Argument(metavar="SPEC...", help="YAML files, or names of presets; one table of all their cells."),
]
EstimatorsOption = Annotated[
    str | None,
    typer.Option(help="Rows: ids of estimators or labels of the spec, joined by commas, in their order."),
]
LatentsOption = Annotated[str | None, typer.Option(help="Columns: latents joined by commas, in their order.")]
TransposeOption = Annotated[bool, typer.Option("--transpose", help="Latents by estimators.")]
DigitsOption = Annotated[
    int | None,
    typer.Option(min=0, max=15, help="Digits after the point. [default: what the metric usually has]"),
]


def command(
    specs: SpecsArgument,
    metric: MetricOption = None,
    output_format: FormatOption = "text",
    spread: SpreadOption = "std",
    compare: CompareOption = None,
    select: SelectOption = None,
    select_by: SelectByOption = None,
    test: TestOption = False,
    estimators: EstimatorsOption = None,
    latents: LatentsOption = None,
    transpose: TransposeOption = False,
    digits: DigitsOption = None,
    tracking_uri: TrackingOption = None,
    home: HomeOption = None,
) -> None:
    """Print estimators by latents: mean ± spread over the seeds, number of seeds, ranks, what is missing.

    With `--select best` a grid becomes one row for each estimator; below the table stand the hyperparameters
    chosen, how many candidates there were, and how many seeds each had. Several sweeps of one task make one
    table.

    Example: `catsweep tables quickstart --compare curves`
    """
    from sweep.home import Home

    place = Home.resolve(home, tracking_uri)
    options = TableOptions(
        metrics=names_in(metric),
        output_format=output_format,
        spread=spread,
        compare=compare,
        select=select,
        select_by=select_by,
        test=test,
        estimators=names_in(estimators),
        latents=names_in(latents),
        transpose=transpose,
        digits=digits,
    )
    if output_format != MEASURED:
        echo(table_text(specs, place, options))
        return
    _refuse(options)
    text, missing = measured_text(specs, place)
    for line in missing:
        echo(line, err=True)
    echo(text, nl=False)


def _refuse(options: TableOptions) -> None:
    """Refuse what has no meaning where every measure is shown."""
    from analysis.figure_error import FigureError

    plain = TableOptions(output_format=MEASURED)
    given = [
        f"--{'metric' if one.name == 'metrics' else one.name.replace('_', '-')}"
        for one in fields(options)
        if (getattr(options, one.name) or None) != (getattr(plain, one.name) or None)
    ]
    if given:
        raise FigureError(
            f"--format {MEASURED} has all measures with mean and std, and no {', '.join(given)}"
        )


def names_in(text: str | None) -> list[str]:
    """Return the names in an option that are joined by commas; none where it is not given."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]
