"""Everything that a report shows, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.report.charts import Chart
from analysis.report.gallery import Picture
from analysis.report.palette import Palette
from analysis.report.provenance import Provenance
from analysis.report.status import Status
from analysis.report.tables import MetricTables
from trainables.task import Task


@dataclass(frozen=True)
class Subject:
    """What the caller says of a sweep.

    Args:
        name: Its name.
        spec: The spec's file or the preset's name, for the commands.
        spec_text: The spec as YAML; empty where it is not known.
        store: The store's address as it may be shown; empty where it is not to be shown.
        code: What made the page, a commit or a version; empty where that is not known.
        made_at: When the page was made, as text.
    """

    name: str
    spec: str
    spec_text: str
    store: str
    code: str
    made_at: str


@dataclass(frozen=True)
class Contents:
    """What the page says.

    Args:
        subject: What the caller says of the sweep.
        task: What is done with its cells.
        selected_by: The metric that chooses the best cells.
        datasets: On which images.
        num_cells: How many cells are asked for.
        provenance: Where the numbers come from.
        tables: The tables, by metric.
        charts: The figures.
        status: How every cell stands.
        pictures: What the best members have learned.
        commands: What to type to do it again, each with what it does.
        palette: Colours of the figures.
        skipped: Why runs of the store are left out, and how many.
    """

    subject: Subject
    task: Task
    selected_by: str
    datasets: tuple[str, ...]
    num_cells: int
    provenance: Provenance
    tables: tuple[MetricTables, ...]
    charts: tuple[Chart, ...]
    status: Status
    pictures: tuple[Picture, ...]
    commands: Sequence[tuple[str, str]]
    palette: Palette
    skipped: tuple[tuple[str, int], ...]
