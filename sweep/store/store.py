"""What the tracking store already holds, seen by the writer: which members there are and how they stand."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from estimators.own import OwnEstimator
from sweep.home import Home
from sweep.redaction import redact
from trainables.error_reason import reason_of
from trainables.models.network_sizes import image_shape_of
from trainables.own_data import OwnDataset
from trainables.schema import (
    SCHEMA_VERSION,
    TAG_DATASET_CONTENT,
    TAG_DIVERGED,
    TAG_ERROR,
    TAG_ESTIMATOR,
    TAG_MEMBER,
    TAG_PACK_SIZE,
    TAG_PRUNED,
    TAG_SCHEMA_VERSION,
    Member,
)
from trainables.store.database import DatabaseError, opened
from trainables.store.member_state import COUNTED, FAILED, is_whole, member_state, precedence
from trainables.store.run_reader import read_records
from trainables.store.run_record import MemberReader, RunRecord
from trainables.task_registry import METRIC
from trainables.user_error import UserError

if TYPE_CHECKING:  # to import MLflow takes seconds, and a database is read without it
    from mlflow import MlflowClient

_ANSWER_SECONDS = 5.0
_MOST_DIGITS = 18


class StoreError(UserError):
    """The tracking store cannot be used; the message names it and says why, without its password."""

    def __init__(self, message: str) -> None:
        super().__init__(redact(message))


@dataclass(frozen=True)
class StoredMember:
    """A member as the store knows it.

    Args:
        member: What its params say it is; none where a crash left the run without them.
        run_id: Its MLflow run.
        status: Status of the run: FINISHED, FAILED, RUNNING or another of MLflow's.
        epoch: Last epoch with metrics, 0 where there is none.
        metrics: Values of the last epoch, nats per image and seconds.
        diverged: Epoch after which a parameter or a metric was not finite, or none.
        error: Why it failed, or "".
        pack_size: How many members trained together.
        pruned: Epoch at which a search gave it up, or none.
        dataset_content: What its images were made from, where that can differ, or "".
        experiment: Name of the experiment that its run is in, which is that of a sweep.
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
    dataset_content: str = ""
    experiment: str = ""

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do, divergence included; not so where the last epoch is missing."""
        text = self.member.cell.params.get("epochs", "") if self.member is not None else ""
        if self.diverged is None and not text.isdecimal():
            return False
        return is_whole(self.status, self.diverged, self.epoch, int(text) if text.isdecimal() else None)

    @property
    def state(self) -> str:
        """How it stands: `COUNTED` or one of the `STATES` of `trainables.store.member_state`."""
        return member_state(
            self.status,
            is_diverged=self.diverged is not None,
            is_pruned=self.pruned is not None,
            is_at_end=self.is_finished,
            is_finite=all(math.isfinite(value) for value in self.metrics.values()),
        )

    @property
    def result(self) -> Mapping[str, float] | None:
        """The metrics of the last epoch that count in means; none where it has not finished or diverged."""
        return self.metrics if self.state == COUNTED else None

    @property
    def has_failed(self) -> bool:
        """Whether it ended with an error, or was stopped by hand; not so where a search gave it up."""
        return self.state == FAILED


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
        from mlflow import MlflowClient

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
        import requests
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        uri, shown = self.home.tracking_uri, self.home.shown_uri
        path = self.home.sqlite_path
        if path is not None and path.exists() and not path.is_file():
            raise StoreError(f"tracking store {shown} cannot be used: {path} is no regular file")
        try:
            if self.home.is_server:
                requests.get(f"{uri.rstrip('/')}/health", timeout=_ANSWER_SECONDS).raise_for_status()
            self.client.search_experiments(max_results=1)
        except requests.RequestException as error:
            reason = type(error).__name__ if error.response is None else self.home.redact(str(error))
            raise StoreError(
                f"tracking server {shown} does not answer ({reason}); start it, or name another "
                f"with --tracking-uri or MLFLOW_TRACKING_URI"
            ) from None
        except (MlflowException, SQLAlchemyError, ImportError, ValueError) as error:
            raise self._unusable(error) from None

    def check_readable(self) -> None:
        """See that the store is there and can be read: a database as `members` reads it, without MLflow.

        Raises:
            StoreError: If it is not, or cannot.
        """
        if self.home.is_server:
            self.check()
            return
        try:
            with opened(self.home.tracking_uri) as database:
                is_there = database is not None
        except (DatabaseError, ImportError, ValueError) as error:
            raise self._unusable(error) from None
        if not is_there:
            raise StoreError(
                f"there is no tracking store at {self.home.shown_uri} yet; catsweep run makes it, and --home "
                "or --tracking-uri names another"
            )

    def members(self) -> dict[str, StoredMember]:
        """Return every member in the store by its hash, whichever sweep ran it.

        Of several runs of one member the one that `trainables.store.member_state.precedence` says counts.

        Raises:
            StoreError: If the store does not answer.
        """
        best: dict[str, tuple[tuple[int, int, int, str], StoredMember]] = {}
        read_member = MemberReader()
        for record in self._records():
            if record.tags.get(TAG_SCHEMA_VERSION) != SCHEMA_VERSION:
                continue
            if _count(record.tags.get(TAG_DIVERGED, "0")) is None:
                continue  # not after the schema, hence no member for analysis either
            stored = _stored_member(record, read_member)
            key = stored.member.hash if stored.member else record.tags.get(TAG_MEMBER)
            if key is None:
                continue
            times = (record.start_time, record.end_time)
            rank = precedence(record.status, *times, record.run_id, whole=stored.is_finished)
            if key not in best or rank > best[key][0]:
                best[key] = (rank, stored)
        return {key: stored for key, (_, stored) in best.items()}

    def declared(self) -> list[OwnEstimator | OwnDataset]:
        """Return the estimators and data sets of users that members of this store were trained with.

        Neither code nor images are there: it is enough to name their cells, as last declared, and to look at
        results.

        Raises:
            StoreError: If the store does not answer.
        """
        declared: dict[str, tuple[int, OwnEstimator]] = {}
        data: dict[str, tuple[int, OwnDataset]] = {}
        for record in self._records():
            start = record.start_time or 0
            own = _own_data(record.params)
            if own is not None and (own.name not in data or start >= data[own.name][0]):
                data[own.name] = start, own
            text = record.tags.get(TAG_ESTIMATOR)
            if not text:
                continue
            try:
                entry = OwnEstimator.from_plain(json.loads(text))
            except ValueError:  # anybody can have set it
                continue
            if entry.name not in declared or start >= declared[entry.name][0]:
                declared[entry.name] = start, entry
        return [*(entry for _, entry in declared.values()), *(entry for _, entry in data.values())]

    def _records(self) -> Iterable[RunRecord]:
        if self.home.is_server:
            self.check()
        try:
            return read_records(self.home.tracking_uri, tuple(METRIC))
        except (DatabaseError, ImportError, ValueError) as error:
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> StoreError:
        reason = self.home.redact(reason_of(error))
        return StoreError(f"tracking store {self.home.shown_uri} cannot be used: {reason}")


def _own_data(params: Mapping[str, str]) -> OwnDataset | None:
    """Return which data set of a user's a run saw, as far as its params say it."""
    name, version = params.get("dataset"), params.get("dataset_version")
    if not name or not version:
        return None
    try:
        return OwnDataset(name, version, image_shape_of(params))
    except ValueError:  # anybody can have set it
        return None


def _stored_member(record: RunRecord, read_member: MemberReader) -> StoredMember:
    try:
        member = read_member(record.params)
    except ValueError:
        member = None
    values = record.metrics
    return StoredMember(
        member=member,
        run_id=record.run_id,
        status=record.status,
        epoch=max((value.step for value in values.values()), default=0),
        metrics={name: value.value for name, value in values.items()},
        diverged=_count(record.tags.get(TAG_DIVERGED, "")),
        error=record.tags.get(TAG_ERROR, ""),
        pack_size=_count(record.tags.get(TAG_PACK_SIZE, "")) or 1,
        pruned=_count(record.tags.get(TAG_PRUNED, "")),
        dataset_content=record.tags.get(TAG_DATASET_CONTENT, ""),
        experiment=record.experiment,
    )


def _count(tag: str) -> int | None:
    """Return the number that a tag holds, which anybody can have set; none where it is no count of ours."""
    return int(tag) if tag.isdecimal() and len(tag) <= _MOST_DIGITS else None
