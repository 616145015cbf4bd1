"""Estimating ∂E[f]/∂θ of a function of samples alone, by an estimator of either family."""

from __future__ import annotations

from typing import Any, cast

import torch

import estimators
from estimators.hyperparameter import NUM_SAMPLES
from estimators.randomness import Generators
from estimators.sampling import Draw
from estimators.score_function import Objective, ObjectiveDraw
from estimators.score_function.objective import chunks, losses_of
from estimators.score_function.samples import mean_over_samples
from estimators.softmax import with_cheap_softmax
from trainables.pack import Pack, hyperparameter_value
from trainables.schema import DEFAULTS
from trainables.tasks import temperature_after

_NUMBERS_AT_ONCE = 2**22
"""Most numbers of samples of one member in memory at once; never fewer in a larger pack."""


class GradientEstimate:
    """The estimator of a pack, ready to be used; a pathwise one is averaged over its draws.

    Args:
        pack: The members, which share the estimator and its hyperparameters.
    """

    def __init__(self, pack: Pack) -> None:
        params = pack.shared
        self._entry = estimators.get(params["estimator"])
        own = pack.task.hyperparameters_of(self._entry.name)
        self._values: dict[str, Any] = {one.name: hyperparameter_value(params, one) for one in own}
        self._decay, self._floor = (
            float(params.get(name, DEFAULTS[name])) for name in ("temperature_decay", "temperature_floor")
        )
        is_averaged = own != self._entry.hyperparameters
        self._num_draws = int(self._values.pop(NUM_SAMPLES.name)) if is_averaged else 1
        size = int(params["categorical_dim"]) * int(params["latent_dim"])
        self._chunk_size = max(1, _NUMBERS_AT_ONCE // size)

    def __call__(
        self, logits: torch.Tensor, f: Objective, generator: Generators, epoch: int = 0
    ) -> torch.Tensor:
        """Return one estimate of ∂E[f]/∂θ, shape (P, L, C).

        Args:
            logits: Unnormalised log-probabilities, shape (P, L, C), without a graph.
            f: Maps samples (S, P, L, C) to losses (S, P).
            generator: One generator for each member.
            epoch: Epochs done, which the temperature may depend on.
        """
        values = self._values_after(epoch)
        if self._entry.needs_objective:
            drawn = cast("ObjectiveDraw", self._entry.draw(logits, **values, generator=generator))
            return drawn.rule(f, self._chunk_size).gradient.detach()
        estimates = [
            self._pathwise(logits, f, generator, values, stop - start)
            for start, stop in chunks(self._num_draws, self._chunk_size)
        ]
        return mean_over_samples(torch.cat(estimates))

    def _pathwise(
        self, logits: torch.Tensor, f: Objective, generator: Generators, values: dict[str, Any], count: int
    ) -> torch.Tensor:
        """Return so many estimates, shape (count, P, L, C)."""
        repeated = logits.unsqueeze(1).expand(logits.shape[0], count, *logits.shape[1:])
        draw = cast("Draw", self._entry.draw(with_cheap_softmax(repeated), **values, generator=generator))
        sample = draw.sample.detach().requires_grad_()
        with torch.enable_grad():
            losses = losses_of(f, sample.movedim(1, 0))
            (grad_sample,) = torch.autograd.grad(losses.sum(), sample)
        return draw.rule(with_cheap_softmax(grad_sample)).movedim(1, 0)

    def _values_after(self, epoch: int) -> dict[str, Any]:
        if "temperature" not in self._values:
            return self._values
        temperature = temperature_after(epoch, self._values["temperature"], self._decay, self._floor)
        return {**self._values, "temperature": temperature}
