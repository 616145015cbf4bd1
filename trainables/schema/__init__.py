"""The run schema: every name and string form that the tracking store holds, shared by writer and reader.

Standard library only, so that analysis can read a store where neither torch nor ray is installed.
Change a name or the meaning of a hash, and `SCHEMA_VERSION` goes up.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from itertools import count

SCHEMA_VERSION = "1"

TAG_KIND = "catsweep.kind"
TAG_SCHEMA_VERSION = "catsweep.schema_version"
TAG_MEMBER = "catsweep.member"
TAG_CELL = "catsweep.cell"
TAG_DIVERGED = "catsweep.diverged"
TAG_PRUNED = "catsweep.pruned"
TAG_ERROR = "catsweep.error"
TAG_NOTE = "catsweep.note"
TAG_PACK_SIZE = "catsweep.pack_size"
TAG_DATASET_CONTENT = "catsweep.dataset_content"
TAG_CODE = "catsweep.code"
TAG_DEVICE = "catsweep.device"
"""Of a member's run: version, hash and commit of the code that trained it, of all where it was several."""
TAG_ESTIMATOR = "catsweep.estimator"
"""Of a member's run whose estimator does not ship: its declaration, as JSON."""
TAG_PARENT = "mlflow.parentRunId"

KIND_MEMBER = "member"
KIND_CELL = "cell"
KIND_SWEEP = "sweep"

SPEC_ARTIFACT = "spec.yaml"
ENVIRONMENT_ARTIFACT = "environment.json"
PICTURES_ARTIFACT = "pictures.png"
"""Of a sweep's run: its spec, and what it was made with. Of a member's: test images, their reconstructions,
and samples."""

EPOCH_SECONDS = "epoch_seconds"
MEASUREMENT_SECONDS = "measurement_seconds"
NUM_SEEDS = "num_seeds"


def experiment_names(sweep: str) -> Iterator[str]:
    """Return the names that a sweep's experiment may have, the first that is not deleted being its own.

    MLflow lets no other experiment have the name of one that was deleted.
    """
    yield sweep
    for number in count(2):
        yield f"{sweep} ({number})"


INTEGER_PARAMS = frozenset(
    {
        "task_version",
        "categorical_dim",
        "latent_dim",
        "num_mc_samples",
        "num_samples",
        "num_draws",
        "batch_size",
        "epochs",
        "iterations_per_epoch",
        "seed",
    }
)
FLOAT_PARAMS = frozenset(
    {
        "lr",
        "temperature",
        "temperature_decay",
        "temperature_floor",
        "eta",
        "beta",
        "gap",
        "trained_temperature",
    }
)
TEXT_PARAMS = frozenset(
    {
        "task",
        "dataset",
        "estimator",
        "optimizer",
        "precision",
        "trained_with",
        "measured_epochs",
        "estimator_version",
        "hyperparameters",
    }
)
CELL_PARAMS = (
    "task",
    "task_version",
    "dataset",
    "estimator",
    "categorical_dim",
    "latent_dim",
    "optimizer",
    "lr",
    "temperature",
    "eta",
    "beta",
    "num_mc_samples",
    "gap",
    "num_samples",
    "temperature_decay",
    "temperature_floor",
    "batch_size",
    "epochs",
    "iterations_per_epoch",
    "precision",
    "trained_with",
    "trained_temperature",
    "measured_epochs",
    "num_draws",
    "estimator_version",
    "hyperparameters",
)
"""The last two are of estimators that do not ship: which code it is, and the names, joined by commas, of
hyperparameters that no other estimator has. These are params too, of the names that it gives them."""
MEMBER_PARAMS = (*CELL_PARAMS, "seed")

DEFAULTS: Mapping[str, str] = {
    "task_version": "1",
    "temperature": "1.0",
    "eta": "1.0",
    "beta": "0.5",
    "num_mc_samples": "100",
    "gap": "1.0",
    "num_samples": "2",
    "temperature_decay": "0.0",
    "temperature_floor": "0.0",
    "batch_size": "100",
    "precision": "float32",
}
"""What a param that a run does not state counts as. A hash leaves out params at these values, so that a run
that states a default and one that leaves it out are the same member. Never change one."""

_INTEGER = re.compile(r"-?\d{1,18}")
_MOST_DIGITS = 4000
"""Of an integer; Python reads no longer ones."""


def format_param(name: str, value: object) -> str:
    """Return the canonical string of a param: the shortest form that reads back as the same number.

    Args:
        name: Name of the param; it decides whether the value is text, an integer or a float.
        value: A number, or a string in any form of that number ("7e-4").
    Raises:
        ValueError: If the value is not of the param's type.
    """
    try:
        if name in INTEGER_PARAMS:
            number = Decimal(str(value))
            if number.adjusted() > _MOST_DIGITS or number != number.to_integral_value():
                raise ValueError  # before a few characters become gigabytes of digits
            return str(int(number))
        if name in FLOAT_PARAMS:
            return repr(float(str(value)))
        if name == "measured_epochs":
            _integers(str(value))
    except (ValueError, ArithmeticError):
        kinds = dict.fromkeys(INTEGER_PARAMS, "an integer") | {"measured_epochs": "integers with commas"}
        kind = kinds.get(name, "a number")
        raise ValueError(f"{name} must be {kind}, got {value!r}") from None
    return str(value)


def own_names(params: Mapping[str, object]) -> tuple[str, ...]:
    """Return the names of the hyperparameters that a user's estimator has and the schema does not."""
    return tuple(filter(None, str(params.get("hyperparameters") or "").split(",")))


def format_own(name: str, value: object) -> str:
    """Return the canonical string of a user's hyperparameter: an integer's digits, else as a float's.

    Raises:
        ValueError: If it is no finite number.
    """
    text = str(value)
    if _INTEGER.fullmatch(text):
        return str(int(text))
    try:
        number = float(text)
        if not math.isfinite(number):
            raise ValueError
    except ValueError:
        raise ValueError(f"{name} must be a finite number, got {value!r}") from None
    return repr(number)


def _integers(text: str) -> tuple[int, ...]:
    return tuple(map(int, filter(None, text.split(","))))


_CANONICAL = json.JSONEncoder(sort_keys=True)
_ANY_SEED = "<any seed>"


def _canonical_text(params: Mapping[str, str]) -> str:
    stated = {name: value for name, value in params.items() if DEFAULTS.get(name) != value}
    return _CANONICAL.encode({"schema_version": SCHEMA_VERSION, "params": stated})


def _content_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Cell:
    """One setting of everything but the seed.

    Args:
        items: The params that apply, canonical strings, in the order of `CELL_PARAMS`.
        note: Why the cell is there, where it is no ordinary one; not part of its identity.
    """

    items: tuple[tuple[str, str], ...]
    note: str = field(default="", compare=False)

    @classmethod
    def from_params(cls, params: Mapping[str, object], note: str = "") -> Cell:
        """Build a cell from params in any order and form; params that no cell has are left out.

        Raises:
            ValueError: If a value is not of its param's type.
        """
        items = [
            (name, format_param(name, params[name])) for name in CELL_PARAMS if params.get(name) is not None
        ]
        own = [name for name in own_names(params) if params.get(name) is not None]
        items += [(name, format_own(name, params[name])) for name in own]
        return cls(tuple(items), note)

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
        return _integers(self.params.get("measured_epochs", ""))

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
