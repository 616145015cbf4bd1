"""The task `gradient_quality`: one model in training, and several estimators judged by it on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import estimators
from trainables.models.network_sizes import VAE
from trainables.schema import DEFAULTS, MEASUREMENT_SECONDS, NETWORK_PARAMS, OWN_DATA_PARAMS, Cell, Member
from trainables.schema.dataset_names import DATASET_NAMES
from trainables.schema.metrics import MEASUREMENT, SECONDS, Metric
from trainables.task import OPTIONAL, REQUIRED, Figure, Task
from trainables.tasks.mnist_vae import (
    IMAGE_KEYS,
    MNIST_VAE,
    NATS,
    NETWORK_KEYS,
    TRAINING_KEYS,
    VAE_METRICS,
    DiscreteVaeTrainer,
    num_vae_parameters,
)
from trainables.training.epochs import EpochSeconds
from trainables.training.generators import seeded_generator
from trainables.training.pack_estimator import hyperparameter_value
from trainables.training.trainer import Trainer

if TYPE_CHECKING:
    import torch

    from estimators.diagnostics import GradientMoments

GRADIENT_QUALITY = "gradient_quality"
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
    *NETWORK_PARAMS,
    *OWN_DATA_PARAMS,
)


def _cosine(name: str, of: str) -> Metric:
    text = f"cosine with the exact gradient, {of}"
    return Metric(name, text, is_higher_better=True, may_select=True, digits=4)


def _spread(name: str, text: str, unit: str = "") -> Metric:
    return Metric(name, text, unit, may_select=True, digits=4, has_log_axis=True)


GRADIENT_QUALITY_METRICS = (
    _cosine("gradient_cosine", "per image"),
    _cosine("gradient_cosine_batch", "of the batch"),
    _spread("gradient_variance", "gradient variance over mean", NATS),
    _spread("gradient_relative_std", "gradient standard deviation over mean"),
    _spread("gradient_std", "gradient standard deviation", NATS),
)
"""Of `estimators.diagnostics`, for a batch of images."""


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


class GradientQualityTrainer(Trainer):
    """Trains one discrete VAE, and after some epochs judges an estimator for each member of a pack.

    Judged is the gradient of the reconstruction term with respect to the logits, for a batch of training
    images that the seed chooses, against the exact gradient. The judging leaves the training as it is, and
    members of one seed draw the same noise whatever their estimator. The members share the training and its
    seed. Arguments as for `Trainer`.

    Source: Beyond ReinMax, Section 6.1 and Appendix C.
    """

    def _start(self) -> None:
        import torch

        first = self.pack.members[0]
        trained = replace(self.pack, members=(trained_member(first),))
        self._trainer = DiscreteVaeTrainer(trained, self.data, self._device)
        self.parameters = self._trainer.parameters
        self._measured_epochs = first.cell.measured_epochs
        self._num_draws = int(first.cell.params["num_draws"])
        self._seed = first.seed
        images = self.data.train_images
        chooser = seeded_generator(self._seed, "measured images")
        chosen = torch.randperm(len(images), generator=chooser)[: int(trained.shared["batch_size"])]
        self._images = images[chosen].unsqueeze(0).to(self._device)

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

    def _kept(self) -> dict[str, Any]:
        return {"trainer": self._trainer}

    def _check(self, state: Mapping[str, Any], epochs: int) -> None:
        trainer = state.get("trainer")
        if not isinstance(trainer, Mapping) or trainer.get("epoch") != epochs:
            raise ValueError(f"the state must hold a training of {epochs} epochs")

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
        from estimators import diagnostics
        from trainables.models.reconstruction import Reconstruction

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
    from estimators import diagnostics

    measures = {
        "gradient_cosine": diagnostics.gradient_cosine(moments.mean, exact),
        "gradient_cosine_batch": diagnostics.gradient_cosine_batch(moments.mean, exact),
        "gradient_variance": diagnostics.gradient_variance(moments),
        "gradient_relative_std": diagnostics.gradient_relative_std(moments),
        "gradient_std": diagnostics.gradient_std(moments),
    }
    return {name: measure.item() for name, measure in measures.items()}


TASK = Task(
    GRADIENT_QUALITY,
    GradientQualityTrainer,
    (*VAE_METRICS, SECONDS),
    measured_metrics=(*GRADIENT_QUALITY_METRICS, MEASUREMENT),
    headline="gradient_cosine_batch",
    progress="train_neg_elbo",
    keys={**IMAGE_KEYS, "measure": REQUIRED},
    measure_keys={
        "epochs": REQUIRED,
        "draws": 1024,
        "trained_with": "reinmax",
        "trained_temperature": OPTIONAL,
    },
    block_keys={**TRAINING_KEYS, **NETWORK_KEYS},
    datasets=DATASET_NAMES,
    free_params=frozenset({"estimator", *estimators.registry.SHIPPED_HYPERPARAMETERS}),
    num_parameters=num_vae_parameters,
    architecture=VAE,
    trains_one_model=True,
    max_states=estimators.get("exact").max_states,
    comparable_params=(
        "batch_size", "optimizer", "lr", "trained_with", "trained_temperature", "num_draws",
    ),
    figures=(Figure(("gradient_cosine_batch", "gradient_relative_std")),),
)  # fmt: skip
