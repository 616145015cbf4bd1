"""Cells and members: params that have a content hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from trainables.schema.params import CELL_PARAMS, DEFAULTS, format_own, format_param, integers_in, own_names
from trainables.schema.tags import SCHEMA_VERSION

_CANONICAL = json.JSONEncoder(sort_keys=True)
_ANY_SEED = "<any seed>"


def _canonical_text(params: Mapping[str, str]) -> str:
    own = own_names(params)  # which is never left out, even if a later version has a param of that name
    nameless = {"dataset"} if "dataset_version" in params else set()  # its content says which it is
    stated = {
        name: value
        for name, value in params.items()
        if name in own or (DEFAULTS.get(name) != value and name not in nameless)
    }
    return _CANONICAL.encode({"schema_version": SCHEMA_VERSION, "params": stated})


def _content_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Cell:
    """One setting of everything but the seed.

    Args:
        items: The params that apply, canonical strings, in the order of `CELL_PARAMS`.
        note: Why the cell is there, where it is no ordinary one; not part of its identity.
        label: What rows of tables call it in place of its estimator's name; not part of its identity.
    """

    items: tuple[tuple[str, str], ...]
    note: str = field(default="", compare=False)
    label: str = field(default="", compare=False)

    @classmethod
    def from_params(cls, params: Mapping[str, object], note: str = "", label: str = "") -> Cell:
        """Build a cell from params in any order and form; params that no cell has are left out.

        Raises:
            ValueError: If a value is not of its param's type.
        """
        own = own_names(params)
        items = [
            (name, (format_own if name in own else format_param)(name, params[name]))
            for name in dict.fromkeys((*CELL_PARAMS, *own))
            if params.get(name) is not None
        ]
        return cls(tuple(items), note, label)

    @property
    def params(self) -> dict[str, str]:
        """The params as a dictionary."""
        return dict(self.items)

    @cached_property
    def hash(self) -> str:
        """Content hash: equal for equal params, whatever the sweep, the resources or the note."""
        return _content_hash(_canonical_text(self.params))

    @cached_property
    def _around_seed(self) -> tuple[str, str]:
        """The text that a member's hash is of, up to the seed's digits and after them."""
        before, _, after = _canonical_text({**self.params, "seed": _ANY_SEED}).partition(_ANY_SEED)
        return before, after

    @property
    def estimator(self) -> str:
        """The estimator's id."""
        return self.params["estimator"]

    @property
    def measured_epochs(self) -> tuple[int, ...]:
        """The epochs after which the estimator is judged; none where the task does not."""
        return integers_in(self.params.get("measured_epochs", ""))

    @property
    def latent(self) -> str:
        """The latent as written in the papers, categories x variables, for example 8x4."""
        params = self.params
        return f"{params['categorical_dim']}x{params['latent_dim']}"


@dataclass(frozen=True)
class Member:
    """One cell with one seed; it becomes one MLflow run."""

    cell: Cell
    seed: int

    @classmethod
    def from_params(cls, params: Mapping[str, object], cell: Cell | None = None) -> Member:
        """Build a member from the params of a run, and from its cell where that is known.

        Raises:
            ValueError: If the seed is missing or a value is not of its param's type.
        """
        if params.get("seed") is None:
            raise ValueError("a member must have a seed")
        return cls(cell or Cell.from_params(params), int(format_param("seed", params["seed"])))

    @property
    def params(self) -> dict[str, str]:
        """The cell's params and the seed."""
        return {**self.cell.params, "seed": str(self.seed)}

    @cached_property
    def hash(self) -> str:
        """Content hash over every param and the schema version."""
        before, after = self.cell._around_seed
        return _content_hash(f"{before}{self.seed}{after}")


@dataclass(frozen=True)
class CellRequest:
    """A cell that a spec asks for, with the seeds it wants of it."""

    cell: Cell
    seeds: tuple[int, ...]

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """One member for every seed."""
        return tuple(Member(self.cell, seed) for seed in self.seeds)
