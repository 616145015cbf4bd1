"""Training by passes over images: a model, an optimiser, and the order of the data."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Protocol

import torch

import estimators
from estimators.hyperparameter import Hyperparameter
from trainables.models.discrete_vae import Sampler
from trainables.models.optimizers import OPTIMIZERS
from trainables.pack import Pack, free_params_of, hyperparameter_value
from trainables.schema import DEFAULTS, EPOCH_SECONDS
from trainables.training.epochs import EpochSeconds, RecordedTrainer, load_generators, seeded_generator


class Model(Protocol):
    """What is trained: every parameter of every member, and where their gradients are left, (P, n)."""

    parameters: torch.Tensor
    gradients: torch.Tensor


class EpochTrainer(RecordedTrainer):
    """A pack of P models in training on the images of a data set; arguments as for `RecordedTrainer`.

    A subclass makes the model, and then calls `_start`.
    """

    def __init__(self, pack: Pack, device: str | torch.device = "cpu") -> None:
        super().__init__(pack, device)
        cpu = torch.device("cpu")
        self._initial = [torch.Generator(cpu).manual_seed(seed) for seed in self._seeds]
        self._order = [seeded_generator(seed, "order", cpu) for seed in self._seeds]
        self._precision = pack.shared.get("precision", DEFAULTS["precision"])

    def _start(self, model: Model) -> None:
        """Take over a model, whose initial parameters came from `_initial`, and make its optimiser."""
        self.parameters = model.parameters
        learning_rates = [float(member.params["lr"]) for member in self.pack.members[: self.pack.num_models]]
        self._optimizer = OPTIMIZERS[self.pack.shared["optimizer"]](
            model.parameters, model.gradients, learning_rates
        )

    def _make_sampler(self, generators: Sequence[torch.Generator]) -> Sampler:
        """Return the estimator with the hyperparameters of the epoch that follows."""
        draw = estimators.get(self.pack.shared["estimator"]).draw
        return partial(draw, **self._hyperparameters(), generator=generators)

    def _hyperparameters(self) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        free = free_params_of(self.pack.members[0])
        for hyperparameter in estimators.get(self.pack.shared["estimator"]).hyperparameters:
            name = hyperparameter.name
            values = self._values(hyperparameter)
            if name in free:
                arguments[name] = torch.tensor(values, device=self._device).view(-1, 1, 1, 1)
            else:
                arguments[name] = hyperparameter.number(values[0])
        return arguments

    def _values(self, hyperparameter: Hyperparameter) -> list[float]:
        """Return every member's value of a hyperparameter in the epoch that follows."""
        return [hyperparameter_value(member.params, hyperparameter) for member in self.pack.members]

    @abstractmethod
    def _train(self) -> Sequence[Mapping[str, float]]:
        """Run one pass over the training set; return each member's metrics of its updates."""

    @abstractmethod
    def _evaluate(self) -> Sequence[Mapping[str, float]]:
        """Run one pass over the test set; return each member's metrics."""

    def _measure(self) -> Sequence[Mapping[str, float]]:
        """Return what each member logs besides; it leaves the training, and its seconds, as they are."""
        return [{}] * len(self.pack)

    def _run(self) -> list[dict[str, float]]:
        start = time.perf_counter()
        train, test = self._train(), self._evaluate()
        seconds = {EPOCH_SECONDS: time.perf_counter() - start}
        parts = zip(train, test, self._measure(), strict=True)
        return [{**of_train, **of_test, **seconds, **measured} for of_train, of_test, measured in parts]

    def time_epoch(self) -> EpochSeconds:
        """Do what an epoch does, and return the seconds of each part; keeps no record."""
        moments = [time.perf_counter()]
        for part in (self._train, self._evaluate, self._measure):
            part()
            moments.append(time.perf_counter())
        return EpochSeconds(*(end - start for start, end in pairwise(moments)))

    def _own_state(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "parameters": self.parameters,
            "optimizer": self._optimizer.state_dict(),
            "order_generators": [generator.get_state() for generator in self._order],
        }

    def _load_own(self, state: Mapping[str, Any]) -> None:
        self.parameters.copy_(state["parameters"])
        self._optimizer.load_state_dict(state["optimizer"])
        load_generators(self._order, state["order_generators"])
