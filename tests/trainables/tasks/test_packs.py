"""A pack of three trains as each member alone, bit for bit, in every task: the antithetic estimators."""

from __future__ import annotations

import pytest

from tests.trainables.members import data, images, member, synthetic, values_of
from trainables.pack import Pack
from trainables.schema import Member
from trainables.tasks.bernoulli_vae import BernoulliVaeTrainer
from trainables.tasks.gradient_quality import GradientQualityTrainer
from trainables.tasks.mnist_addition import MnistAdditionTrainer
from trainables.tasks.synthetic_gradient import SyntheticGradientTrainer
from trainables.tasks.synthetic_optimisation import SyntheticOptimisationTrainer
from trainables.training.training_data import TrainingData

pytestmark = pytest.mark.usefixtures("one_thread")

BINARY = ("disarm", "arm", "arms")
FEW, TEST = images(100), images(50, seed=1)


def check_pack(trainer_of, members: list[Member]) -> None:  # type: ignore[no-untyped-def]
    together = trainer_of(Pack(tuple(members))).run_epoch()
    shown = [_without_seconds(values_of(together, index)) for index in range(len(members))]
    assert shown[0] != shown[1]
    for index, one in enumerate(members):
        assert shown[index] == _without_seconds(values_of(trainer_of(Pack((one,))).run_epoch()))


def _without_seconds(values: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if "seconds" not in name}


@pytest.mark.parametrize("name", [*BINARY, "disarm_tree"])
@pytest.mark.parametrize(
    ("task", "trainer"),
    [
        ("synthetic_gradient", SyntheticGradientTrainer),
        ("synthetic_optimisation", SyntheticOptimisationTrainer),
    ],
)
def test_synthetic_tasks(name: str, task: str, trainer: object) -> None:
    own = {"categorical_dim": 2, "latent_dim": 8, "num_samples": 3}
    check_pack(trainer, [synthetic(name, seed, task, **own) for seed in range(3)])


@pytest.mark.parametrize("name", [*BINARY, "disarm_tree", "gst_p"])
def test_bernoulli_vae(name: str) -> None:
    own = {"categorical_dim": 2, "latent_dim": 16, "batch_size": 20, "num_samples": 2, "num_draws": 3}
    members = [
        member(seed, task="bernoulli_vae", estimator=name, temperature=None, **own) for seed in range(3)
    ]
    check_pack(lambda pack: BernoulliVaeTrainer(pack, TrainingData.of_images(FEW, TEST)), members)


def test_mnist_addition() -> None:
    own = {"categorical_dim": 10, "latent_dim": 2, "batch_size": 10, "num_samples": 4, "temperature": None}
    members = [member(seed, task="mnist_addition", estimator="disarm_tree", **own) for seed in range(3)]
    check_pack(lambda pack: MnistAdditionTrainer(pack, data(100, 50)), members)


@pytest.mark.parametrize("name", [*BINARY, "disarm_tree", "gst_p"])
def test_gradient_quality(name: str) -> None:
    own = {
        "task": "gradient_quality", "categorical_dim": 2, "latent_dim": 8, "batch_size": 20, "epochs": 1,
        "trained_with": "reinmax", "measured_epochs": "1", "num_draws": 10, "temperature": None,
    }  # fmt: skip
    judged = [member(0, estimator=one, **own) for one in (name, "rloo", "exact")]
    check_pack(lambda pack: GradientQualityTrainer(pack, TrainingData.of_images(FEW, TEST)), judged)
