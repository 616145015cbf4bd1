"""The members that a table asks for: what became of each, and the values that count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from analysis.runs.frame import Resolved
from analysis.tables.member_states import member_states
from trainables.schema import CellRequest
from trainables.store.member_state import COUNTED


def merged(requests: Iterable[CellRequest]) -> list[CellRequest]:
    """Join requests of the same cell under the same note, so that every row is shown once."""
    merged: dict[tuple[str, str], CellRequest] = {}
    for request in requests:
        key = (request.cell.hash, request.cell.note)
        seen = merged.get(key, CellRequest(request.cell, ()))
        merged[key] = CellRequest(seen.cell, tuple(dict.fromkeys((*seen.seeds, *request.seeds))))
    return list(merged.values())


def wanted_members(resolved: Resolved, wanted: Sequence[CellRequest], metric: str) -> pd.DataFrame:
    """Return one row per wanted member: which request it is of (`row`), its state, its value if it counts.

    Args:
        resolved: What `resolve_duplicates` gives, with the metric.
        wanted: The cells and seeds wanted, each cell once.
        metric: The metric of which the value is.
    """
    pairs = [(row, member.hash) for row, request in enumerate(wanted) for member in request.members]
    members = pd.DataFrame(pairs, columns=["row", "member"]).astype({"row": "int64", "member": "str"})
    members = members.merge(resolved.runs, on="member", how="left")
    members["state"] = member_states(members, metric)
    members["num_finished"] = members["member"].map(resolved.duplicates).fillna(1)
    members["value"] = members[metric].where(members["state"] == COUNTED)
    return members


def dataset_contents(members: pd.DataFrame) -> dict[str, list[str]]:
    """Return what data sets were made from for the members whose values count, by name, where runs say so.

    Args:
        members: A frame of `wanted_members`.
    """
    counted = members.dropna(subset=["value", "dataset", "dataset_content"])
    return {
        str(name): sorted(set(contents)) for name, contents in counted.groupby("dataset")["dataset_content"]
    }


def counted_values(members: pd.DataFrame, num_rows: int) -> list[pd.Series[float]]:
    """Return the values that count, by seed, row by row of the table.

    Args:
        members: A frame of `wanted_members`.
        num_rows: How many requests it is of.
    """
    counted = members.dropna(subset=["value"]).astype({"seed": "int64"}).set_index("seed")
    groups = dict(iter(counted.groupby("row")["value"]))
    empty = pd.Series([], dtype="float64")
    return [groups.get(row, empty) for row in range(num_rows)]
