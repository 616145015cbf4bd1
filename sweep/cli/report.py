"""`catsweep report`: a sweep as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sweep.cli.options import HomeOption, SpecArgument, TrackingOption
from trainables.terminal import echo

if TYPE_CHECKING:
    from sweep.home import Home


def command(
    spec: SpecArgument,
    out: Annotated[Path, typer.Option(help="The file; one of that name is replaced.", dir_okay=True)] = Path(
        "report.html"
    ),
    tracking_uri: TrackingOption = None,
    home: HomeOption = None,
) -> None:
    """Write a sweep as one HTML page that needs no other file and no network, and print its path.

    It holds what was run, the tables of the task's main metrics, the figures, the status of every cell,
    reconstructions and samples of the best cell of each estimator and latent, divergences, versions, and the
    commands to do it again. A sweep that is half done has a page too, which says what is missing.

    Example: `catsweep report quickstart --out report.html`
    """
    from sweep.home import Home

    place = Home.resolve(home, tracking_uri)
    echo(report_file(spec, place, out))


def report_file(spec: str, home: Home, out: Path) -> Path:
    """Write a spec's report, and return the file; arguments as the command's options.

    Raises:
        ReportError: If the file cannot be written.
    """
    from analysis.report import report
    from analysis.report_error import ReportError
    from sweep.cluster.environment import code_version
    from sweep.spec.file import load_spec, read_spec_text
    from sweep.store.store import Store
    from trainables.atomic_file import write_atomically

    store = Store(home)
    loaded = load_spec(spec, declared=store.declared)
    try:
        is_possible = not out.is_dir() and out.absolute().parent.is_dir()
    except OSError as error:  # such as a name that is too long
        raise ReportError(f"out must be a file that can be written, got {out}: {error.strerror}") from None
    if not is_possible:
        raise ReportError(f"out must be a file in a folder that exists, got {out}")
    store.check_readable()
    store.check()
    page = report(
        home.tracking_uri,
        loaded.requests(),
        name=loaded.name,
        spec=Path(spec).name,
        spec_text=read_spec_text(spec)[0],
        store=home.shown_uri,
        code=f"catsweep {code_version()}",
        is_search=not loaded.search.is_grid,
        redact=home.redact,
    )
    try:
        write_atomically(out, page.encode())
    except OSError as error:
        raise ReportError(f"out must be a file that can be written, got {out}: {error.strerror}") from None
    return out
