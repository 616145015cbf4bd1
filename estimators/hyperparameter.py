"""Hyperparameters of estimators: one rule each, applied to function arguments and to specs alike."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a spec needs the rules alone, and torch takes seconds to import
    import torch


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The values that a number may take.

    Args:
        minimum: Smallest value; none means any finite number.
        is_minimum_allowed: Whether the minimum itself may be used.
        is_integer: Whether only whole numbers are allowed.
    """

    minimum: float | None = None
    is_minimum_allowed: bool = True
    is_integer: bool = False

    @property
    def rule(self) -> str:
        """What is allowed, in words that follow "must be"."""
        kind = "an integer" if self.is_integer else ""
        if self.minimum is None:
            return kind or "finite"
        bound = f"{'>=' if self.is_minimum_allowed else '>'} {self.minimum:g}"
        return f"{kind} {bound}".strip()

    def allows(self, value: float) -> bool:
        """Say whether the number keeps the rule."""
        if isinstance(value, bool) or not math.isfinite(value) or (self.is_integer and value != int(value)):
            return False
        if self.minimum is None:
            return True
        return value >= self.minimum if self.is_minimum_allowed else value > self.minimum


@dataclass(frozen=True)
class Hyperparameter(Rule):
    """A named number with the values it may take: all that is said of it, anywhere.

    Keys of specs, params, columns, labels, axes and packs follow from it (`trainables.schema.params`). A
    whole number is a count: it costs time, and the members of a pack share it.

    Args:
        name: Argument name, key of a spec, and the param's name in a store.
        default: Value where none is given. Of one that ships it never changes: members at it leave it out of
            their hashes.
        symbol: What labels and headings call it, for example "κ"; its name where there is none.
        axis: What an axis of a figure says, for example "samples N"; the symbol where there is nothing else.
        is_free_in_pack: Whether the members of a pack may differ in it.
    """

    name: str
    default: float
    symbol: str = ""
    axis: str = ""
    is_free_in_pack: bool = True

    def number(self, value: float | str) -> float:
        """Return a stored value as the number that the estimator takes."""
        return int(value) if self.is_integer else float(value)

    def checked(self, value: float | torch.Tensor, logits: torch.Tensor) -> float | torch.Tensor:
        """Return the value, a number as Python's own, or raise if it breaks the rule.

        The values of a tensor on an accelerator are not looked at, since that would wait for the device, nor
        are those of a program that is being traced, which has none yet.

        Args:
            value: A number, NumPy's included; or a tensor that broadcasts to (..., 1, 1), one value for each
                leading index.
            logits: What the value is for, shape (..., L, C).

        Raises:
            ValueError: If a number breaks the rule, or a tensor does not broadcast to (..., 1, 1) or
                requires a gradient.
        """
        import torch

        if isinstance(value, torch.Tensor) and not self.is_integer:
            self._check_tensor(value, logits)
            return value
        is_number = isinstance(value, numbers.Integral if self.is_integer else numbers.Real)
        if not is_number or not self.allows(value):  # type: ignore[arg-type]
            raise ValueError(f"{self.name} must be {self.rule}, got {value!r}")
        return self.number(value)  # type: ignore[arg-type]

    def _check_tensor(self, value: torch.Tensor, logits: torch.Tensor) -> None:
        import torch

        leading = logits.shape[:-2]
        if not _broadcasts(value.shape, torch.Size((*leading, 1, 1))):
            raise ValueError(
                f"{self.name} must be a number or broadcast to {(*leading, 1, 1)}, "
                f"got shape {tuple(value.shape)}"
            )
        if value.requires_grad and torch.is_grad_enabled():
            raise ValueError(
                f"{self.name} must not require a gradient, since no estimator gives it one; pass "
                f"{self.name}.detach()"
            )
        if value.device.type == "cpu" and not torch.compiler.is_compiling():
            # Of a tensor that torch.func wraps the values are those of all its elements.
            for number in torch.func.debug_unwrap(value).flatten().tolist():
                if not self.allows(number):
                    raise ValueError(f"{self.name} must be {self.rule}, got {number!r}")


def _broadcasts(shape: torch.Size, target: torch.Size) -> bool:
    import torch

    try:
        return bool(torch.broadcast_shapes(shape, target) == target)  # type: ignore[no-untyped-call]
    except RuntimeError:
        return False


TEMPERATURE = Hyperparameter(
    "temperature", default=1.0, minimum=0.0, is_minimum_allowed=False, symbol="τ", axis="temperature τ"
)
ETA = Hyperparameter("eta", default=1.0, symbol="η")
BETA = Hyperparameter("beta", default=0.5, symbol="β")
NUM_MC_SAMPLES = Hyperparameter(
    "num_mc_samples", default=100, minimum=1, is_integer=True, symbol="K", axis="Monte-Carlo draws K"
)
GAP = Hyperparameter("gap", default=1.0, minimum=0.0, is_free_in_pack=False)
NUM_SAMPLES = Hyperparameter(
    "num_samples", default=2, minimum=1, is_integer=True, symbol="N", axis="samples N"
)
NUM_SAMPLES_OF_RLOO = replace(NUM_SAMPLES, minimum=2)
"""Number of samples where each has the mean over the others as its baseline."""
SHARED = (TEMPERATURE, ETA, BETA, NUM_MC_SAMPLES, GAP, NUM_SAMPLES)
"""Those that several estimators take, in the order of a table's columns."""
