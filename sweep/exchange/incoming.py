"""Members that want to come into a store, from a table of `trainables.store.member_file`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trainables.schema import CELL_PARAMS, Cell, Member, format_param, own_names
from trainables.store.member_file import EPOCH, LEADING, MemberFileError, params_in, typed
from trainables.task_registry import METRIC

if TYPE_CHECKING:
    import pyarrow as pa

Point = tuple[int, str, float]
"""Epoch, metric and value."""

_STATUSES = ("FINISHED", "FAILED", "KILLED", "RUNNING", "SCHEDULED")
_METRIC_NAME = re.compile(r"[A-Za-z][\w ./-]{0,249}")
_LARGEST = 2**53
_NO_EPOCH = -(2**62)
_MOST_TEXT = 4000


@dataclass(frozen=True, eq=False)
class IncomingMember:
    """A member with all that its run said.

    Args:
        member: The member, from its params.
        leading: The other columns of `trainables.store.member_file.LEADING` that are stated.
        epochs: Its epochs, ascending.
        numbers: Of every metric its name, whether it was logged at each of the epochs, and its values.
    """

    member: Member
    leading: Mapping[str, Any]
    epochs: npt.NDArray[np.int64]
    numbers: Sequence[tuple[str, npt.NDArray[np.bool_], npt.NDArray[np.float64]]]

    @property
    def points(self) -> tuple[Point, ...]:
        """Every metric of every epoch, in order."""
        listed = [(name, is_there.tolist(), values.tolist()) for name, is_there, values in self.numbers]
        return tuple(
            (epoch, name, values[row])
            for row, epoch in enumerate(self.epochs.tolist())
            if epoch != _NO_EPOCH
            for name, is_there, values in listed
            if is_there[row]
        )

    @property
    def status(self) -> str:
        """MLflow's status of its run."""
        return str(self.leading["status"])

    @property
    def diverged(self) -> int | None:
        """The epoch after which it was not finite, or none."""
        return self.leading.get("diverged")

    @property
    def last_epoch(self) -> int:
        """The last epoch with a metric, 0 where there is none."""
        return max(int(self.epochs[-1]), 0)

    @property
    def is_finished(self) -> bool:
        """Whether nothing of it is left to train, as `sweep.store.store.StoredMember` has it."""
        is_whole = self.last_epoch >= int(self.member.cell.params.get("epochs", "0"))
        return self.status == "FINISHED" and (is_whole or self.diverged is not None)


def incoming_members(table: pa.Table, source: str) -> Iterator[IncomingMember]:
    """Yield the members of a table, each checked.

    Args:
        table: Rows of one member need not be together, and epochs need not be in order.
        source: Where it comes from, for messages.
    Raises:
        MemberFileError: If a row says of its member something else than another row or than its own params,
            has an epoch twice, or a value that no store holds.
    """
    params = params_in(table)
    names = [name for name in table.column_names if name in (*LEADING, *params)]
    metrics = [name for name in table.column_names if name not in (*names, EPOCH)]
    for name in metrics:
        if not _METRIC_NAME.fullmatch(name):
            raise MemberFileError(f"{source}: {name!r} is no name of a metric")
    table = typed(table)
    codes = {name: _codes(table.column(name)) for name in names}
    ids = _ids([codes[name] for name in names if name in params], table.num_rows)
    epochs = table.column(EPOCH).fill_null(_NO_EPOCH).to_numpy()
    order = np.lexsort((epochs, ids))
    ids, epochs, table = ids[order], epochs[order], table.take(order)
    starts = np.flatnonzero(np.diff(ids, prepend=-1))
    ends = np.append(starts, len(ids))[1:]
    for name, values in codes.items():
        if not np.array_equal(values[order], np.repeat(values[order][starts], ends - starts)):
            raise MemberFileError(f"{source}: rows of one member have several values of {name}")
    _check_epochs(ids, epochs, source)
    leading = table.select(names).take(starts).to_pylist()
    columns = [(name, table.column(name)) for name in metrics]
    numbers = [(name, one.is_valid().to_numpy(), one.fill_null(0.0).to_numpy()) for name, one in columns]
    cells: dict[tuple[Any, ...], Cell] = {}
    seen: set[str] = set()
    for row, start, end in zip(leading, starts, ends, strict=True):
        stated = {name: value for name, value in row.items() if value is not None}
        member = _member(stated, source, cells)
        if member.hash in seen:
            raise MemberFileError(f"{source}: member {member.hash} is there twice, in two forms")
        seen.add(member.hash)
        part = slice(start, end)
        own = [(name, is_there[part], values[part]) for name, is_there, values in numbers]
        yield IncomingMember(member, stated, epochs[part], own)


