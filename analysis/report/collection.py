"""From a store to the report of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pandas as pd

from analysis.report.artifacts import Artifacts
from analysis.report.charts import charted_metrics, charts
from analysis.report.contents import Contents, Subject
from analysis.report.gallery import gallery
from analysis.report.leaders import leaders
from analysis.report.page import render_page
from analysis.report.palette import Palette
from analysis.report.provenance import commands, provenance
from analysis.report.status import status_of
from analysis.report.tables import metric_tables, shown_metrics
from analysis.runs.frame import load_runs, resolve_duplicates
from analysis.tables.members import merged, wanted_members
from analysis.tables.ranking import candidate_keys
from trainables.schema import CellRequest
from trainables.task import Task
from trainables.task_registry import task_of
from trainables.tasks.mnist_vae import MNIST_VAE


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
    task = task_of(requests[0].cell.params["task"] if requests else MNIST_VAE)
    needed = dict.fromkeys((task.selection_metrics[0], *shown_metrics(task), *charted_metrics(requests)))
    runs = load_runs(tracking_uri, metrics=list(needed))
    begun = set(runs["cell"])
    wanted = merged(one for one in requests if not is_search or one.cell.hash in begun)
    return render_page(_contents(subject, task, runs, wanted, tracking_uri), redact)


def _contents(
    subject: Subject, task: Task, runs: pd.DataFrame, wanted: Sequence[CellRequest], tracking_uri: str
) -> Contents:
    resolved, artifacts, palette = resolve_duplicates(runs), Artifacts(tracking_uri), Palette()
    members = wanted_members(resolved, wanted, task.headline)
    origin = provenance(members, artifacts, subject.name, subject.spec_text)
    select_by = task.selection_metrics[0]
    found = leaders(resolved, wanted, select_by) if wanted and not task.trains_one_model else []
    best = [wanted[leader.row] for leader in found] if _has_choice(wanted) else []
    counted = wanted_members(resolved, wanted, select_by)
    curves = tuple(dict.fromkeys((select_by, task.headline)))
    return Contents(
        subject=subject,
        task=task,
        selected_by=select_by,
        datasets=tuple(dict.fromkeys(filter(None, (one.cell.params.get("dataset") for one in wanted)))),
        num_cells=len(wanted),
        provenance=origin,
        tables=tuple(
            metric_tables(resolved, wanted, metric, select_by if best else None, is_first=place == 0)
            for place, metric in enumerate(shown_metrics(task))
        ),
        charts=tuple(charts(runs, wanted, best, curves, tracking_uri, palette) if wanted else ()),
        status=status_of(members, wanted),
        pictures=tuple(gallery(found, counted, wanted, artifacts) if task.draws_pictures else ()),
        commands=commands(subject.spec, origin.code),
        palette=palette,
        skipped=tuple(sorted(resolved.skipped.items())),
    )


def _has_choice(wanted: Sequence[CellRequest]) -> bool:
    """Tell whether an estimator has several cells of a latent to choose from."""
    keys = candidate_keys([request.cell for request in wanted if not request.cell.note])
    return len(set(keys)) < len(keys)
