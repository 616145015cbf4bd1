"""From a store to the report of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pandas as pd

from analysis.members import merged, wanted_members
from analysis.ranking import column_keys
from analysis.report.artifacts import Artifacts
from analysis.report.charts import Chart, charted_metrics, charts
from analysis.report.contents import Contents, Subject
from analysis.report.gallery import gallery
from analysis.report.leaders import Leader, leaders
from analysis.report.looks import Looks
from analysis.report.page import render_page
from analysis.report.provenance import commands, provenance
from analysis.report.status import status_of
from analysis.report.tables import SHOWN_METRICS, MetricTables, metric_tables
from analysis.selection import SELECT_BY
from analysis.store import load_runs, resolve_duplicates
from trainables.schema import HEADLINE_METRICS, MNIST_VAE, CellRequest


def report(
    tracking_uri: str,
    requests: Sequence[CellRequest],
    *,
    name: str,
    spec: str = "",
    spec_text: str = "",
    store: str = "",
    code: str = "",
    is_search: bool = False,
    redact: Callable[[str], str] = str,
) -> str:
    """Return a sweep as one HTML page that loads nothing from anywhere.

    It holds the tables, the figures, the status of every cell, pictures of what the best members have
    learned, and where all of it comes from. What is missing is said in its place.

    Args:
        tracking_uri: The store; the page does not name it.
        requests: The cells and seeds wanted, of one task.
        name: Name of the sweep.
        spec: The spec's file or the preset's name, for the commands, without a folder; by default the sweep's
            name.
        spec_text: The spec as YAML, to be shown.
        store: What the page says the store is; nothing by default, since an address may hold a password.
        code: Commit or version of the code that makes the page.
        is_search: Whether cells that have no run are left out, since nobody asked for all.
        redact: Takes secrets out of a text; every text of the page goes through it.
    Raises:
        ValueError: If the URI is neither of a database nor of a server.
    """
    made_at = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    subject = Subject(name, spec or name, spec_text, store, code, made_at)
    task = requests[0].cell.params["task"] if requests else MNIST_VAE
    needed = dict.fromkeys((SELECT_BY, *SHOWN_METRICS[task], *charted_metrics(requests)))
    runs = load_runs(tracking_uri, metrics=list(needed))
    begun = set(runs["cell"])
    wanted = merged(one for one in requests if not is_search or one.cell.hash in begun)
    return render_page(_contents(subject, task, runs, wanted, tracking_uri), redact)


def _contents(
    subject: Subject, task: str, runs: pd.DataFrame, wanted: Sequence[CellRequest], tracking_uri: str
) -> Contents:
    resolved, artifacts, looks = resolve_duplicates(runs), Artifacts(tracking_uri), Looks()
    members = wanted_members(resolved, wanted, HEADLINE_METRICS[task])
    origin = provenance(members, artifacts, subject.name, subject.spec_text)
    found = leaders(resolved, wanted) if wanted and task == MNIST_VAE else []
    return Contents(
        subject=subject,
        task=task,
        datasets=tuple(dict.fromkeys(one.cell.params.get("dataset", "") for one in wanted)),
        num_cells=len(wanted),
        provenance=origin,
        tables=tuple(_tables(runs, wanted, task)),
        charts=tuple(_charts(runs, wanted, found, tracking_uri, looks)),
        status=status_of(members, wanted),
        pictures=tuple(gallery(found, wanted_members(resolved, wanted, SELECT_BY), wanted, artifacts)),
        commands=commands(subject.spec, origin.code),
        looks=looks,
        skipped=tuple(sorted(runs.attrs["skipped"].items())),
    )


def _has_choice(wanted: Sequence[CellRequest]) -> bool:
    """Tell whether an estimator has several cells of a latent to choose from."""
    cells = [request.cell for request in wanted if not request.cell.note]
    keys = list(zip((cell.estimator for cell in cells), column_keys(cells), strict=True))
    return len(set(keys)) < len(keys)


def _tables(runs: pd.DataFrame, wanted: Sequence[CellRequest], task: str) -> list[MetricTables]:
    has_choice = task == MNIST_VAE and _has_choice(wanted)
    return [
        metric_tables(runs, wanted, metric, has_choice=has_choice, is_first=place == 0)
        for place, metric in enumerate(SHOWN_METRICS[task])
    ]


def _charts(
    runs: pd.DataFrame,
    wanted: Sequence[CellRequest],
    found: Sequence[Leader],
    tracking_uri: str,
    looks: Looks,
) -> list[Chart]:
    best = [wanted[leader.row] for leader in found] if _has_choice(wanted) else []
    return charts(runs, wanted, best, tracking_uri, looks) if wanted else []
