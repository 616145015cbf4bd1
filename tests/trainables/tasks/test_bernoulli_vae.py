from __future__ import annotations

import math
from functools import partial

import pytest
import torch

import estimators
from tests.trainables.members import check_seconds_are_without, images, member, through_bytes, values_of
from trainables.pack import Pack
from trainables.schema import Member
from trainables.task_registry import task_of
from trainables.tasks.bernoulli_vae import BERNOULLI_VAE, NUM_MEASURED_IMAGES, BernoulliVaeTrainer, binarised
from trainables.training.generators import seeded_generator
from trainables.training.training_data import TrainingData

pytestmark = pytest.mark.usefixtures("one_thread")

LATENT_DIM = 16


def _member(seed: int = 0, **params: object) -> Member:
    setting = {
        "task": BERNOULLI_VAE,
        "categorical_dim": 2,
        "latent_dim": LATENT_DIM,
        "batch_size": 25,
        "num_samples": 2,
        "num_draws": 3,
    }
    return member(seed, **{**setting, "estimator": "indecater", "temperature": None, **params})


def _trainer(*members: Member, count: int = 100) -> BernoulliVaeTrainer:
    return BernoulliVaeTrainer(Pack(members), TrainingData.of_images(images(count), images(50, seed=1)))


def test_pixels_of_at_least_one_half_become_ink() -> None:
    levels = torch.tensor([0, 1, 127, 128, 254, 255], dtype=torch.uint8)
    assert binarised(levels).tolist() == [0, 0, 0, 255, 255, 255]
    assert binarised(levels).dtype == torch.uint8


@pytest.mark.parametrize(
    ("dataset", "is_grey"), [("mnist", False), ("omniglot", False), ("fashion_mnist", True)]
)
def test_only_fashion_mnist_stays_grey(dataset: str, is_grey: bool) -> None:
    trainer = _trainer(_member(dataset=dataset))
    for found, given in ((trainer._train_images, images(100)), (trainer._test_images, images(50, seed=1))):
        assert torch.equal(found, given if is_grey else binarised(given))


def test_epoch_reports_every_metric_of_the_task() -> None:
    record = _trainer(_member()).run_epoch()
    assert record.metrics[0] is not None
    assert set(record.metrics[0]) == set(task_of(BERNOULLI_VAE).metrics)


@pytest.mark.parametrize("name", [name for name, e in estimators.REGISTRY.items() if name != "exact"])
def test_every_estimator_trains_and_its_loss_falls(name: str) -> None:
    params = {"estimator": name, "lr": 0.003, "num_mc_samples": 3}
    trainer = _trainer(_member(**params))
    first, _, last = (trainer.run_epoch() for _ in range(3))
    assert values_of(last)["train_neg_elbo"] < values_of(first)["train_neg_elbo"] - 50


@pytest.mark.parametrize(
    "settings",
    [{"estimator": "indecater"}, {"estimator": "stgs", "temperature": 1.0, "temperature_decay": 0.5}],
)
def test_restored_pack_goes_on_bit_for_bit(settings: dict[str, object]) -> None:
    members = [_member(seed, **settings) for seed in range(2)]
    whole, restored = _trainer(*members), _trainer(*members)
    whole.run_epoch()
    restored.load_state_dict(through_bytes(whole.state_dict()))
    for _ in range(2):
        expected, record = whole.run_epoch(), restored.run_epoch()
        assert [values_of(record, index) for index in range(2)] == [
            values_of(expected, index) for index in range(2)
        ]
    assert restored.is_finished


@pytest.mark.parametrize("estimator", ["indecater", "rloo", "stgs"])
def test_member_of_a_pack_equals_member_alone(estimator: str) -> None:
    free = [{"temperature": tau} if estimator == "stgs" else {} for tau in (1.0, 0.5, 0.2)]
    members = [_member(seed, estimator=estimator, **one) for seed, one in enumerate(free)]
    together = _trainer(*members).run_epoch()
    assert values_of(together, 0) != values_of(together, 1)
    for index, one in enumerate(members):
        assert values_of(together, index) == pytest.approx(values_of(_trainer(one).run_epoch()), rel=1e-5)


