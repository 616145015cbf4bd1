"""Judging estimators in training, against the plain training and against an independent calculation."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from tests.trainables.members import images, values_of
from trainables.pack import Pack
from trainables.schema import EPOCH_SECONDS, MEASUREMENT_SECONDS, Member
from trainables.schema.metrics import names_of
from trainables.tasks.gradient_quality import TASK, GradientQualityTrainer, trained_member
from trainables.tasks.mnist_vae import DiscreteVaeTrainer
from trainables.training.checkpoint import CheckpointFolder
from trainables.training.epochs import EpochRecord
from trainables.training.generators import seeded_generator
from trainables.training.training_data import TrainingData

pytestmark = pytest.mark.usefixtures("one_thread")

SECONDS = {EPOCH_SECONDS, MEASUREMENT_SECONDS}
TRAIN, TEST = images(600), images(200, seed=1)
TRAINING_METRICS = names_of(*TASK.epoch_metrics)
DATA = TrainingData.of_images(TRAIN, TEST)


def judged(estimator: str, seed: int = 0, **changes: object) -> Member:
    params = {
        "task": "gradient_quality",
        "task_version": 1,
        "dataset": "mnist",
        "estimator": estimator,
        "categorical_dim": 3,
        "latent_dim": 2,
        "optimizer": "adam",
        "lr": 0.0005,
        "batch_size": 50,
        "epochs": 3,
        "seed": seed,
        "trained_with": "reinmax",
        "trained_temperature": 1.3,
        "measured_epochs": "1,3",
        "num_draws": 20,
    }
    return Member.from_params({**params, **changes})


PACK = Pack((judged("st", temperature=0.7), judged("exact"), judged("reinmax_rao", num_mc_samples=5)))


def trainer(pack: Pack = PACK) -> GradientQualityTrainer:
    return GradientQualityTrainer(pack, DATA)


def run(trainer: Any) -> list[EpochRecord]:
    while not trainer.is_finished:
        trainer.run_epoch()
    history: list[EpochRecord] = trainer.history
    return history


def test_the_training_is_the_one_that_the_task_mnist_vae_does() -> None:
    plain = run(DiscreteVaeTrainer(Pack((trained_member(PACK.members[0]),)), DATA))
    for record, of_training in zip(run(trainer()), plain, strict=True):
        for index in range(len(PACK)):
            shown = values_of(record, index)
            assert {name: shown[name] for name in TRAINING_METRICS if name not in SECONDS} == values_of(
                of_training, 0
            )


def test_the_trained_member_is_one_of_mnist_vae() -> None:
    params = trained_member(judged("rloo", seed=7, num_samples=3)).params
    expected = {
        "task": "mnist_vae",
        "estimator": "reinmax",
        "temperature": "1.3",
        "seed": "7",
        "lr": "0.0005",
    }
    assert expected.items() <= params.items()
    assert not {"trained_with", "measured_epochs", "num_draws", "num_samples"} & params.keys()
    assert trained_member(judged("st", trained_with="reinmax_rk2")).params["beta"] == "0.5"
    assert "temperature" not in trained_member(judged("st", trained_with="exact")).params


@pytest.mark.parametrize(
    ("name", "value"),
    [("optimizer", "radam"), ("lr", "0.25"), ("batch_size", "7"), ("epochs", "9"), ("precision", "tf32")],
)
def test_the_trained_member_has_the_training_that_is_asked_for(name: str, value: str) -> None:
    assert trained_member(judged("st", **{name: value})).params[name] == value


@pytest.mark.parametrize("seed", [0, 3])
def test_judged_is_the_gradient_at_training_images_that_the_seed_chooses(seed: int) -> None:
    chooser = seeded_generator(seed, "measured images", torch.device("cpu"))
    chosen = torch.randperm(len(TRAIN), generator=chooser)[:50]
    assert torch.equal(trainer(Pack((judged("st", seed),)))._images[0], TRAIN[chosen])


def test_every_judging_draws_anew() -> None:
    history = run(trainer(Pack((judged("rloo", lr=1e-30, measured_epochs="1,2"),))))
    first, second = (values_of(record)["gradient_variance"] for record in history[:2])
    assert first != pytest.approx(second, rel=1e-6)


def test_estimators_are_judged_after_the_epochs_asked_for_and_no_others() -> None:
    for record in run(trainer()):
        for index in range(len(PACK)):
            expected = {*TRAINING_METRICS, *(TASK.metrics if record.epoch in (1, 3) else ())}
            metrics = record.metrics[index]
            assert metrics is not None
            assert set(metrics) == expected


def test_the_exact_gradient_is_judged_to_be_exact() -> None:
    shown = values_of(run(trainer())[-1], 1)
    assert shown["gradient_cosine"] == pytest.approx(1, abs=1e-6)
    assert shown["gradient_cosine_batch"] == pytest.approx(1, abs=1e-6)
    assert shown["gradient_std"] == 0


@pytest.mark.parametrize("index", range(3))
def test_a_member_alone_is_judged_as_in_a_pack(index: int) -> None:
    alone = run(trainer(Pack((PACK.members[index],))))
    together = run(trainer())
    assert [values_of(record, 0) for record in alone] == [values_of(record, index) for record in together]


def test_a_resumed_training_judges_as_one_that_went_through() -> None:
    through = run(trainer())
    interrupted = trainer()
    interrupted.run_epoch()
    resumed = trainer()
    resumed.load_state_dict(interrupted.state_dict())
    assert resumed.epoch == 1
    for record, expected in zip(run(resumed), through, strict=True):
        for index in range(len(PACK)):
            assert values_of(record, index) == values_of(expected, index)


def test_a_resumed_training_survives_a_checkpoint(tmp_path: Path) -> None:
    interrupted, folder = trainer(), CheckpointFolder(tmp_path)
    for _ in range(2):
        interrupted.run_epoch()
        folder.save(interrupted.state_dict(), interrupted.epoch)

    def start(state: Mapping[str, Any] | None) -> GradientQualityTrainer:
        resumed = trainer()
        assert state is not None
        resumed.load_state_dict(state)
        return resumed

    resumed = folder.resume(start)
    assert values_of(run(resumed)[-1], 2) == values_of(run(trainer())[-1], 2)


@pytest.mark.parametrize("num_draws", [1, 8])
def test_judging_is_part_of_the_seconds_of_an_epoch_and_leaves_no_record(num_draws: int) -> None:
    judge = trainer(Pack((judged("st", num_draws=num_draws),)))
    assert judge.time_epoch().other > 0
    assert judge.history == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 0}, "format"),
        ({"members": []}, "must be of members"),
        ({"trainer": None}, "training of 1 epochs"),
        ({"history": []}, "training of 0 epochs"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(change: Mapping[str, object], message: str) -> None:
    interrupted = trainer()
    interrupted.run_epoch()
    fresh = trainer()
    with pytest.raises(ValueError, match=message):
        fresh.load_state_dict({**interrupted.state_dict(), **change})
    assert fresh.epoch == 0


def test_a_training_that_diverges_is_nobodys_result() -> None:
    history = run(trainer(Pack((judged("st", lr=1e30), judged("exact", lr=1e30)))))
    assert history[-1].metrics == (None, None)
    assert history[-1].diverged == (1, 1)


def test_members_of_different_trainings_share_no_pack() -> None:
    for change in ({"seed": 1}, {"trained_with": "st"}, {"lr": 0.1}, {"num_draws": 5}):
        with pytest.raises(ValueError, match="members of a pack may differ only in"):
            Pack((judged("st"), judged("reinmax", **change)))


# The measures once more: an autograd network of the trained parameters, and enumeration by loops.


def independent_measures(judge: GradientQualityTrainer, wrong: str) -> dict[str, float]:
    """What `st` at τ = 0.7 has in the limit of infinitely many draws."""
    model = judge._trainer.model
    y = judge._images[0].double() / 255

    def layers(network: Any, x: torch.Tensor) -> torch.Tensor:
        *hidden, last = [weight[0].double() for weight in network.weights]
        for weight in hidden:
            x = torch.relu(x @ weight[:-1] + weight[-1])
        return x @ last[:-1] + last[-1]

    with torch.no_grad():
        theta = layers(model.encoder, y).view(-1, 2, 3)
    means, squares, exact = (torch.zeros_like(theta) for _ in range(3))
    probs = torch.softmax(theta, -1)
    for state in itertools.product(range(3), repeat=2):
        x = functional.one_hot(torch.tensor(state), 3).double().expand_as(theta).clone().requires_grad_()
        pixels = layers(model.decoder, x.flatten(1))
        losses = functional.binary_cross_entropy_with_logits(pixels, y, reduction="none").sum(-1)
        (slope,) = torch.autograd.grad(losses.sum(), x)
        weight = (probs * x.detach()).sum(-1).prod(-1)[:, None, None]
        tempered = torch.softmax(theta / 0.7, -1)
        centre = 0 if wrong == "gradient_cosine" else (tempered * slope).sum(-1, keepdim=True)
        estimate = tempered * (slope - centre) / (1 if wrong == "gradient_variance" else 0.7)
        means, squares = means + weight * estimate, squares + weight * estimate**2
        exact = exact + weight * losses.detach()[:, None, None] * (x.detach() - probs)
    spread = (squares - means**2).clamp(min=0).sqrt().flatten(1).norm(dim=1)
    norms = means.flatten(1).norm(dim=1)
    return {
        "gradient_cosine": functional.cosine_similarity(means.flatten(1), exact.flatten(1)).mean().item(),
        "gradient_cosine_batch": functional.cosine_similarity(means.flatten(), exact.flatten(), 0).item(),
        "gradient_variance": ((squares - means**2).clamp(min=0).flatten(1).norm(dim=1) / norms).mean().item(),
        "gradient_std": spread.mean().item(),
        "gradient_relative_std": (spread / norms).mean().item(),
    }


def check_measures(wrong: str = "") -> None:
    judge = trainer(Pack((judged("st", temperature=0.7, num_draws=4000, measured_epochs="3"),)))
    shown = values_of(run(judge)[-1], 0)
    for name, expected in independent_measures(judge, wrong).items():
        assert shown[name] == pytest.approx(expected, rel=0.03), name


def test_measures_are_those_of_an_independent_calculation() -> None:
    check_measures()


@pytest.mark.parametrize("wrong", ["gradient_cosine", "gradient_variance"])
def test_the_check_rejects_another_direction_and_another_factor(wrong: str) -> None:
    with pytest.raises(AssertionError, match=wrong):
        check_measures(wrong)
