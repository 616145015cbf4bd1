"""The task `synthetic_gradient`: many estimates of a gradient that is known, at fixed logits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch

from estimators.diagnostics import gradient_cosine
from estimators.sampling import sample_one_hot
from estimators.score_function.samples import mean_over_samples
from trainables.models.synthetic_objectives import AbsoluteDistance, Counted
from trainables.pack import Pack
from trainables.schema import EPOCH_SECONDS
from trainables.tasks.synthetic_trainer import SyntheticTrainer


class SyntheticGradientTrainer(SyntheticTrainer):
    """Estimates ∂E[Σ_d |x_d - b_d|]/∂θ over and over, and compares each estimate with the exact gradient.

    Each seed has logits of its own, drawn from N(0, 1), and a target b of its own, drawn from the
    distribution that these define; estimators of one seed share both.

    Args:
        pack: The members.
        device: Where to train.
    Source: CatLog-Derivative trick, Section 6.1.
    """

    def __init__(self, pack: Pack, device: str | torch.device = "cpu") -> None:
        super().__init__(pack, device)
        problem = self._generators("problem")
        shape = (self._latent_dim, self._categorical_dim)
        self._logits = torch.stack([torch.randn(shape, generator=one, device=one.device) for one in problem])
        self.parameters = self._logits
        target = sample_one_hot(self._logits, problem).argmax(-1)
        self._f = AbsoluteDistance(target, self._categorical_dim)
        self._exact = self._f.exact_gradient(self._logits)

    def _run(self) -> list[dict[str, float]]:
        counted = Counted(self._f)
        self._estimate(self._logits, counted, self._generators("warming up"))
        evaluations, seconds, cosines = counted.count, 0.0, []
        start = self._now()
        for _ in range(self._num_draws):
            before = self._now()
            estimate = self._estimate(self._logits, self._f, self._noise)
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
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()

    def _own_state(self) -> dict[str, Any]:
        return {}

    def _load_own(self, state: Mapping[str, Any]) -> None:
        """Nothing to take over: logits and targets are the seeds'."""
