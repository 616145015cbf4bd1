"""What is written to the tracking store: each write as data, so that it can wait on disk and be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

MetricRow = tuple[str, float, int, int]
"""Name, value, milliseconds since 1970 and step. Rows that are equal in all four are one row in the store."""


class _Write(BaseModel):
    """One write. To repeat it changes nothing; of several, the order counts."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_inf_nan="constants",
        ser_json_bytes="base64",
        val_json_bytes="base64",
    )

    @property
    def touched_members(self) -> tuple[str, ...]:
        """Hashes of the members that it is of."""
        return ()

    @property
    def needed_by(self) -> tuple[str, ...]:
        """Hashes of the members whose numbers would be incomplete without it."""
        return self.touched_members


class _MemberWrite(_Write):
    member: str
    """Its hash."""

    @property
    def touched_members(self) -> tuple[str, ...]:
        return (self.member,)


class StartMember(_MemberWrite):
    """A member is in training: it has a run with its params, under its cell; `rows` is what it gave since.

    `dataset_content` is that of `ImageDataset`, `code` what trains it, `device` as for `LogMetrics`, and
    `estimator` the declaration, as JSON, of one that does not ship.
    """

    kind: Literal["start"] = "start"
    params: dict[str, str]
    note: str
    pack_size: int
    dataset_content: str = ""
    code: str = ""
    estimator: str = ""
    device: str = ""
    rows: tuple[MetricRow, ...] = ()


class LogMetrics(_MemberWrite):
    """What epochs gave; `device` is the processor that trains the member, where that is news."""

    kind: Literal["metrics"] = "metrics"
    device: str = ""
    rows: tuple[MetricRow, ...]


class LogPicture(_MemberWrite):
    """What a member has learned, as a PNG."""

    kind: Literal["picture"] = "picture"
    png: bytes

    @property
    def needed_by(self) -> tuple[str, ...]:
        """Nobody: a picture holds no numbers."""
        return ()


class FinishMember(_MemberWrite):
    """A member is done; `diverged` is the epoch after which a parameter or a metric was not finite."""

    kind: Literal["finish"] = "finish"
    end_ms: int
    diverged: int | None


class FailMember(_MemberWrite):
    """A member ended with an error."""

    kind: Literal["fail"] = "fail"
    end_ms: int
    error: str


class PruneMember(_MemberWrite):
    """A search gave a member up after an epoch."""

    kind: Literal["prune"] = "prune"
    end_ms: int
    epoch: int


class WriteCell(_Write):
    """A cell's means over its seeds; a metric of its run that is not in `values` is no longer defined."""

    kind: Literal["cell"] = "cell"
    params: dict[str, str]
    note: str
    time_ms: int
    values: dict[str, float]


class ForgetPack(_Write):
    """The store holds all of a pack: its checkpoints may go, unless a write of a member was refused."""

    kind: Literal["forget"] = "forget"
    pack: str
    members: tuple[str, ...]


class EndSweep(_Write):
    """The driver is done; `status` is MLflow's."""

    kind: Literal["end"] = "end"
    status: Literal["FINISHED", "KILLED"]


Write = Annotated[
    StartMember
    | LogMetrics
    | LogPicture
    | FinishMember
    | FailMember
    | PruneMember
    | WriteCell
    | ForgetPack
    | EndSweep,
    Field(discriminator="kind"),
]
WRITE: TypeAdapter[Write] = TypeAdapter(Write)
"""Reads a write from JSON."""

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
            news = {"rows": (*first.rows, *write.rows), "device": write.device or first.device}
            return first.model_copy(update=news), index
    return None
