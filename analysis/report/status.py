"""How every cell stands: how many members are in which state, and what is to be said of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.tables.labels import row_labels
from trainables.schema import CellRequest
from trainables.store.member_state import COUNTED, STATES

_NAMES = {COUNTED: "done", **{state: state for state in STATES}}
_SILENT = (COUNTED, "missing")
_MOST_ERRORS = 10
_MANY_CELLS = 40


@dataclass(frozen=True)
class CellStatus:
    """How one cell stands.

    Args:
        label: What the tables call it.
        latent: Its latent.
        counts: Members in each of the status's states.
        remarks: What became of those that are neither done nor missing.
    """

    label: str
    latent: str
    counts: tuple[int, ...]
    remarks: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every member is done."""
        return self.counts[0] == sum(self.counts)


@dataclass(frozen=True)
class Divergence:
    """A member whose loss was not finite any more, and in which epoch."""

    label: str
    latent: str
    seed: int
    epoch: int


@dataclass(frozen=True)
class Status:
    """How a sweep stands.

    Args:
        states: The states that are shown: "done", and those that some member is in.
        totals: Members in each.
        cells: The cells, in the spec's order.
        divergences: Members that diverged.
        errors: Errors in full, each once, with how many members had it.
    """

    states: tuple[str, ...]
    totals: tuple[int, ...]
    cells: tuple[CellStatus, ...]
    divergences: tuple[Divergence, ...]
    errors: tuple[tuple[str, int], ...]

    @property
    def is_long(self) -> bool:
        """Whether there are so many cells that the complete ones had better be folded away."""
        return len(self.cells) > _MANY_CELLS

    @property
    def num_members(self) -> int:
        """How many members are asked for."""
        return sum(self.totals)


def status_of(members: pd.DataFrame, wanted: Sequence[CellRequest]) -> Status:
    """Return how a sweep stands.

    Args:
        members: A frame of `wanted_members` of the metric that tells who is done.
        wanted: The cells and seeds wanted, each cell once.
    """
    found = members["state"].value_counts()
    states = [state for state in _NAMES if state == COUNTED or found.get(state)]
    counts = members.groupby("row")["state"].value_counts().to_dict()
    labels = row_labels([request.cell for request in wanted])
    remarks = _remarks(members, wanted)
    cells = tuple(
        CellStatus(
            labels[row],
            request.cell.latent,
            tuple(counts.get((row, state), 0) for state in states),
            remarks.get(row, ()),
        )
        for row, request in enumerate(wanted)
    )
    errors = members.loc[members["state"] == "failed", "error"].dropna().str.strip().value_counts()
    return Status(
        tuple(_NAMES[state] for state in states),
        tuple(int(found.get(state, 0)) for state in states),
        cells,
        tuple(
            Divergence(labels[row], wanted[row].cell.latent, seed, epoch)
            for row, seed, epoch in _diverged(members)
        ),
        tuple((str(text), int(count)) for text, count in errors.head(_MOST_ERRORS).items()),
    )


def _diverged(members: pd.DataFrame) -> list[tuple[int, int, int]]:
    """Return row, seed and epoch of each member that diverged; the last epoch where no tag names one."""
    rows = members[members["state"] == "diverged"]
    epochs = rows["diverged"].fillna(rows["epochs"])
    return [
        (int(row), int(seed), int(epoch))
        for row, seed, epoch in zip(rows["row"], rows["seed"], epochs, strict=True)
    ]


def _remarks(members: pd.DataFrame, wanted: Sequence[CellRequest]) -> dict[int, tuple[str, ...]]:
    """Return what is said of a cell's members, those of whom the same is said together."""
    seeds: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for member in members[~members["state"].isin(_SILENT)].to_dict("records"):
        seeds[member["row"]][_remark(member, wanted[member["row"]])].append(str(member["seed"]))
    return {
        row: tuple(
            f"{'seed' if len(of) == 1 else 'seeds'} {', '.join(of)}: {text}" for text, of in said.items()
        )
        for row, said in seeds.items()
    }


def _remark(member: Mapping[Hashable, Any], request: CellRequest) -> str:
    epochs = request.cell.params.get("epochs")
    epoch = 0 if pd.isna(member["epoch"]) else member["epoch"]
    match member["state"]:
        case "failed":
            lines = "" if pd.isna(member["error"]) else str(member["error"]).strip()
            return f"failed: {lines.splitlines()[-1]}" if lines else "failed, without saying why"
        case "diverged":
            return f"diverged in epoch {epochs if pd.isna(member['diverged']) else member['diverged']}"
        case "pruned":
            return f"given up by the search after epoch {member['pruned']}"
        case "running":
            return f"running, epoch {epoch} of {epochs}"
        case _:
            return f"finished without a value at epoch {epochs}"
