"""The task `synthetic_optimisation`: what it logs against closed forms, and that it goes on bit for bit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.estimators.oracles import state_probs, states
from tests.trainables.members import check_seconds_are_without, synthetic, values_of
from trainables.models.synthetic_objectives import SquaredDistance
from trainables.pack import Pack
from trainables.tasks.synthetic_optimisation import TASK, SyntheticOptimisationTrainer
from trainables.training.checkpoint import CheckpointFolder

pytestmark = pytest.mark.usefixtures("one_thread")

ESTIMATORS = ("indecater", "rloo", "stgs")


def pack_of(estimator: str, *seeds: int, **params: object) -> Pack:
    own = {"task": "synthetic_optimisation", **params}
    return Pack(tuple(synthetic(estimator, seed, **own) for seed in seeds))  # type: ignore[arg-type]


def values(trainer: SyntheticOptimisationTrainer) -> list[list[Mapping[str, float] | None]]:
    """Return what every epoch gave each member, without seconds."""
    return [
        [metrics and {name: value for name, value in metrics.items() if "seconds" not in name}
         for metrics in record.metrics]
        for record in trainer.history
    ]  # fmt: skip


def trained(pack: Pack) -> SyntheticOptimisationTrainer:
    trainer = SyntheticOptimisationTrainer(pack)
    while not trainer.is_finished:
        trainer.run_epoch()
    return trainer


def test_a_member_logs_every_metric_of_its_task_once_it_is_near_the_optimum() -> None:
    trainer = trained(pack_of("indecater", 0, lr=50.0))
    names = set(TASK.metrics)
    assert [set(record.metrics[0] or {}) for record in trainer.history] == [names] * 3
    slow = trained(pack_of("indecater", 0, lr=1e-6))
    assert [set(record.metrics[0] or {}) for record in slow.history] == [
        names - {"near_optimum_iteration"}
    ] * 3


def test_the_value_is_the_exact_expectation_and_the_iteration_the_first_one_near_the_optimum() -> None:
    trainer = SyntheticOptimisationTrainer(
        pack_of("indecater", 0, lr=0.02, iterations_per_epoch=1, epochs=99)
    )
    near = 0
    for iteration in range(1, 100):
        record = trainer.run_epoch().metrics[0] or {}
        ones = torch.sigmoid(trainer.parameters[0].double())
        expected = (ones * 0.501**2 + (1 - ones) * 0.499**2).mean().item()
        assert record["expected_value"] == pytest.approx(expected, rel=1e-12)
        near = near or (iteration if expected > 0.2505 else 0)
        assert record.get("near_optimum_iteration", 0) == near
    assert 1 < near < 99


def test_the_first_step_goes_up_the_exact_gradient() -> None:
    trainer = SyntheticOptimisationTrainer(pack_of("indecater", 0, epochs=1, iterations_per_epoch=1))
    trainer.run_epoch()
    gradient = 0.25 * (0.501**2 - 0.499**2) / 16
    step = 0.5 * gradient / (0.1**0.5 * gradient + 1e-7)
    torch.testing.assert_close(trainer.parameters, torch.full((1, 16), step), rtol=0.01, atol=0)


def enumerated_variance(latent_dim: int) -> float:
    """The variance of one-sample REINFORCE at p = 1/2, from all states, averaged over the variables."""
    every = states(latent_dim, 2)
    weights = state_probs(torch.zeros(latent_dim, 2, dtype=torch.float64))
    f = SquaredDistance(latent_dim, torch.device("cpu"))(every[:, None])[:, 0]
    estimates = f[:, None] * (every[..., 1] - 0.5)
    mean = (weights[:, None] * estimates).sum(0)
    return float((weights[:, None] * (estimates - mean) ** 2).sum(0).mean())


def check_variance(logged: float) -> None:
    assert logged == pytest.approx(enumerated_variance(4), rel=0.05)


def reinforce_at_half() -> SyntheticOptimisationTrainer:
    params = {"num_samples": 1, "latent_dim": 4, "num_draws": 4000, "lr": 1e-9, "epochs": 1}
    return SyntheticOptimisationTrainer(pack_of("reinforce", 0, **params))


def test_the_variance_is_that_over_draws_of_the_estimate() -> None:
    record = reinforce_at_half().run_epoch().metrics[0] or {}
    check_variance(record["estimate_variance"])


def test_check_rejects_the_variance_of_the_mean_of_draws() -> None:
    with pytest.raises(AssertionError):
        check_variance(enumerated_variance(4) / 4000)


def test_the_variance_is_unbiased_also_for_the_few_draws_that_there_are() -> None:
    trainer = SyntheticOptimisationTrainer(pack_of("rloo", 0, 1, num_draws=3))
    record = trainer.run_epoch()
    noise = trainer._generators("gradients after epoch 1")
    draws = torch.stack([trainer._estimate(noise) for _ in range(3)]).double().numpy()
    for index, expected in enumerate(draws.var(0, ddof=1).mean(-1)):
        assert values_of(record, index)["estimate_variance"] == pytest.approx(expected, rel=1e-12)


def test_the_temperature_falls_from_epoch_to_epoch() -> None:
    annealed = SyntheticOptimisationTrainer(pack_of("stgs", 0, temperature=1.0, temperature_decay=0.7))
    for _ in range(2):
        annealed.run_epoch()

    def estimate_at(temperature: float) -> torch.Tensor:
        fixed = SyntheticOptimisationTrainer(pack_of("stgs", 0, temperature=temperature))
        fixed.parameters.copy_(annealed.parameters)
        return fixed._estimate([torch.Generator().manual_seed(1)])

    actual = annealed._estimate([torch.Generator().manual_seed(1)])
    torch.testing.assert_close(actual, estimate_at(math.exp(-1.4)))
    assert not torch.allclose(actual, estimate_at(1.0))


def test_seconds_of_an_epoch_are_without_those_of_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    check_seconds_are_without(SyntheticOptimisationTrainer(pack_of("rloo", 0)), "_variance", monkeypatch)


def test_the_variance_is_not_the_spread_over_the_coordinates_of_one_estimate() -> None:
    trainer = SyntheticOptimisationTrainer(pack_of("indecater", 0, num_samples=1))
    trainer.parameters.copy_(torch.linspace(-3, 3, 16))
    spread = trainer._estimate().double().var().item()
    # IndeCateR is exact here: what is left over draws is rounding.
    assert trainer._variance().item() < 1e-5 * spread


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_measuring_leaves_the_training_as_it_is(estimator: str) -> None:
    one, other = (trained(pack_of(estimator, 0, num_draws=count)) for count in (2, 9))
    assert torch.equal(one.parameters, other.parameters)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_member_of_a_pack_equals_the_member_alone_bit_for_bit(estimator: str) -> None:
    together = trained(pack_of(estimator, 0, 5, num_samples=6))
    for index, seed in enumerate((0, 5)):
        alone = trained(pack_of(estimator, seed, num_samples=6))
        assert torch.equal(together.parameters[index], alone.parameters[0])
        assert [epoch[index] for epoch in values(together)] == [epoch[0] for epoch in values(alone)]
    assert not torch.equal(together.parameters[0], together.parameters[1]) or estimator == "indecater"


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_pack_that_is_killed_goes_on_from_its_checkpoint_bit_for_bit(
    estimator: str, tmp_path: Path
) -> None:
    settings = {"temperature": 0.5, "temperature_decay": 0.3} if estimator == "stgs" else {}
    pack = pack_of(estimator, 0, 1, num_samples=4, **settings)
    whole = trained(pack)
    killed = SyntheticOptimisationTrainer(pack)
    killed.run_epoch()
    CheckpointFolder(tmp_path).save(killed.state_dict(), killed.epoch)
    killed.run_epoch()  # which nothing has kept

    def start(state: Mapping[str, Any] | None) -> SyntheticOptimisationTrainer:
        trainer = SyntheticOptimisationTrainer(pack)
        assert state is not None
        trainer.load_state_dict(state)
        return trainer

    resumed = CheckpointFolder(tmp_path).resume(start)
    assert resumed.epoch == 1
    while not resumed.is_finished:
        resumed.run_epoch()
    assert torch.equal(resumed.parameters, whole.parameters)
    assert values(resumed) == values(whole)


@pytest.mark.parametrize("left_out", ["noise_generators", "optimizer", "iteration", "parameters"])
def test_a_state_that_lacks_something_is_refused_and_nothing_taken_over(left_out: str) -> None:
    pack = pack_of("rloo", 0)
    trainer, other = trained(pack), SyntheticOptimisationTrainer(pack)
    state = {name: part for name, part in trainer.state_dict().items() if name != left_out}
    with pytest.raises(ValueError, match="keys of the state must be"):
        other.load_state_dict(state)
    assert torch.equal(other.parameters, torch.zeros(1, 16))
    assert other.epoch == 0


def test_check_of_going_on_would_see_a_generator_that_begins_anew() -> None:
    pack = pack_of("rloo", 0)
    whole, resumed = trained(pack), SyntheticOptimisationTrainer(pack)
    resumed.run_epoch()
    state = resumed.state_dict()
    fresh = SyntheticOptimisationTrainer(pack)
    anew = fresh.state_dict()["noise_generators"]
    fresh.load_state_dict({**state, "noise_generators": anew})
    while not fresh.is_finished:
        fresh.run_epoch()
    assert not torch.equal(fresh.parameters, whole.parameters)


def test_a_member_that_is_not_finite_has_diverged_and_the_others_go_on() -> None:
    trainer = SyntheticOptimisationTrainer(pack_of("rloo", 0, 1))
    trainer.parameters[1] = float("nan")
    record = trainer.run_epoch()
    assert record.diverged == (None, 1)
    assert record.metrics[1] is None
    assert record.metrics[0] is not None
