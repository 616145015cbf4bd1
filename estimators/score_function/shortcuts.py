"""What an objective may know besides its losses: cheaper ways to those that estimators ask for most.

An objective is any callable. One with a method below is asked by it, where an estimator has a use for that;
the estimate is the same but for rounding.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch


@runtime_checkable
class LossesOfDraws(Protocol):
    """An objective that takes samples as categories: an eighth of the memory and less of one-hot vectors.

    It is given every sample that the estimator drew, once, so that it may also learn from them. The estimator
    needs them afterwards: they are not to be written to.
    """

    def losses_of_draws(self, categories: torch.Tensor) -> torch.Tensor:
        """Map samples, shape (N, ..., L), int64, to losses, shape (N, ...)."""


@runtime_checkable
class SingleChanges(Protocol):
    """An objective that evaluates many changes of one variable more cheaply than so many samples."""

    def single_changes(self, categories: torch.Tensor) -> torch.Tensor:
        """Return the loss of every sample with each variable set to each category in turn.

        Args:
            categories: The samples that the estimator drew, shape (N, ..., L), int64.
        Returns:
            Losses, shape (N, ..., L, C): entry (n, ..., d, v) is that of sample n with variable d set to v.
        """


@runtime_checkable
class OwnChanges(Protocol):
    """As `SingleChanges`, for samples each of which has one variable of its own that is changed."""

    def own_changes(self, categories: torch.Tensor) -> torch.Tensor:
        """Return the loss of every sample with its own variable set to each category in turn.

        Args:
            categories: The samples that the estimator drew, shape (L, N, ..., L), int64; variable d is that
                of the samples at index d of the first axis.
        Returns:
            Losses, shape (L, N, ..., C).
        """
