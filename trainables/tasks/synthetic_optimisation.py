"""The task `synthetic_optimisation`: binary variables driven to a maximum that is hardly one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from trainables.models.optimizers import OPTIMIZERS
from trainables.schema import EPOCH_SECONDS, MEASUREMENT_SECONDS
from trainables.schema.metrics import MEASUREMENT, SECONDS, Metric
from trainables.task import REQUIRED, Figure, Task
from trainables.training.pack_estimator import PackEstimator
from trainables.training.trainer import Trainer

if TYPE_CHECKING:
    import torch

NEAR_OPTIMUM = 0.2505
"""A value that three quarters of the variables at 1 reach; the optimum is 0.251001."""

ESTIMATE_VARIANCE = Metric(
    "estimate_variance",
    "variance of the gradient",
    is_own=True,
    is_scientific=True,
    has_log_axis=True,
)
"""Of an estimate over draws, at the parameters that the cell has come to: the mean over the coordinates of
their variances (ddof=1)."""
METRICS = (
    Metric("expected_value", "expected value", is_higher_better=True, may_select=True, digits=6),
    ESTIMATE_VARIANCE,
    Metric("near_optimum_iteration", "first iteration near the optimum", "iterations", digits=1),
    SECONDS,
    MEASUREMENT,
)
"""The iteration is there from when a value above `NEAR_OPTIMUM` is reached."""


class SyntheticOptimisationTrainer(Trainer):
    """Maximises E[(1/L) Σ_d (x_d - 0.499)²] over the logits of L independent binary variables.

    A variable has one logit, that of x = 1, which begins at 0; that of x = 0 is 0 always. An epoch is
    `iterations_per_epoch` steps of the optimiser. After each epoch the estimator's variance at the logits as
    they are then is measured with noise of its own, which leaves the training as it is. Arguments as for
    `Trainer`.

    Attributes:
        parameters: The logits of x = 1, shape (P, L).
    Source: CatLog-Derivative trick, Section 6.2.
    """

    def _start(self) -> None:
        import torch

        from trainables.models.synthetic_objectives import SquaredDistance

        params = self.pack.shared
        self._estimator = PackEstimator(self.pack, self._device)
        self._num_draws = int(params["num_draws"])
        self._num_iterations = int(params["iterations_per_epoch"])
        self._f = SquaredDistance(int(params["latent_dim"]), self._device)
        self.parameters = torch.zeros(len(self.pack), int(params["latent_dim"]), device=self._device)
        self._gradients = torch.zeros_like(self.parameters)
        make = OPTIMIZERS[params["optimizer"]]
        self._optimizer = make(self.parameters, self._gradients, float(params["lr"]))
        # The first iteration after which a member was near the optimum; 0 until then.
        self._reached = torch.zeros(len(self.pack), dtype=torch.int64, device=self._device)

    def _run(self) -> list[dict[str, float]]:
        start = time.perf_counter()
        done = self._num_iterations * self.epoch
        for iteration in range(done + 1, done + self._num_iterations + 1):
            self._gradients.copy_(self._estimate())
            self._optimizer.step()
            is_new = (self._values() > NEAR_OPTIMUM) & (self._reached == 0)
            self._reached[is_new] = iteration
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
        import torch

        return torch.stack((torch.zeros_like(self.parameters), self.parameters), -1)

    def _values(self) -> torch.Tensor:
        """Return what is maximised, exactly, shape (P,), float64."""
        return -self._f.expectation(self._logits())

    def _estimate(self, generators: list[torch.Generator] | None = None) -> torch.Tensor:
        """Return an estimate of the gradient of -value, shape (P, L)."""
        return self._estimator.gradient(self._logits(), self._f, self.epoch, generators)[..., 1]

    def _variance(self) -> torch.Tensor:
        """Return the mean over the variables of an estimate's variance over draws, shape (P,), float64."""
        import torch

        from estimators.score_function.samples import mean_over_samples, sum_over_samples

        generators = self._generators(f"gradients after epoch {self.epoch + 1}")
        draws = torch.stack([self._estimate(generators) for _ in range(self._num_draws)]).double()
        deviations = (draws - mean_over_samples(draws)).square()
        return sum_over_samples(deviations).mean(-1) / (self._num_draws - 1)

    def _kept(self) -> dict[str, Any]:
        return {
            "parameters": self.parameters,
            "optimizer": self._optimizer,
            "iteration": self._num_iterations * self.epoch,
            "reached": self._reached,
            "noise_generators": self._estimator.noise,
        }


TASK = Task(
    "synthetic_optimisation",
    SyntheticOptimisationTrainer,
    METRICS,
    headline="expected_value",
    progress="expected_value",
    keys={"epochs": REQUIRED, "iterations_per_epoch": 20, "measure": {"draws": 10}},
    measure_keys={"draws": 10},
    block_keys={
        "optimizer": ["rmsprop"],
        "lr": REQUIRED,
        "temperature_decay": [0.0],
        "temperature_floor": [0.0],
    },
    categorical_dim=2,
    num_parameters=lambda params: int(params["latent_dim"]),
    least_draws=2,
    averages_draws=True,
    table_metrics=("near_optimum_iteration",),
    comparable_params=("iterations_per_epoch", "num_draws"),
    label_params=("num_samples",),
    figures=(
        Figure(("expected_value",), "iteration"),
        Figure(("expected_value",), "seconds"),
        Figure(("estimate_variance",), "iteration"),
    ),
)
