"""Params: one record for each says all that is known of it, and everything else follows from the records.

A hyperparameter's record is made of its declaration, in `estimators`; those of users' estimators are looked
up when they are asked for, and one that only a store knows has a record too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from types import MappingProxyType

from estimators.hyperparameter import Hyperparameter, Rule
from estimators.registry import SHIPPED_HYPERPARAMETERS, hyperparameters

_MOST_DIGITS = 4000
"""Of an integer; Python reads no longer ones."""
_INTEGER = re.compile(r"-?\d{1,18}")


class Kind(Enum):
    """What the values of a param are, in words that follow "must be"."""

    TEXT = "text"
    INTEGER = "an integer"
    INTEGERS = "integers with commas"
    FLOAT = "a number"
    NUMBER = "a finite number"
    """An integer where it is written as one, else a float: of hyperparameters that do not ship, which are
    read where nobody has declared them."""


@dataclass(frozen=True)
class Param:
    """What is known of a param.

    Args:
        name: Its name in the store, in specs and in tables.
        kind: What its values are.
        default: What a run that does not state it counts as, a canonical string; empty where there is none.
            A hash leaves out params at these values, so that a run that states a default and one that leaves
            it out are the same member. Never change one.
        rule: Which numbers a spec may state; none where another rule says so.
        symbol: What headings call it; its name where there is none.
        label: How a row's label states it, with {} for the value; symbol and value where there is none.
        axis: What an axis of a figure says; empty where it can be no axis.
        is_choosable: Whether it can be chosen of a grid, which makes it a column of every table.
        costs_time: Whether the seconds of a step and the best size of a pack depend on it.
        is_free_in_pack: Whether the members of a pack may differ in it where a task trains its members with
            hyperparameters of their own.
    """

    name: str
    kind: Kind = Kind.TEXT
    default: str = ""
    rule: Rule | None = None
    symbol: str = ""
    label: str = ""
    axis: str = ""
    is_choosable: bool = False
    costs_time: bool = False
    is_free_in_pack: bool = False

    @property
    def heading(self) -> str:
        """What a column is called."""
        return self.symbol or self.name

    @property
    def is_text(self) -> bool:
        """Whether its values are no numbers."""
        return self.kind in (Kind.TEXT, Kind.INTEGERS)

    def labelled(self, value: str) -> str:
        """Return a value as a row's label states it."""
        return (self.label or f"{self.heading} {{}}").replace("{}", value)

    def canonical(self, value: object) -> str:
        """Return a value's string: the shortest form that reads back as the same number.

        Args:
            value: A number, or a string in any form of that number ("7e-4").
        Raises:
            ValueError: If the value is not of the param's kind.
        """
        try:
            return _FORMS[self.kind](str(value))
        except (ValueError, ArithmeticError):
            raise ValueError(f"{self.name} must be {self.kind.value}, got {value!r}") from None


def integers_in(text: str) -> tuple[int, ...]:
    """Return the integers of a param that has several, joined by commas."""
    return tuple(map(int, filter(None, text.split(","))))


def _integer(text: str) -> str:
    number = Decimal(text)
    if number.adjusted() > _MOST_DIGITS or number != number.to_integral_value():
        raise ValueError  # before a few characters become gigabytes of digits
    return str(int(number))


def _integers(text: str) -> str:
    integers_in(text)
    return text


def _number(text: str) -> str:
    if _INTEGER.fullmatch(text):
        return str(int(text))
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return repr(number)


_FORMS: Mapping[Kind, Callable[[str], str]] = {
    Kind.TEXT: str,
    Kind.INTEGER: _integer,
    Kind.INTEGERS: _integers,
    Kind.FLOAT: lambda text: repr(float(text)),
    Kind.NUMBER: _number,
}


def _of_declaration(one: Hyperparameter, kind: Kind) -> Param:
    return Param(
        one.name,
        kind,
        rule=one,
        symbol=one.symbol,
        axis=one.axis or one.symbol or one.name,
        is_choosable=True,
        costs_time=one.is_integer,
        is_free_in_pack=one.is_free_in_pack and not one.is_integer,
    )


def _shipped(one: Hyperparameter) -> Param:
    """Return the record of a hyperparameter of estimators that ship."""
    own = _of_declaration(one, Kind.INTEGER if one.is_integer else Kind.FLOAT)
    return replace(own, default=own.canonical(one.default))


_POSITIVE = Rule(minimum=0, is_minimum_allowed=False)
_NOT_NEGATIVE = Rule(minimum=0)

