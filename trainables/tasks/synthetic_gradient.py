"""The task `synthetic_gradient`: many estimates of a gradient that is known, at fixed logits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from trainables.schema import EPOCH_SECONDS
from trainables.schema.metrics import SECONDS, Metric
from trainables.task import Figure, Task
from trainables.training.pack_estimator import PackEstimator
from trainables.training.trainer import Trainer

if TYPE_CHECKING:
    pass

METRICS = (
    Metric("gradient_bias", "1 - cosine with the exact gradient", may_select=True, is_scientific=True),
    Metric(
        "cosine_variance",
        "variance of the cosine with the exact gradient",
        may_select=True,
        is_scientific=True,
        has_log_axis=True,
    ),
    Metric("function_evaluations", "function evaluations per estimate", digits=0),
    Metric("estimate_seconds", "time per estimate", "seconds", is_scientific=True),
    SECONDS,
)
"""Over repeated estimates of one gradient. The seconds are those of a whole pack."""


class SyntheticGradientTrainer(Trainer):
    """Estimates ∂E[Σ_d |x_d - b_d|]/∂θ over and over, and compares each estimate with the exact gradient.

    Each seed has logits of its own, drawn from N(0, 1), and a target b of its own, drawn from the
    distribution that these define; estimators of one seed share both. Arguments as for `Trainer`.

    Source: CatLog-Derivative trick, Section 6.1.
    """

    def _start(self) -> None:
        import torch

        from estimators.sampling import sample_one_hot
        from trainables.models.synthetic_objectives import AbsoluteDistance

        params = self.pack.shared
        self._estimator = PackEstimator(self.pack, self._device)
        self._num_draws = int(params["num_draws"])
        categorical_dim, problem = int(params["categorical_dim"]), self._generators("problem")
        shape = (int(params["latent_dim"]), categorical_dim)
        self._logits = torch.stack([torch.randn(shape, generator=one, device=one.device) for one in problem])
        self.parameters = self._logits
        target = sample_one_hot(self._logits, problem).argmax(-1)
        self._f = AbsoluteDistance(target, categorical_dim)
        self._exact = self._f.exact_gradient(self._logits)

    def _run(self) -> list[dict[str, float]]:
        import torch

        from estimators.diagnostics import gradient_cosine
        from estimators.score_function.samples import mean_over_samples
        from trainables.models.synthetic_objectives import Counted

        counted = Counted(self._f)
        self._estimator.gradient(self._logits, counted, generators=self._generators("warming up"))
        evaluations, seconds, cosines = counted.count, 0.0, []
        start = self._now()
        for _ in range(self._num_draws):
            before = self._now()
            estimate = self._estimator.gradient(self._logits, self._f)
            seconds += self._now() - before
            cosines.append(gradient_cosine(estimate.unsqueeze(1), self._exact.unsqueeze(1)))
        distances = 1 - torch.stack(cosines)
        bias = mean_over_samples(distances)
        variance = mean_over_samples((distances - bias).square())
        shared = {
            "function_evaluations": float(evaluations),
            "estimate_seconds": seconds / self._num_draws,
            EPOCH_SECONDS: self._now() - start,
        }
        return [
            {"gradient_bias": one, "cosine_variance": other, **shared}
            for one, other in zip(bias.tolist(), variance.tolist(), strict=True)
        ]

    def _now(self) -> float:
        """Return the time once all that was started is done, seconds."""
        import torch

        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()

    def _kept(self) -> dict[str, Any]:
        return {"noise_generators": self._estimator.noise}  # logits and targets are the seeds'


TASK = Task(
    "synthetic_gradient",
    SyntheticGradientTrainer,
    METRICS,
    headline="cosine_variance",
    progress="gradient_bias",
    keys={"measure": {"draws": 1000}},
    measure_keys={"draws": 1000},
    fixed={"epochs": 1},
    least_draws=2,
    table_metrics=("gradient_bias", "estimate_seconds", "function_evaluations"),
    averages_draws=True,
    comparable_params=("num_draws",),
    label_params=("num_samples",),
    figures=(Figure(("gradient_bias", "cosine_variance"), against="estimator"),),
)
