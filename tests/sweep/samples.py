"""Small specs, records of epochs with known numbers, and a driver that has no Ray underneath."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sweep.execution.outbox import Outbox
from sweep.execution.run_writer import RunWriter
from sweep.execution.tracking import Tracker, open_experiment
from sweep.home import Home
from sweep.planning.packing import write_manifest
from sweep.plans import plan_of
from sweep.spec.sweep_spec import Spec
from sweep.store.store import Store
from trainables.pack import Pack
from trainables.schema import Member
from trainables.task_registry import TASKS
from trainables.training.epochs import EpochRecord

BLOCK = {"estimator": "st", "latent": "8x4", "lr": 0.0005}
SPEC_TEXT = """name: small
epochs: 2
seeds: 2
grid:
  - estimator: st
    latent: 8x4
    lr: 0.0005
"""


def spec_of(*blocks: Mapping[str, object], **changes: object) -> Spec:
    """Return a spec of one cell and two seeds, changed as asked."""
    grid = [{**BLOCK, **block} for block in blocks] or [BLOCK]
    return Spec.model_validate({"name": "small", "epochs": 2, "seeds": 2, "grid": grid, **changes})


def metrics_of(value: float) -> dict[str, float]:
    """Return every metric of an epoch: the value, and 1, 2, ... more for each further metric."""
    return {name: value + offset for offset, name in enumerate(TASKS["mnist_vae"].metrics)}


def record(epoch: int, *values: float | None) -> EpochRecord:
    """Return what an epoch gave, a value for each member; None is a member that diverged in epoch 1."""
    return EpochRecord(
        epoch,
        1_700_000_000_000 + 1000 * epoch,
        tuple(None if value is None else metrics_of(value) for value in values),
        tuple(1 if value is None else None for value in values),
    )


class Driver:
    """What a run does for the store, without the training.

    Args:
        spec: The spec.
        home: Its home.
        retry_failed: As for the command.
        patience: Seconds that the end waits for a store that takes nothing.
        dataset_content: What the images were made from.
        code: What trains.
    """

    def __init__(
        self,
        spec: Spec,
        home: Home,
        *,
        retry_failed: bool = False,
        patience: float = 10.0,
        dataset_content: str = "",
        code: str = "",
    ) -> None:
        self.home = home
        self.store = Store(home)
        self.plan = plan_of(spec, self.store.members(), home, retry_failed=retry_failed)
        self.experiment_id = open_experiment(self.store.client, spec.name, home)
        self.writer = RunWriter(
            self.store.client, self.experiment_id, self.plan.stored, home.checkpoints, home.store_name
        )
        self.writer.open_sweep(SPEC_TEXT, {"code": "abc"})
        self.said: list[str] = []
        self.outbox = Outbox(
            self.writer.apply, home.shown_uri, self.said.append, pauses=(0.02,), patience=patience
        )
        self.tracker = Tracker(self.plan, self.outbox, dataset_content, code)
        for pack in self.plan.packs:
            write_manifest(home.checkpoints, pack, home.store_name)

    def train(self, pack: Pack, *records: EpochRecord) -> None:
        """Tell the tracker of a pack's whole life."""
        self.tracker.start(pack)
        self.tracker.log(pack, records)
        self.tracker.finish(pack, records[-1])

    def train_all(self, values: Mapping[int, float | None]) -> None:
        """Train every pack of the plan for two epochs; each member ends at the value of its seed."""
        for pack in self.plan.packs:
            last = [values[member.seed] for member in pack.members]
            first = [None if value is None else value + 10 for value in last]
            self.train(pack, record(1, *first), record(2, *last))
        self.tracker.close(is_complete=True)

    def settle(self) -> None:
        """Wait until the store holds everything."""
        assert self.outbox.settle(10), self.said

    def run_of(self, member: Member) -> Any:
        """Return the one run of a member."""
        (run,) = self.runs(f"tags.`catsweep.member` = '{member.hash}'")
        return run

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the store's database itself, once everything is written."""
        self.settle()
        return rows(self.home, query)

    def runs(self, query: str = "") -> Sequence[Any]:
        """Return the runs of the sweep that match, once everything is written."""
        self.settle()
        return list(self.store.client.search_runs([self.experiment_id], query))


def rows(home: Home, query: str) -> list[tuple[Any, ...]]:
    """Ask the store's database itself."""
    assert isinstance(home.sqlite_path, Path)
    with sqlite3.connect(home.sqlite_path) as store:
        return store.execute(query).fetchall()
