"""The task `gradient_quality`: one model in training, and several estimators judged by it on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch

import estimators
from estimators import diagnostics
from estimators.diagnostics import GradientMoments
from trainables.models.reconstruction import Reconstruction
from trainables.pack import Pack, hyperparameter_value
from trainables.schema import DEFAULTS, MEASUREMENT_SECONDS, Cell, Member
from trainables.tasks import MNIST_VAE
from trainables.training.epochs import STATE_FORMAT, EpochSeconds, Recorder, read_history, seeded_generator
from trainables.training.process import set_precision
from trainables.training.vae_trainer import PackTrainer

_FRACTION_OF_DRAWS_TIMED = 16
_TRAINING_PARAMS = (
    "dataset",
    "categorical_dim",
    "latent_dim",
    "optimizer",
    "lr",
    "batch_size",
    "epochs",
    "precision",
)


def trained_member(member: Member) -> Member:
    """Return the member of the task `mnist_vae` whose training a member's estimator is judged in."""
    params = member.cell.params
    trained_with = estimators.get(params["trained_with"])
    settings: dict[str, object] = {
        own.name: hyperparameter_value({}, own) for own in trained_with.hyperparameters
    }
    if "temperature" in settings:
        settings["temperature"] = params.get("trained_temperature", DEFAULTS["temperature"])
    shared = {name: params[name] for name in _TRAINING_PARAMS if name in params}
    return Member(
        Cell.from_params(
            {"task": MNIST_VAE, "task_version": 1, "estimator": trained_with.name, **settings, **shared}
        ),
        member.seed,
    )


class GradientQualityTrainer(Recorder):
    """Trains one discrete VAE, and after some epochs judges an estimator for each member of a pack.

    Judged is the gradient of the reconstruction term with respect to the logits, for a batch of training
    images that the seed chooses, against the exact gradient. The judging leaves the training as it is, and
    members of one seed draw the same noise whatever their estimator.

    Args:
        pack: The members; they share the training and its seed.
        train_images: Grey levels, shape (N, 784), uint8.
        test_images: Grey levels, shape (M, 784), uint8.
        device: Where to train.
    Source: Beyond ReinMax, Section 6.1 and Appendix C.
    """

    def __init__(
        self,
        pack: Pack,
        train_images: torch.Tensor,
        test_images: torch.Tensor,
        device: str | torch.device = "cpu",
    ) -> None:
        super().__init__(pack)
        first = pack.members[0]
        trained = trained_member(first)
        self._trainer = PackTrainer(Pack((trained,)), train_images, test_images, device)
        self.parameters = self._trainer.parameters
        self._measured_epochs = first.cell.measured_epochs
        self._num_draws = int(first.cell.params["num_draws"])
        self._seed = first.seed
        self._device = torch.device(device)
        self._precision = trained.params.get("precision", DEFAULTS["precision"])
        chooser = seeded_generator(self._seed, "measured images", torch.device("cpu"))
        chosen = torch.randperm(len(train_images), generator=chooser)[: int(trained.params["batch_size"])]
        self._images = train_images[chosen].unsqueeze(0).to(self._device)

    def time_epoch(self) -> EpochSeconds:
        """Train and evaluate once, judge with few draws, and return the seconds; keeps no record."""
        trained = self._trainer.time_epoch()
        few = math.ceil(self._num_draws / _FRACTION_OF_DRAWS_TIMED)
        moments = [time.perf_counter()]
        for num_draws in (few, 2 * few):
            self._measure(0, num_draws)
            moments.append(time.perf_counter())
        of_few, of_twice = (end - start for start, end in pairwise(moments))
        seconds = of_few + max(0.0, of_twice - of_few) * (self._num_draws / few - 1)
        return replace(trained, other=seconds * len(self._measured_epochs) / self.pack.epochs)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that training goes on from, tensors and plain containers only."""
        return {
            "format": STATE_FORMAT,
            "members": [member.hash for member in self.pack.members],
            "history": [record.to_state() for record in self.history],
            "trainer": self._trainer.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` returned.

        Raises:
            ValueError: If the state is of another format, belongs to other members, or is laid out otherwise;
                nothing of it has been taken over then.
        """
        history = read_history(state, self.pack)
        trainer = state.get("trainer")
        if not isinstance(trainer, Mapping) or trainer.get("epoch") != len(history):
            raise ValueError(f"the state must hold a training of {len(history)} epochs")
        self._trainer.load_state_dict(trainer)
        self.history = history

    def _run(self) -> Sequence[Mapping[str, float] | None]:
        """Train for one epoch, and judge the estimators if it is time."""
        trained = self._trainer.run_epoch()
        shared = trained.metrics[0]
        if shared is None or trained.epoch not in self._measured_epochs:
            return [shared] * len(self.pack)
        start = time.perf_counter()
        measured = self._measure(trained.epoch, self._num_draws)
        seconds = {MEASUREMENT_SECONDS: time.perf_counter() - start}
        return [{**shared, **seconds, **values} for values in measured]

    def _measure(self, epoch: int, num_draws: int) -> list[dict[str, float]]:
        """Judge every member's estimator with the model as it is now."""
        set_precision(self._precision)
        model = self._trainer.model
        logits = model.encode(self._images).clone()
        grey_levels = model.encoder.inputs(self._images.shape[1]).clone()
        f = Reconstruction(model.decoder, grey_levels)
        exact = diagnostics.exact_gradient(logits, f, chunk_size=f.chunk_size)
        measures = []
        for member in self.pack.members:
            moments = diagnostics.gradient_moments(
                member.cell.estimator,
                logits,
                f,
                num_draws=num_draws,
                generator=[seeded_generator(self._seed, f"gradients after epoch {epoch}", self._device)],
                chunk_size=f.chunk_size,
                **_hyperparameters(member),
            )
            measures.append(_measures(moments, exact))
        return measures


def _hyperparameters(member: Member) -> dict[str, float]:
    params = member.cell.params
    own = estimators.get(member.cell.estimator).hyperparameters
    return {one.name: hyperparameter_value(params, one) for one in own}


def _measures(moments: GradientMoments, exact: torch.Tensor) -> dict[str, float]:
    """Return the run schema's measures of an estimator's bias and spread, for a pack of one model."""
    measures = {
        "gradient_cosine": diagnostics.gradient_cosine(moments.mean, exact),
        "gradient_cosine_batch": diagnostics.gradient_cosine_batch(moments.mean, exact),
        "gradient_variance": diagnostics.gradient_variance(moments),
        "gradient_relative_std": diagnostics.gradient_relative_std(moments),
        "gradient_std": diagnostics.gradient_std(moments),
    }
    return {name: measure.item() for name, measure in measures.items()}
