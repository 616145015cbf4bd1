"""A store with as many members as the papers' full grids, filled by SQL, with made-up numbers.

Tables and indexes are MLflow's own; rows are what `catsweep run` writes of members, of which several train
at a time, so that the epochs of one do not lie together. No loss is below a million nats per image: nothing
of it can pass for a result. Cells and sweeps, which frames do not read, have no runs here.
"""

from __future__ import annotations

import math
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.names import PAPER_LATENTS
from trainables import schema
from trainables.schema.metrics import names_of
from trainables.tasks.mnist_vae import VAE_METRICS

LEAST_LOSS = 1e6
"""Nats per image; no model is that bad."""
METRICS = names_of(*VAE_METRICS)
SEEDS = 10
_START_MS = 1_700_000_000_000
_EPOCH_MS = 5_000
_EXPERIMENT_ID = 1


@dataclass(frozen=True)
class LargeStore:
    """A store to be filled.

    Args:
        path: The SQLite file.
        members: How many members, ten seeds for each cell, spread over the papers' six latents.
        epochs: Rows of each member and metric.
        at_a_time: How many members train beside each other.
    """

    path: Path
    members: int = 10_000
    epochs: int = 160
    at_a_time: int = 8

    @property
    def uri(self) -> str:
        """The tracking URI."""
        return f"sqlite:///{self.path}"

    def spec_text(self, latents: Sequence[str] = PAPER_LATENTS) -> str:
        """Return the spec of the members of some latents: one estimator, and learning rates for the cells."""
        blocks = []
        for latent in latents:
            place, cells = PAPER_LATENTS.index(latent), self.members // SEEDS
            count = cells // len(PAPER_LATENTS) + (place < cells % len(PAPER_LATENTS))
            rates = ", ".join(f"{1e-6 * (index + 1):g}" for index in range(count))
            blocks.append(f"  - {{estimator: reinmax, latent: {latent}, lr: [{rates}]}}\n")
        return f"name: large\nepochs: {self.epochs}\nseeds: {SEEDS}\ngrid:\n{''.join(blocks)}"

    def fill(self, requests: Sequence[schema.CellRequest]) -> None:
        """Make the store and log every member of the requests as finished.

        Raises:
            FileExistsError: If the file is there.
        """
        if self.path.exists():
            raise FileExistsError(f"{self.path} must not exist")
        from mlflow import MlflowClient

        MlflowClient(self.uri).create_experiment("large")
        members = [member for request in requests for member in request.members]
        with closing(sqlite3.connect(self.path)) as database:
            database.execute("pragma synchronous = off")
            database.execute("pragma cache_size = -1000000")
            for start in range(0, len(members), self.at_a_time):
                self._log(database, members[start : start + self.at_a_time], start // self.at_a_time)
                database.commit()

    def _log(self, database: sqlite3.Connection, members: Sequence[schema.Member], turn: int) -> None:
        """Log members that train beside each other."""
        begin = _START_MS + turn * self.epochs * _EPOCH_MS
        end = begin + self.epochs * _EPOCH_MS
        generator = np.random.default_rng(turn)
        run_ids = [uuid.UUID(bytes=generator.bytes(16)).hex for _ in members]
        values = self._values(generator, len(members))
        runs = [(run_id, "FINISHED", begin, end, "active", _EXPERIMENT_ID) for run_id in run_ids]
        _insert(
            database,
            "runs",
            ("run_uuid", "status", "start_time", "end_time", "lifecycle_stage", "experiment_id"),
            runs,
        )
        for table, of in (("tags", _tags), ("params", lambda member: member.params)):
            rows = [
                (run, *item)
                for run, member in zip(run_ids, members, strict=True)
                for item in of(member).items()
            ]
            _insert(database, table, ("run_uuid", "key", "value"), rows)
        columns = ("run_uuid", "step", "timestamp", "key", "value", "is_nan")
        _insert(database, "metrics", columns, _rows(run_ids, values, begin, range(self.epochs)))
        last = range(self.epochs - 1, self.epochs)
        _insert(database, "latest_metrics", columns, _rows(run_ids, values, begin, last))

    def _values(self, generator: np.random.Generator, members: int) -> np.ndarray:
        """Return falling losses, shape (epochs, members, metrics)."""
        falling = 100 / np.arange(1, self.epochs + 1)[:, None, None]
        noise = generator.standard_normal((self.epochs, members, len(METRICS)))
        return np.asarray(LEAST_LOSS + 100 + falling + noise * math.e / 10)


def _tags(member: schema.Member) -> dict[str, str]:
    return {
        schema.TAG_KIND: schema.KIND_MEMBER,
        schema.TAG_SCHEMA_VERSION: schema.SCHEMA_VERSION,
        schema.TAG_MEMBER: member.hash,
        schema.TAG_CELL: member.cell.hash,
        schema.TAG_PARENT: member.cell.hash * 2,
        schema.TAG_PACK_SIZE: "1",
        "mlflow.runName": f"seed {member.seed}, {member.cell.estimator} {member.cell.latent}",
    }


def _rows(
    run_ids: Sequence[str], values: np.ndarray, begin: int, epochs: range
) -> Iterator[tuple[str, int, int, str, float, int]]:
    """Yield rows of metrics, epoch by epoch."""
    for epoch in epochs:
        for place, (run_id, of_metrics) in enumerate(zip(run_ids, values[epoch].tolist(), strict=True)):
            at = begin + epoch * _EPOCH_MS + place
            for metric, value in zip(METRICS, of_metrics, strict=True):
                yield run_id, epoch + 1, at, metric, value, 0


def _insert(database: sqlite3.Connection, table: str, columns: Sequence[str], rows: object) -> None:
    marks = ", ".join("?" * len(columns))
    names = ", ".join(f'"{column}"' for column in columns)
    database.executemany(f"insert into {table} ({names}) values ({marks})", rows)  # type: ignore[arg-type]