_PARAMS = (
    Param("task", label="{}", costs_time=True),
    Param("task_version", Kind.INTEGER, "1", label="task version {}"),
    Param("dataset", label="{}", costs_time=True),
    Param("dataset_version", label="data {}", costs_time=True),
    Param("image_shape", default="28x28", label="{}", costs_time=True),
    Param("estimator", label="{}", costs_time=True),
    Param("categorical_dim", Kind.INTEGER, costs_time=True),
    Param("latent_dim", Kind.INTEGER, costs_time=True),
    Param("optimizer", label="{}", axis="optimiser", is_choosable=True, costs_time=True),
    Param("lr", Kind.FLOAT, rule=_POSITIVE, axis="learning rate", is_choosable=True),
    *map(_shipped, SHIPPED_HYPERPARAMETERS.values()),
    Param(
        "temperature_decay", Kind.FLOAT, "0.0", _NOT_NEGATIVE,
        label="τ decay {}", axis="temperature decay", is_choosable=True,
    ),
    Param(
        "temperature_floor", Kind.FLOAT, "0.0", _NOT_NEGATIVE,
        label="τ floor {}", axis="least temperature", is_choosable=True,
    ),
    Param(
        "batch_size", Kind.INTEGER, "100",
        label="batch {}", axis="batch size", is_choosable=True, costs_time=True,
    ),
    Param("encoder", Kind.INTEGERS, label="encoder {}", costs_time=True),
    Param("decoder", Kind.INTEGERS, label="decoder {}", costs_time=True),
    Param("activation", default="relu", label="{}", costs_time=True),
    Param("epochs", Kind.INTEGER, label="{} epochs", axis="epochs"),
    Param("iterations_per_epoch", Kind.INTEGER, label="{} iterations an epoch", costs_time=True),
    Param("precision", default="float32", label="{}", axis="precision", costs_time=True),
    Param("trained_with", label="trained with {}", costs_time=True),
    Param("trained_temperature", Kind.FLOAT, label="at τ {}"),
    Param("measured_epochs", Kind.INTEGERS, label="judged at {}", costs_time=True),
    Param("num_draws", Kind.INTEGER, label="{} draws", costs_time=True),
    Param("estimator_version", label="version {}"),
    Param("hyperparameters", label="with {}"),
    Param("seed", Kind.INTEGER),
)  # fmt: skip
"""In the order of columns. The last before the seed are of estimators that do not ship: which code it is, and
the names, joined by commas, of hyperparameters that no other estimator has. These are params too, of the
names that it gives them."""

NETWORK_PARAMS = ("encoder", "decoder", "activation")
"""What says which networks a member has; left out where they are its task's own (`Task.architecture`)."""
OWN_DATA_PARAMS = ("dataset_version", "image_shape")
"""What says which images a data set of a user's has, by their content: its name is for people."""
PARAMS: Mapping[str, Param] = MappingProxyType({one.name: one for one in _PARAMS})
"""The record of every param of the schema, by its name."""
MEMBER_PARAMS = tuple(PARAMS)
CELL_PARAMS = MEMBER_PARAMS[:-1]
DEFAULTS: Mapping[str, str] = {one.name: one.default for one in _PARAMS if one.default}
"""What a param that a run does not state counts as."""
COST_PARAMS = tuple(one.name for one in _PARAMS if one.costs_time)
CHOOSABLE = tuple(one.name for one in _PARAMS if one.is_choosable)
AXES = tuple(one.name for one in _PARAMS if one.axis)
FREE_IN_PACKS = frozenset(one.name for one in _PARAMS if one.is_free_in_pack)
"""Hyperparameters of estimators that ship in which members may differ that are trained together."""


def param_of(name: str) -> Param:
    """Return the record of a param, of any name.

    What is no param of the schema is a hyperparameter of a user's estimator: as declared, where one is in the
    registry, else with its name for all that there is to say.
    """
    if name in PARAMS:
        return PARAMS[name]
    unknown = Hyperparameter(name, default=math.nan)
    declared = max(hyperparameters(name), key=lambda one: bool(one.symbol), default=unknown)
    return _of_declaration(declared, Kind.NUMBER)


def format_param(name: str, value: object) -> str:
    """Return the canonical string of a param, as `Param.canonical` does; text where it is none of the schema.

    Raises:
        ValueError: If the value is not of the param's kind.
    """
    return PARAMS[name].canonical(value) if name in PARAMS else str(value)


def own_names(params: Mapping[str, object]) -> tuple[str, ...]:
    """Return the names of the hyperparameters that a user's estimator has and the schema does not."""
    return tuple(filter(None, str(params.get("hyperparameters") or "").split(",")))


def format_own(name: str, value: object) -> str:
    """Return the canonical string of a user's hyperparameter: an integer's digits, else as a float's.

    Raises:
        ValueError: If it is no finite number.
    """
    return Param(name, Kind.NUMBER).canonical(value)