def test_temperature_falls_from_epoch_to_epoch_down_to_its_floor() -> None:
    settings = {"estimator": "stgs", "temperature_decay": 0.5, "temperature_floor": 0.4}
    trainer = _trainer(_member(temperature=1.0, **settings), _member(1, temperature=0.8, **settings))
    seen = []
    for _ in range(3):
        trainer.run_epoch()
        seen.append(trainer._sampler.keywords["temperature"].flatten().tolist())  # type: ignore[attr-defined]
    assert seen[0] == pytest.approx([1.0, 0.8])
    assert seen[1] == pytest.approx([0.6065, 0.4852], rel=1e-3)
    assert seen[2] == pytest.approx([0.4, 0.4])


def test_measuring_leaves_the_training_as_it_is() -> None:
    few, many = (_trainer(_member(num_draws=draws)) for draws in (2, 5))
    for _ in range(2):
        one, other = values_of(few.run_epoch()), values_of(many.run_epoch())
        assert one["train_neg_elbo"] == other["train_neg_elbo"]
        assert one["test_neg_elbo"] == other["test_neg_elbo"]
        assert one["estimate_variance"] != other["estimate_variance"]


def _variance_by_hand(
    trainer: BernoulliVaeTrainer, epoch: int, num_draws: int, temperature: float | None = None
) -> float:
    """Σ (g - ḡ)² / (R - 1), coordinate by coordinate, in a loop."""
    seed = trainer.pack.members[0].seed
    chooser = seeded_generator(seed, "measured images", torch.device("cpu"))
    chosen = torch.randperm(100, generator=chooser)[:NUM_MEASURED_IMAGES]
    noise = [seeded_generator(seed, f"gradients after epoch {epoch}", torch.device("cpu"))]
    sampler = (
        trainer._estimator.sampler(0, noise)
        if temperature is None
        else partial(estimators.get("stgs").draw, temperature=temperature, generator=noise)
    )
    measured = binarised(images(100))[chosen].unsqueeze(0)
    draws = [trainer.model.recon_gradient(measured, sampler).double() for _ in range(num_draws)]
    mean = sum(draws) / num_draws
    return float((sum((draw - mean) ** 2 for draw in draws) / (num_draws - 1)).mean())


def test_variance_is_over_draws_at_the_parameters_after_the_epoch() -> None:
    trainer = _trainer(_member(3, estimator="rloo"))
    value = values_of(trainer.run_epoch())["estimate_variance"]
    assert value == pytest.approx(_variance_by_hand(trainer, 1, 3))
    assert value != pytest.approx(_variance_by_hand(trainer, 2, 3))


def test_variance_is_at_the_temperature_of_the_epoch() -> None:
    settings = {"estimator": "stgs", "temperature_decay": 0.5, "num_samples": 1}
    trainer = _trainer(_member(temperature=1.0, **settings))
    trainer.run_epoch()
    value = values_of(trainer.run_epoch())["estimate_variance"]
    assert value == pytest.approx(_variance_by_hand(trainer, 2, 3, math.exp(-0.5)), rel=1e-4)
    assert value != pytest.approx(_variance_by_hand(trainer, 2, 3, 1.0), rel=1e-2)


def test_seconds_of_an_epoch_are_without_those_of_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    check_seconds_are_without(_trainer(_member(estimator="rloo")), "_measure", monkeypatch)


def test_indecater_has_far_less_variance_than_rloo() -> None:
    indecater, rloo = (_trainer(_member(estimator=name, num_draws=10)) for name in ("indecater", "rloo"))
    assert (
        values_of(indecater.run_epoch())["estimate_variance"] * 10
        < values_of(rloo.run_epoch())["estimate_variance"]
    )