def _codes(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return a number for each value, the same for equal ones."""
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), np.int64)


def _ids(codes: Sequence[npt.NDArray[np.int64]], count: int) -> npt.NDArray[np.int64]:
    """Return a number for each row, the same where all codes are the same."""
    ids = np.zeros(count, np.int64)
    for one in codes:
        if one.any():
            ids = np.unique(ids * (one.max() + 1) + one, return_inverse=True)[1].reshape(-1)
    return ids


def _check_epochs(ids: npt.NDArray[np.int64], epochs: npt.NDArray[np.int64], source: str) -> None:
    """See that epochs, ascending in each member, are not negative and each there once."""
    is_next = (np.diff(ids) == 0) & ((np.diff(epochs) == 0) | (epochs[:-1] == _NO_EPOCH))
    if is_next.any():
        epoch = int(epochs[1:][is_next][0])
        raise MemberFileError(f"{source}: a member has epoch {epoch} twice, or a row without one")
    wrong = epochs[(epochs != _NO_EPOCH) & ((epochs < 0) | (epochs > _LARGEST))]
    if len(wrong):
        raise MemberFileError(f"{source}: an epoch must be from 0 to 2^53, got {wrong[0]}")


def _member(row: Mapping[str, Any], source: str, cells: dict[tuple[Any, ...], Cell]) -> Member:
    key = tuple((name, row.get(name)) for name in (*CELL_PARAMS, *own_names(row)))
    try:
        cell = cells.setdefault(key, cells.get(key) or Cell.from_params(row, row.get("note", "")))
        member = Member(cell, int(format_param("seed", row.get("seed"))))
        _ = cell.latent, cell.estimator, int(cell.params["epochs"])
    except (ValueError, KeyError) as error:
        reason = f"no {error.args[0]}" if isinstance(error, KeyError) else error
        raise MemberFileError(f"{source}: a row is of no member ({reason})") from None
    for name, hashed in (("member", member.hash), ("cell", cell.hash)):
        if row.get(name, hashed) != hashed:
            raise MemberFileError(
                f"{source}: a row's params are those of {name} {hashed}, and it says {row[name]}"
            )
    if row.get("status") not in _STATUSES:
        raise MemberFileError(
            f"{source}: status of member {member.hash} must be one of {', '.join(_STATUSES)}, "
            f"got {row.get('status')!r}"
        )
    for name, value in row.items():
        if isinstance(value, int) and not 0 <= value <= _LARGEST:
            raise MemberFileError(f"{source}: {name} of member {member.hash} must be >= 0, got {value}")
        if isinstance(value, str) and len(value) > _MOST_TEXT:
            raise MemberFileError(f"{source}: {name} of member {member.hash} is over {_MOST_TEXT} characters")
    return member


def different_metrics(one: IncomingMember, other: IncomingMember) -> list[str]:
    """Return the metrics in which two results of one member differ; how long it took is no difference."""
    mine, theirs = _numbers(one), _numbers(other)
    return [name for name in dict.fromkeys((*mine, *theirs)) if mine.get(name) != theirs.get(name)]


def _numbers(one: IncomingMember) -> dict[str, dict[int, float | None]]:
    """Return the values that a member's params decide, by metric and epoch; NaN is none."""
    found: dict[str, dict[int, float | None]] = {}
    for epoch, name, value in one.points:
        if not (METRIC[name].unit == "seconds" if name in METRIC else name.endswith("_seconds")):
            found.setdefault(name, {})[epoch] = None if math.isnan(value) else value
    return found
