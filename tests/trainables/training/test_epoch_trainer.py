"""What every task's trainer does with its images: their order, their batches, and means over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.trainables.members import data, small_trainer, trainer_of, training_state, values_of
from trainables.models.bernoulli_vae import BernoulliVAE
from trainables.models.digit_network import DigitNetwork
from trainables.models.discrete_vae import DiscreteVAE
from trainables.task import Task
from trainables.task_registry import TASKS
from trainables.training.training_data import TrainingData

pytestmark = pytest.mark.usefixtures("one_thread")

every = pytest.mark.parametrize(
    "task", [task for task in TASKS.values() if task.datasets], ids=lambda t: t.name
)
NO_STEP = 1e-30
"""A learning rate by which parameters stay what they are."""


def images_per_example(task: Task, **params: Any) -> int:
    """Return how many images an example of a small trainer has."""
    pack = small_trainer(task, **params).pack
    return pack.images_per_step // int(pack.shared["batch_size"])


def one_epoch(task: Task, *, is_blind: bool = False, **params: Any) -> tuple[dict[str, float], torch.Tensor]:
    """Return what an epoch gives a member, and Adam's mean of the gradients; a blind one begins at zero."""
    trainer = small_trainer(task, **params)
    if is_blind:
        trainer.parameters.zero_()
    values = values_of(trainer.run_epoch())
    return values, training_state(trainer)["optimizer"]["first_moment"]


@every
def test_a_batch_smaller_than_the_batch_size_is_one_of_its_own_size(task: Task) -> None:
    """The gradients too, whose size an optimiser's step hardly shows."""
    num_train = 30 * images_per_example(task)
    (smaller, of_smaller), (own, of_own) = (
        one_epoch(task, batch_size=size, num_train=num_train) for size in (100, 30)
    )
    assert torch.equal(of_smaller, of_own)
    assert smaller == own


MODELS: dict[str, Callable[[list[torch.Generator]], torch.Tensor]] = {
    "mnist_vae": lambda generators: DiscreteVAE(4, 4, generators).parameters,
    "gradient_quality": lambda generators: DiscreteVAE(3, 2, generators[:1]).parameters,
    "bernoulli_vae": lambda generators: BernoulliVAE(8, None, generators).parameters,
    "mnist_addition": lambda generators: DigitNetwork(generators).parameters,
}


@every
def test_initial_parameters_are_those_of_pytorch_s_generator_with_the_member_s_seed(task: Task) -> None:
    generators = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
    assert torch.equal(small_trainer(task).parameters, MODELS[task.name](generators))


@pytest.mark.parametrize(
    "task", [one for one in TASKS.values() if "train_kl" in one.metrics], ids=lambda t: t.name
)
def test_each_split_has_its_own_images(task: Task) -> None:
    """Training images that are given as test images have the same KL term, and the other way round."""
    pack, given = small_trainer(task, lr=NO_STEP).pack, data(50, 40)
    swapped = TrainingData(given.test_images, given.test_labels, given.train_images, given.train_labels)
    one, other = (values_of(trainer_of(pack, images).run_epoch()) for images in (given, swapped))
    assert one["train_kl"] == pytest.approx(other["test_kl"], rel=1e-5)
    assert one["test_kl"] == pytest.approx(other["train_kl"], rel=1e-5)
    assert one["train_kl"] != pytest.approx(one["test_kl"], rel=1e-4)


NOISELESS: dict[str, tuple[str, dict[str, str]]] = {
    "mnist_vae": ("train_kl", {}),
    "gradient_quality": ("train_kl", {}),
    "bernoulli_vae": ("train_kl", {}),
    "mnist_addition": ("train_loss", {"estimator": "exact"}),
}
"""A metric of the training images that does not depend on the noise, and params for that."""


@every
def test_the_last_smaller_batch_counts_by_its_images(task: Task) -> None:
    metric, params = NOISELESS[task.name]
    sizes = {"num_train": 130 * images_per_example(task), "lr": NO_STEP, **params}
    batched, whole = (one_epoch(task, batch_size=size, **sizes)[0][metric] for size in (100, 130))
    assert batched == pytest.approx(whole, rel=1e-5)


@every
def test_metrics_are_means_over_images_however_many_there_are(task: Task) -> None:
    """Of networks to which all images are alike, and of digits in turn, a tenth of them zeros."""
    params = {"lr": NO_STEP, "is_blind": True, "measured_epochs": "2"}
    if task.has_image_per_variable:
        params |= {"estimator": "exact", "latent_dim": 1}
    few, _ = one_epoch(task, num_train=30, num_test=20, **params)
    many, _ = one_epoch(task, num_train=130, num_test=1250, **params)
    assert many == pytest.approx(few, rel=1e-5)
    assert max(many.values()) > 0


@every
def test_estimators_of_a_seed_share_parameters_and_order_however_many_numbers_they_draw(task: Task) -> None:
    """So that they are compared on equal terms, in every epoch."""
    which = "trained_with" if task.trains_one_model else "estimator"
    initial, orders, noises = [], [], []
    for name in ("reinforce", "indecater_per_variable"):
        trainer = small_trainer(task, **{which: name})
        initial.append(trainer.parameters.clone())
        trainer.run_epoch()
        state = training_state(trainer)
        orders.append(torch.stack(state["order_generators"]))
        noises.append(torch.stack(state["noise_generators"]))
    assert torch.equal(*initial)
    assert torch.equal(*orders)
    assert not torch.equal(*noises)
