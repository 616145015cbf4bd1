"""`catsweep figures`: the papers' figures from the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sweep.cli.options import HomeOption, SpecArgument, TrackingOption
from sweep.cli.tables import names_in
from trainables.task_registry import TASKS
from trainables.terminal import echo

if TYPE_CHECKING:
    from sweep.home import Home


def command(
    spec: SpecArgument,
    out: Annotated[Path, typer.Option(help="Folder for the files; made where it is missing.")],
    metric: Annotated[
        str | None,
        typer.Option(help="Metrics of the run schema, joined by commas. [default: what the axis suggests]"),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="epoch, iteration, seconds, estimator (bars) or a hyperparameter; two, with a comma, for a "
            "heat map. [default: see above]"
        ),
    ] = None,
    output_format: Annotated[
        str, typer.Option("--format", help="pdf, svg and png, or some of them joined by commas.")
    ] = "pdf,svg,png",
    spread: Annotated[
        str, typer.Option(help="What a band is: std, sem or sem-population; ci: a 95 % interval.")
    ] = "std",
    compare: Annotated[
        str | None,
        typer.Option(help="published: the paper's tables. curves: its authors' runs, where there are any."),
    ] = None,
    tracking_uri: TrackingOption = None,
    home: HomeOption = None,
) -> None:
    """Draw means over the seeds with their spread, and print the files written.

    Without `--against`, `mnist_vae` with several β is drawn against β, with several τ and η as heat maps, and
    with three or more values of another hyperparameter against that one: final values and single seeds. Any
    other is drawn against epochs, one line for every cell. Tasks with figures of their own have these:
    `gradient_quality` and `mnist_addition` against epochs, `bernoulli_vae` against seconds,
    `synthetic_optimisation` against iterations and seconds, `synthetic_gradient` as bars.

    No cell is ever picked as the best: where a panel would have too many lines, cells are points of their
    own, or the error names an axis that will do. Only finished members count; n and what is missing stand
    below each figure.

    Example: `catsweep figures quickstart --out figures --compare curves`
    """
    from sweep.home import Home

    place = Home.resolve(home, tracking_uri)
    for path in figure_files(spec, place, out, metric, against, output_format, spread, compare):
        echo(path)


def figure_files(
    spec: str,
    home: Home,
    out: Path,
    metric: str | None,
    against: str | None,
    output_format: str,
    spread: str,
    compare: str | None,
) -> list[Path]:
    """Write a spec's figures and return the files; arguments as the command's options."""
    from analysis.choices import check_choice
    from analysis.figures import FORMATS, figures, write_files
    from sweep.spec.file import load_spec
    from sweep.store.store import Store

    metrics, formats = names_in(metric), names_in(output_format) or [output_format]
    for name in formats:
        check_choice("format", name, FORMATS)
    store = Store(home)
    loaded = load_spec(spec, declared=store.declared)
    for name in metrics:
        check_choice("metric", name, TASKS[loaded.task].metrics)
    store.check_readable()
    drawn = figures(
        home.tracking_uri,
        loaded.requests(),
        metrics=metrics,
        against=names_in(against),
        spread=spread,
        compare=compare,
        is_search=not loaded.search.is_grid,
    )
    return write_files({f"{loaded.name}-{name}": figure for name, figure in drawn.items()}, out, formats)
