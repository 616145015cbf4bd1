"""Params: what a member is, as strings."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal

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
            integers_in(str(value))
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


def integers_in(text: str) -> tuple[int, ...]:
    """Return the integers of a param that is several, joined by commas."""
    return tuple(map(int, filter(None, text.split(","))))
