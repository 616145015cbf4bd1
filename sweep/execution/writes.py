"""What is written to the tracking store: each write as data, so that it can wait and be repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import ClassVar, Literal

MetricRow = tuple[str, float, int, int]
"""Name, value, milliseconds since 1970 and step. Rows that are equal in all four are one row in the store."""


@dataclass(frozen=True, kw_only=True)
class _Write:
    """One write. To repeat it changes nothing; of several, the order counts."""

    kind: ClassVar[str]

    @property
    def touched_members(self) -> tuple[str, ...]:
        """Hashes of the members that it is of."""
        return ()

    @property
    def needed_by(self) -> tuple[str, ...]:
        """Hashes of the members whose numbers would be incomplete without it."""
        return self.touched_members


@dataclass(frozen=True, kw_only=True)
class _MemberWrite(_Write):
    member: str
    """Its hash."""

    @property
    def touched_members(self) -> tuple[str, ...]:
        return (self.member,)


@dataclass(frozen=True, kw_only=True)
class StartMember(_MemberWrite):
    """A member is in training: it has a run with its params, under its cell; `rows` is what it gave since.

    `dataset_content` is that of `ImageDataset`, `code` what trains it, `place` as for `LogMetrics`, and
    `estimator` the declaration, as JSON, of one that does not ship.
    """

    kind = "start"
    params: dict[str, str]
    note: str
    pack_size: int
    dataset_content: str = ""
    code: str = ""
    estimator: str = ""
    place: Mapping[str, str] = field(default_factory=dict)
    rows: tuple[MetricRow, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LogMetrics(_MemberWrite):
    """What epochs gave; `place` is, in tags, the processor and machine that train, where that is news."""

    kind = "metrics"
    place: Mapping[str, str] = field(default_factory=dict)
    rows: tuple[MetricRow, ...]


@dataclass(frozen=True, kw_only=True)
class LogPicture(_MemberWrite):
    """What a member has learned, as a PNG."""

    kind = "picture"
    png: bytes

    @property
    def needed_by(self) -> tuple[str, ...]:
        """Nobody: a picture holds no numbers."""
        return ()


@dataclass(frozen=True, kw_only=True)
class FinishMember(_MemberWrite):
    """A member is done; `diverged` is the epoch after which a parameter or a metric was not finite."""

    kind = "finish"
    end_ms: int
    diverged: int | None


@dataclass(frozen=True, kw_only=True)
class FailMember(_MemberWrite):
    """A member ended with an error."""

    kind = "fail"
    end_ms: int
    error: str


@dataclass(frozen=True, kw_only=True)
class PruneMember(_MemberWrite):
    """A search gave a member up after an epoch."""

    kind = "prune"
    end_ms: int
    epoch: int


@dataclass(frozen=True, kw_only=True)
class WriteCell(_Write):
    """A cell's means over its seeds; a metric of its run that is not in `values` is no longer defined."""

    kind = "cell"
    params: dict[str, str]
    note: str
    time_ms: int
    values: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class ForgetPack(_Write):
    """The store holds all of a pack: its checkpoints may go, unless a write of a member was refused."""

    kind = "forget"
    pack: str
    members: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class EndSweep(_Write):
    """The driver is done; `status` is MLflow's."""

    kind = "end"
    status: Literal["FINISHED", "KILLED"]


Write = (
    StartMember
    | LogMetrics
    | LogPicture
    | FinishMember
    | FailMember
    | PruneMember
    | WriteCell
    | ForgetPack
    | EndSweep
)

_FAR = 200
"""How many writes ahead the metrics of a member may wait to be sent with its start."""


def joined(writes: Sequence[Write]) -> tuple[StartMember, int] | None:
    """Return the first of the writes with the next of its member in it, and where that one is.

    None where the first is no start of a member, or no metrics of the member are next. In a batch with the
    params, metrics cost MLflow's client half of what they cost in one of their own.
    """
    first = writes[0]
    if not isinstance(first, StartMember):
        return None
    for index, write in enumerate(islice(writes, 1, _FAR), 1):
        if first.member in write.touched_members:
            if not isinstance(write, LogMetrics):
                return None
            rows, place = (*first.rows, *write.rows), write.place or first.place
            return replace(first, rows=rows, place=place), index
    return None
