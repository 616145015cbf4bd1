"""What the trainers of all tasks have in common."""

from __future__ import annotations

import pytest
import torch

from tests.trainables.members import data, member, synthetic, trainer_of
from trainables.pack import Pack
from trainables.schema import Member
from trainables.task_registry import TASKS

_BY_F = {"estimator": "indecater", "temperature": None, "num_samples": 2, "batch_size": 10}
_JUDGED = {
    "task_version": 1,
    "trained_with": "reinmax",
    "trained_temperature": 1.0,
    "measured_epochs": "1",
    "num_draws": 5,
    "categorical_dim": 2,
}
MEMBERS: dict[str, Member] = {
    "mnist_vae": member(estimator="reinmax_cv"),
    "gradient_quality": member(task="gradient_quality", epochs=1, **_JUDGED),
    "synthetic_gradient": synthetic("gumbel_rao"),
    "synthetic_optimisation": synthetic("gumbel_rao", task="synthetic_optimisation"),
    "bernoulli_vae": member(task="bernoulli_vae", categorical_dim=2, num_draws=3, **_BY_F),
    "mnist_addition": member(task="mnist_addition", categorical_dim=10, **_BY_F),
}


def check_global_generator_is_untouched(task: str) -> None:
    before = torch.get_rng_state()
    trainer = trainer_of(Pack((MEMBERS[task],)), data(100, 40))
    trainer.run_epoch()
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("task", TASKS)
def test_training_does_not_touch_the_global_generator(task: str) -> None:
    """Estimators draw from it where nobody hands them a generator."""
    check_global_generator_is_untouched(task)


def test_check_rejects_a_draw_without_a_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "trainables.training.pack_estimator.generators_of", lambda pack, *_: [None] * len(pack)
    )
    with pytest.raises(AssertionError):
        check_global_generator_is_untouched("mnist_vae")
