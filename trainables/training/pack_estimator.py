"""The estimator of a pack, ready to be used: the members' hyperparameters and noise, draws and their mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import estimators
from estimators.hyperparameter import NUM_SAMPLES, TEMPERATURE, Hyperparameter
from trainables.schema import DEFAULTS
from trainables.training.generators import generators_of

if TYPE_CHECKING:
    import torch

    from estimators.sampling import Draw
    from estimators.score_function import Objective, ObjectiveDraw
    from trainables.models.discrete_vae import Sampler
    from trainables.pack import Pack

_NUMBERS_AT_ONCE = 2**22
"""Most numbers of samples of one member in memory at once; never fewer in a larger pack."""


def hyperparameter_value(params: Mapping[str, str], one: Hyperparameter) -> float:
    """Return what a hyperparameter is in a cell: as stated, else the schema's default, else its own."""
    return one.number(params.get(one.name, DEFAULTS.get(one.name, str(one.default))))


def temperature_after(epoch: int, temperature: float, decay: float, floor: float) -> float:
    """Return the temperature of the epoch that follows so many: max(floor, τ exp(-decay · epoch)).

    Args:
        epoch: Epochs done.
        temperature: τ of the first epoch, > 0.
        decay: Rate an epoch, >= 0; 0 leaves the temperature as it is.
        floor: What it does not fall below, >= 0, and at most τ.
    """
    return max(floor, temperature * math.exp(-decay * epoch))


class PackEstimator:
    """The estimator of a pack's members, who may differ in its hyperparameters.

    Args:
        pack: The members.
        device: Where they train.

    Attributes:
        noise: A generator for each member, which training draws from.
        num_draws: Draws that the estimate of a step is averaged over (`Task.averages_draws`); none for an
            estimator that calls f itself, which chooses its own.
    """

    def __init__(self, pack: Pack, device: str | torch.device = "cpu") -> None:
        shared, free = pack.shared, pack.free_params
        self._entry = estimators.get(shared["estimator"])
        self._device = device
        self._values = [
            (one, one.name in free, [hyperparameter_value(member.params, one) for member in pack.members])
            for one in self._entry.hyperparameters
        ]
        self._decay, self._floor = (
            float(shared.get(name, DEFAULTS[name])) for name in ("temperature_decay", "temperature_floor")
        )
        is_averaged = pack.task.hyperparameters_of(self._entry.name) != self._entry.hyperparameters
        averaged = int(hyperparameter_value(shared, NUM_SAMPLES)) if is_averaged else 1
        self.num_draws = None if self._entry.needs_objective else averaged
        self.noise = generators_of(pack, "noise", device)

    def sampler(self, epoch: int, generators: Sequence[torch.Generator] | None = None) -> Sampler:
        """Return what maps logits, shape (P, ..., L, C), to a draw.

        Args:
            epoch: Epochs done, which the temperature may depend on.
            generators: One for each member; those of training where none are given.
        """
        draw = partial(self._entry.draw, generator=self.noise if generators is None else generators)
        return partial(draw, **self._arguments(epoch))

    def gradient(
        self,
        logits: torch.Tensor,
        f: Objective,
        epoch: int = 0,
        generators: Sequence[torch.Generator] | None = None,
    ) -> torch.Tensor:
        """Return an estimate of ∂E[f]/∂θ, shape (P, ..., L, C), averaged over `num_draws`.

        Args:
            logits: Unnormalised log-probabilities, shape (P, ..., L, C), without a graph.
            f: Maps samples (S, P, ..., L, C) to losses (S, P, ...); differentiable for a pathwise estimator.
            epoch: As for `sampler`.
            generators: As for `sampler`.
        """
        import torch

        from estimators.score_function.objective import chunks
        from estimators.score_function.samples import mean_over_samples

        sampler, chunk_size = self.sampler(epoch, generators), max(1, _NUMBERS_AT_ONCE // logits[0].numel())
        if self.num_draws is None:
            drawn = cast("ObjectiveDraw", sampler(logits))
            return drawn.rule(f, chunk_size).gradient.detach()
        sizes = [stop - start for start, stop in chunks(self.num_draws, chunk_size)]
        return mean_over_samples(torch.cat([_pathwise(logits, f, sampler, size) for size in sizes]))

    def _arguments(self, epoch: int) -> dict[str, Any]:
        """Return every hyperparameter: a number that all share, or a tensor, shape (P, 1, 1, 1)."""
        import torch

        arguments: dict[str, Any] = {}
        for one, is_free, values in self._values:
            if one.name == TEMPERATURE.name:
                values = [temperature_after(epoch, value, self._decay, self._floor) for value in values]
            if is_free:
                arguments[one.name] = torch.tensor(values, device=self._device).view(-1, 1, 1, 1)
            else:
                arguments[one.name] = one.number(values[0])
        return arguments


def _pathwise(logits: torch.Tensor, f: Objective, sampler: Sampler, count: int) -> torch.Tensor:
    """Return so many estimates, shape (count, P, ..., L, C)."""
    from estimators.sampling import pathwise_gradient
    from estimators.score_function.objective import losses_of
    from estimators.softmax import with_cheap_softmax

    shape = (count, *logits.shape[1:-2])
    repeated = logits.unsqueeze(1).expand(logits.shape[0], count, *logits.shape[1:]).flatten(1, -3)
    draw = cast("Draw", sampler(with_cheap_softmax(repeated)))

    def draws_first(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.view(len(tensor), *shape, *tensor.shape[2:]).movedim(1, 0)

    return draws_first(pathwise_gradient(draw, lambda sample: losses_of(f, draws_first(sample))))
