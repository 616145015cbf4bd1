"""Training by passes over images: a model, an optimiser, and the order of the data."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

from trainables.models.optimizers import OPTIMIZERS
from trainables.schema import DEFAULTS, EPOCH_SECONDS
from trainables.training.epochs import EpochSeconds
from trainables.training.generators import generators_of
from trainables.training.pack_estimator import PackEstimator
from trainables.training.trainer import Trainer

if TYPE_CHECKING:
    import torch


class Model(Protocol):
    """What is trained: every parameter of every member, and where their gradients are left, (P, n)."""

    parameters: torch.Tensor
    gradients: torch.Tensor


class EpochTrainer(Trainer):
    """A pack of P models in training on the images of a data set; arguments as for `Trainer`."""

    model: Model

    def _start(self) -> None:
        import torch

        pack = self.pack
        self._train_images, self._test_images = (images.to(self._device) for images in self.data.images)
        self._batch_size = int(pack.shared["batch_size"])
        self._precision = pack.shared.get("precision", DEFAULTS["precision"])
        self._order = generators_of(pack, "order")
        self._estimator = PackEstimator(pack, self._device)
        self.model = self._make_model([torch.Generator().manual_seed(one.seed) for one in pack.members])
        self.parameters = self.model.parameters
        learning_rates = [float(member.params["lr"]) for member in pack.members[: pack.num_models]]
        self._optimizer = OPTIMIZERS[pack.shared["optimizer"]](
            self.model.parameters, self.model.gradients, learning_rates
        )

    @abstractmethod
    def _make_model(self, generators: Sequence[torch.Generator]) -> Model:
        """Return the models with the initial parameters that each member's CPU generator gives."""

    @abstractmethod
    def _train(self) -> Sequence[Mapping[str, float]]:
        """Run one pass over the training set; return each member's metrics of its updates."""

    @abstractmethod
    def _evaluate(self) -> Sequence[Mapping[str, float]]:
        """Run one pass over the test set; return each member's metrics."""

    def _measure(self) -> Sequence[Mapping[str, float]]:
        """Return what each member logs besides; it leaves the training, and its seconds, as they are."""
        return [{}] * len(self.pack)

    def _new_order(self) -> torch.Tensor:
        """Return the places of all training images in each member's next order, shape (P, N)."""
        import torch

        count = len(self._train_images)
        orders = [torch.randperm(count, generator=generator) for generator in self._order]
        return torch.stack(orders).to(self._device)

    def _run(self) -> list[dict[str, float]]:
        self._set_precision()
        start = time.perf_counter()
        train, test = self._train(), self._evaluate()
        seconds = {EPOCH_SECONDS: time.perf_counter() - start}
        parts = zip(train, test, self._measure(), strict=True)
        return [{**of_train, **of_test, **seconds, **measured} for of_train, of_test, measured in parts]

    def time_epoch(self) -> EpochSeconds:
        """Do what an epoch does, and return the seconds of each part; keeps no record."""
        self._set_precision()
        moments = [time.perf_counter()]
        for part in (self._train, self._evaluate, self._measure):
            part()
            moments.append(time.perf_counter())
        return EpochSeconds(*(end - start for start, end in pairwise(moments)))

    def _set_precision(self) -> None:
        from trainables.training.process import set_precision

        set_precision(self._precision)

    def _kept(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "parameters": self.parameters,
            "optimizer": self._optimizer,
            "order_generators": self._order,
            "noise_generators": self._estimator.noise,
        }
