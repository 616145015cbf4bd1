"""The task `synthetic_optimisation`: binary variables driven to a maximum that is hardly one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch

from estimators.score_function.samples import mean_over_samples, sum_over_samples
from trainables.models.optimizers import OPTIMIZERS
from trainables.models.synthetic_objectives import SquaredDistance
from trainables.pack import Pack
from trainables.schema import EPOCH_SECONDS, MEASUREMENT_SECONDS
from trainables.tasks.synthetic_trainer import SyntheticTrainer

NEAR_OPTIMUM = 0.2505
"""A value that three quarters of the variables at 1 reach; the optimum is 0.251001."""


class SyntheticOptimisationTrainer(SyntheticTrainer):
    """Maximises E[(1/L) Σ_d (x_d - 0.499)²] over the logits of L independent binary variables.

    A variable has one logit, that of x = 1, which begins at 0; that of x = 0 is 0 always. An epoch is
    `iterations_per_epoch` steps of the optimiser. After each epoch the estimator's variance at the logits as
    they are then is measured with noise of its own, which leaves the training as it is.

    Args:
        pack: The members.
        device: Where to train.

    Attributes:
        parameters: The logits of x = 1, shape (P, L).
    Source: CatLog-Derivative trick, Section 6.2.
    """

    def __init__(self, pack: Pack, device: str | torch.device = "cpu") -> None:
        super().__init__(pack, device)
        params = pack.shared
        self.parameters = torch.zeros(len(pack), self._latent_dim, device=self._device)
        self._gradients = torch.zeros_like(self.parameters)
        self._optimizer = OPTIMIZERS[params["optimizer"]](
            self.parameters, self._gradients, float(params["lr"])
        )
        self._f = SquaredDistance(self._latent_dim, self._device)
        self._num_iterations = int(params["iterations_per_epoch"])
        self._iteration = 0
        # The first iteration after which a member was near the optimum; 0 until then.
        self._reached = torch.zeros(len(pack), dtype=torch.int64, device=self._device)

    def _run(self) -> list[dict[str, float]]:
        start = time.perf_counter()
        for _ in range(self._num_iterations):
            self._gradients.copy_(self._estimate_at(self._noise))
            self._optimizer.step()
            self._iteration += 1
            is_new = (self._values() > NEAR_OPTIMUM) & (self._reached == 0)
            self._reached[is_new] = self._iteration
        values = self._values().tolist()
        middle = time.perf_counter()
        variances = self._variance().tolist()
        shared = {EPOCH_SECONDS: middle - start, MEASUREMENT_SECONDS: time.perf_counter() - middle}
        return [
            {
                "expected_value": value,
                "estimate_variance": variance,
                **({"near_optimum_iteration": float(reached)} if reached else {}),
                **shared,
            }
            for value, variance, reached in zip(values, variances, self._reached.tolist(), strict=True)
        ]

    def _logits(self) -> torch.Tensor:
        return torch.stack((torch.zeros_like(self.parameters), self.parameters), -1)

    def _values(self) -> torch.Tensor:
        """Return what is maximised, exactly, shape (P,), float64."""
        return -self._f.expectation(self._logits())

    def _estimate_at(self, generators: list[torch.Generator]) -> torch.Tensor:
        """Return an estimate of the gradient of -value, shape (P, L)."""
        return self._estimate(self._logits(), self._f, generators, self.epoch)[..., 1]

    def _variance(self) -> torch.Tensor:
        """Return the mean over the variables of an estimate's variance over draws, shape (P,), float64."""
        generators = self._generators(f"gradients after epoch {self.epoch + 1}")
        draws = torch.stack([self._estimate_at(generators) for _ in range(self._num_draws)]).double()
        deviations = (draws - mean_over_samples(draws)).square()
        return sum_over_samples(deviations).mean(-1) / (self._num_draws - 1)

    def _own_state(self) -> dict[str, Any]:
        return {
            "parameters": self.parameters,
            "optimizer": self._optimizer.state_dict(),
            "iteration": self._iteration,
            "reached": self._reached,
        }

    def _load_own(self, state: Mapping[str, Any]) -> None:
        self.parameters.copy_(state["parameters"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._iteration = state["iteration"]
        self._reached.copy_(state["reached"])
