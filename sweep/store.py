"""What the tracking store already holds, seen by the writer: which members there are and how they stand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import requests
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from sweep.home import Home
from trainables.schema import (
    KIND_MEMBER,
    SCHEMA_VERSION,
    TAG_DIVERGED,
    TAG_ERROR,
    TAG_KIND,
    TAG_MEMBER,
    TAG_PACK_SIZE,
    TAG_PRUNED,
    TAG_SCHEMA_VERSION,
    Member,
)

_ANSWER_SECONDS = 5.0


class StoreError(Exception):
    """The tracking store cannot be used; the message names it and says why."""


@dataclass(frozen=True)
class StoredMember:
    """A member as the store knows it.

    Args:
        member: What its params say it is; none where a crash left the run without them.
        run_id: Its MLflow run.
        status: Status of the run: FINISHED, FAILED, RUNNING or another of MLflow's.
        epoch: Last epoch with metrics, 0 where there is none.
        metrics: Values of the last epoch, nats per image and seconds.
        diverged: Epoch in which the loss was not finite, or none.
        error: Why it failed, or "".
        pack_size: How many members trained together.
        pruned: Epoch at which a search gave it up, or none.
    """

    member: Member | None
    run_id: str
    status: str
    epoch: int
    metrics: Mapping[str, float]
    diverged: int | None = None
    error: str = ""
    pack_size: int = 1
    pruned: int | None = None

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do, divergence included; not so where the last epoch is missing."""
        if self.status != "FINISHED" or self.diverged is not None:
            return self.status == "FINISHED"
        return self.member is not None and self.epoch >= int(self.member.cell.params["epochs"])

    @property
    def result(self) -> Mapping[str, float] | None:
        """The metrics of the last epoch that count in means; none where it has not finished or diverged."""
        is_finite = all(math.isfinite(value) for value in self.metrics.values())
        return self.metrics if self.is_finished and self.diverged is None and is_finite else None

    @property
    def has_failed(self) -> bool:
        """Whether it ended with an error, or was stopped by hand; not so where a search gave it up."""
        return self.status in ("FAILED", "KILLED") and self.pruned is None


@dataclass(frozen=True)
class Store:
    """A tracking store.

    Args:
        home: Says where it is.
    """

    home: Home

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client; an SQLite store that is not there yet is made."""
        return MlflowClient(self.home.tracking_uri)

    @property
    def is_empty_file(self) -> bool:
        """Whether the store is an SQLite file that does not exist yet."""
        path = self.home.sqlite_path
        return path is not None and not path.exists()

    def check(self) -> None:
        """See that the store answers.

        Raises:
            StoreError: If it does not.
        """
        uri = self.home.tracking_uri
        try:
            if uri.startswith(("http://", "https://")):
                requests.get(f"{uri.rstrip('/')}/health", timeout=_ANSWER_SECONDS).raise_for_status()
            self.client.search_experiments(max_results=1)
        except requests.RequestException as error:
            reason = type(error).__name__ if error.response is None else str(error)
            raise StoreError(
                f"tracking server {uri} does not answer ({reason}); start it, or name another "
                f"with --tracking-uri or MLFLOW_TRACKING_URI"
            ) from None
        except (MlflowException, SQLAlchemyError, ImportError) as error:
            reason = str(error).splitlines()[0]
            raise StoreError(f"tracking store {uri} cannot be used: {reason}") from None

    def members(self) -> dict[str, StoredMember]:
        """Return every member in the store by its hash, whichever sweep ran it.

        Of several runs of one member the finished one that ended last wins, else the running one, else the
        one that started last; `analysis.store.resolve_duplicates` has the same order.

        Raises:
            StoreError: If the store does not answer.
        """
        if self.is_empty_file:
            return {}
        self.check()
        best: dict[str, tuple[tuple[int, int, int, str], StoredMember]] = {}
        for run in self._member_runs():
            if not run.data.tags.get(TAG_DIVERGED, "0").isdecimal():
                continue  # not after the schema, hence no member for analysis either
            stored = _stored_member(run)
            key = stored.member.hash if stored.member else run.data.tags.get(TAG_MEMBER)
            if key is None:
                continue
            rank = _rank(run, stored)
            if key not in best or rank > best[key][0]:
                best[key] = (rank, stored)
        return {key: stored for key, (_, stored) in best.items()}

    def _experiment_ids(self) -> list[str]:
        found: list[str] = []
        token = None
        while True:
            page = self.client.search_experiments(page_token=token)
            found += [experiment.experiment_id for experiment in page]
            token = page.token
            if not token:
                return found

    def _member_runs(self) -> Iterator[Run]:
        experiments = self._experiment_ids()
        query = f"tags.`{TAG_KIND}` = '{KIND_MEMBER}' and tags.`{TAG_SCHEMA_VERSION}` = '{SCHEMA_VERSION}'"
        token = None
        while experiments:
            page = self.client.search_runs(experiments, query, max_results=1000, page_token=token)
            yield from page
            token = page.token
            if not token:
                return


def _rank(run: Run, stored: StoredMember) -> tuple[int, int, int, str]:
    """Return what to compare runs of one member by; the largest is the member's."""
    start, end = run.info.start_time or 0, run.info.end_time or 0
    is_running = run.info.status in ("RUNNING", "SCHEDULED")
    first = 2 if stored.is_finished else int(is_running)
    return first, end if run.info.status == "FINISHED" else start, start, run.info.run_id


def _stored_member(run: Run) -> StoredMember:
    try:
        member = Member.from_params(run.data.params)
    except ValueError:
        member = None
    # The public view of a run's metrics has no steps.
    steps = [metric.step for metric in run.data._metric_objs]
    diverged = run.data.tags.get(TAG_DIVERGED)
    pack_size = run.data.tags.get(TAG_PACK_SIZE, "1")
    pruned = run.data.tags.get(TAG_PRUNED, "")
    return StoredMember(
        member=member,
        run_id=run.info.run_id,
        status=run.info.status,
        epoch=max(steps, default=0),
        metrics=dict(run.data.metrics),
        diverged=int(diverged) if diverged else None,
        error=run.data.tags.get(TAG_ERROR, ""),
        pack_size=int(pack_size) if pack_size.isdecimal() else 1,
        pruned=int(pruned) if pruned.isdecimal() else None,
    )
