"""Runs of cells: what a table shows of a cell, so that the MLflow UI can sort and plot it."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from trainables.schema import (
    KIND_CELL,
    METRICS,
    NUM_SEEDS,
    SCHEMA_VERSION,
    TAG_CELL,
    TAG_KIND,
    TAG_NOTE,
    TAG_PARENT,
    TAG_SCHEMA_VERSION,
    Cell,
    CellRequest,
)

_SHORT = {"lr": "lr", "temperature": "τ", "eta": "η"}


def kind_tags(kind: str) -> dict[str, str]:
    """Return the tags by which a run of this kind is recognised."""
    return {TAG_KIND: kind, TAG_SCHEMA_VERSION: SCHEMA_VERSION}


def cell_name(cell: Cell) -> str:
    """Return a name for people, for example "reinmax 8x4 adam lr=0.0005 τ=1.3"."""
    params = cell.params
    settings = [f"{short}={params[name]}" for name, short in _SHORT.items() if name in params]
    return " ".join((cell.estimator, cell.latent, params["optimizer"], *settings))


def cell_metrics(results: Sequence[Mapping[str, float]], epoch: int) -> list[Metric]:
    """Return mean, sample standard deviation (from two seeds on) and number of seeds of the last epoch.

    Args:
        results: Metrics of the last epoch, one mapping for each finished member.
        epoch: The last epoch, which becomes the step.
    """
    now = time.time_ns() // 1_000_000
    values: dict[str, float] = {NUM_SEEDS: len(results)}
    for name in METRICS:
        column = [result[name] for result in results if name in result]
        if column:
            values[f"{name}_mean"] = statistics.fmean(column)
        if len(column) > 1:
            values[f"{name}_std"] = statistics.stdev(column)
    return [Metric(name, value, now, epoch) for name, value in values.items()]


class CellRuns:
    """The cells of one sweep as runs of its experiment.

    Args:
        client: Client of the store.
        experiment_id: The sweep's experiment.
        requests: The cells that the sweep asks for, with their seeds.
        results: Metrics of the last epoch of members that have finished and not diverged, by member hash;
            the owner adds to it.
    """

    def __init__(
        self,
        client: MlflowClient,
        experiment_id: str,
        requests: Iterable[CellRequest],
        results: Mapping[str, Mapping[str, float]],
    ) -> None:
        self._client = client
        self._experiment_id = experiment_id
        self._requests = {request.cell.hash: request for request in requests}
        self._results = results
        self._run_ids: dict[str, str] = {}
        self._written: dict[str, dict[str, float]] = {}

    def open(self, sweep_run_id: str) -> None:
        """Find the runs of all cells or make them, under the sweep's run, and bring them up to date."""
        self._sweep_run_id = sweep_run_id
        self._find()
        for request in self._requests.values():
            self.run_id(request.cell)
            self.write(request.cell)

    def run_id(self, cell: Cell) -> str:
        """Return the cell's run, which is made if there is none."""
        if cell.hash not in self._run_ids:
            tags = {**kind_tags(KIND_CELL), TAG_CELL: cell.hash, TAG_PARENT: self._sweep_run_id}
            if cell.note:
                tags[TAG_NOTE] = cell.note
            run = self._client.create_run(self._experiment_id, tags=tags, run_name=cell_name(cell))
            self._client.log_batch(run.info.run_id, params=[Param(*item) for item in cell.items])
            self._client.set_terminated(run.info.run_id)
            self._run_ids[cell.hash] = run.info.run_id
        return self._run_ids[cell.hash]

    def write(self, cell: Cell) -> None:
        """Bring the cell's means up to date with the members asked for that have a result.

        A metric cannot be deleted: one that is no longer defined, since fewer seeds are asked for, is NaN.
        """
        request = self._requests.get(cell.hash)
        if request is None:
            return
        results = [self._results[member.hash] for member in request.members if member.hash in self._results]
        epoch = int(cell.params["epochs"])
        metrics = cell_metrics(results, epoch)
        defined = {metric.key for metric in metrics}
        written = self._written.setdefault(cell.hash, {})
        now = time.time_ns() // 1_000_000
        metrics += [Metric(key, math.nan, now, epoch) for key in written if key not in defined]
        changed = [one for one in metrics if not _is_same(one.value, written.get(one.key))]
        if changed:
            self._client.log_batch(self.run_id(cell), changed)
            written.update({metric.key: metric.value for metric in changed})

    def _find(self) -> None:
        query = f"tags.`{TAG_KIND}` = '{KIND_CELL}'"
        token = None
        while True:
            page = self._client.search_runs([self._experiment_id], query, page_token=token)
            for run in page:
                cell_hash = run.data.tags.get(TAG_CELL, "")
                self._run_ids[cell_hash] = run.info.run_id
                self._written[cell_hash] = dict(run.data.metrics)
            token = page.token
            if not token:
                return


def _is_same(value: float, written: float | None) -> bool:
    if written is None:
        return False
    return value == written or (math.isnan(value) and math.isnan(written))
