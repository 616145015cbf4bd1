"""The task `synthetic_gradient` against an independent calculation of bias and variance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from tests.trainables.members import synthetic
from trainables.pack import Pack
from trainables.tasks.synthetic_gradient import TASK, SyntheticGradientTrainer

pytestmark = pytest.mark.usefixtures("one_thread")

SECONDS = {"estimate_seconds", "epoch_seconds"}


def measures(*members: object, **params: object) -> list[dict[str, float]]:
    """Train a pack of seeds of one estimator; return what each member logs."""
    pack = Pack(tuple(synthetic(str(members[0]), int(str(seed)), **params) for seed in members[1:]))
    trainer = SyntheticGradientTrainer(pack)
    metrics = trainer.run_epoch().metrics
    assert trainer.is_finished
    return [dict(one or {}) for one in metrics]


def without_seconds(values: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if name not in SECONDS}


def test_a_member_logs_every_metric_of_its_task() -> None:
    (logged,) = measures("rloo", 0)
    assert set(logged) == set(TASK.metrics)
    assert logged["epoch_seconds"] >= 30 * logged["estimate_seconds"] > 0


def test_bias_and_variance_are_those_of_the_cosines_of_the_estimates() -> None:
    member = synthetic("reinforce", num_samples=5)
    trainer = SyntheticGradientTrainer(Pack((member,)))
    exact = trainer._exact.numpy().ravel()
    state = trainer._estimator.noise[0].get_state()
    estimates = [trainer._estimator.gradient(trainer._logits, trainer._f).numpy().ravel() for _ in range(30)]
    trainer._estimator.noise[0].set_state(state)
    cosines = [one @ exact / np.linalg.norm(one.astype("f8")) / np.linalg.norm(exact) for one in estimates]
    logged = trainer.run_epoch().metrics[0] or {}
    assert logged["gradient_bias"] == pytest.approx(1 - np.mean(cosines), rel=1e-6)
    assert logged["cosine_variance"] == pytest.approx(np.var(cosines), rel=1e-6)


def check_problems(logits: torch.Tensor, targets: torch.Tensor) -> None:
    """Logits (N, L, C) are standard normal, and targets (N, L) are drawn from what they define."""
    assert stats.kstest(logits.double().ravel().numpy(), "norm").pvalue > 1e-3
    probs = torch.softmax(logits.double(), -1)
    expected = probs.sum((0, 1))
    counts = torch.bincount(targets.ravel(), minlength=logits.shape[-1]).double()
    # The counts of draws that differ in their probabilities vary less than these multinomial ones.
    assert ((counts - expected).abs() < 4 * expected.sqrt()).all()
    assert probs.gather(-1, targets.unsqueeze(-1)).mean() == pytest.approx(
        probs.square().sum(-1).mean().item(), rel=0.05
    )


def problems() -> tuple[torch.Tensor, torch.Tensor]:
    trainer = SyntheticGradientTrainer(Pack(tuple(synthetic("rloo", seed) for seed in range(2000))))
    return trainer._logits, trainer._f._target.squeeze(0).long()


def test_problems_are_drawn_as_the_paper_says() -> None:
    check_problems(*problems())


@pytest.mark.parametrize(
    "planted",
    [
        lambda logits, targets: (3 * logits, targets),
        lambda logits, targets: (logits, torch.full_like(targets, 2)),
        lambda logits, targets: (logits, targets.roll(1, 0)),
    ],
    ids=["wider logits", "one category", "targets of other logits"],
)
def test_the_check_of_problems_rejects(planted: Any) -> None:
    with pytest.raises(AssertionError):
        check_problems(*planted(*problems()))


@pytest.mark.parametrize("shape", [(3, 12), (10, 6), (100, 3)])
def test_indecater_with_one_sample_beats_the_others_with_a_thousand(shape: tuple[int, int]) -> None:
    sizes = {"categorical_dim": shape[0], "latent_dim": shape[1], "num_draws": 8}
    (ours,) = measures("indecater", 0, num_samples=1, **sizes)
    assert ours["gradient_bias"] < 1e-4
    for other in ("reinforce", "rloo", "stgs"):
        (theirs,) = measures(other, 0, num_samples=1000, **sizes)
        assert 10 * ours["cosine_variance"] < theirs["cosine_variance"]
        assert ours["gradient_bias"] < theirs["gradient_bias"]


def test_bias_of_the_straight_through_estimator_does_not_average_out_as_rloo_s_noise_does() -> None:
    (few,), (many,) = (measures("rloo", 0, num_samples=count) for count in (10, 1000))
    assert many["gradient_bias"] < 0.1 * few["gradient_bias"]
    (few,), (many,) = (measures("stgs", 0, num_samples=count) for count in (100, 10_000))
    assert many["gradient_bias"] > 0.5 * few["gradient_bias"]


@pytest.mark.parametrize(("estimator", "expected"), [("indecater", 7 * 12), ("rloo", 7), ("stgs", 7)])
def test_function_evaluations_are_those_of_the_budget(estimator: str, expected: int) -> None:
    assert [one["function_evaluations"] for one in measures(estimator, 0, 1, num_samples=7)] == [expected] * 2


@pytest.mark.parametrize("estimator", ["indecater", "reinforce", "rloo", "stgs"])
def test_a_member_of_a_pack_equals_the_member_alone_bit_for_bit(estimator: str) -> None:
    together = measures(estimator, 4, 9, num_samples=5)
    alone = [measures(estimator, seed, num_samples=5)[0] for seed in (4, 9)]
    assert list(map(without_seconds, together)) == list(map(without_seconds, alone))
    assert without_seconds(together[0]) != without_seconds(together[1])


def test_estimators_of_a_seed_share_the_problem_and_seeds_have_their_own() -> None:
    one, other, third = (
        SyntheticGradientTrainer(Pack((synthetic(name, seed),)))
        for name, seed in (("rloo", 1), ("stgs", 1), ("rloo", 2))
    )
    assert torch.equal(one._logits, other._logits)
    assert torch.equal(one._exact, other._exact)
    assert not torch.equal(one._logits, third._logits)


def test_a_restored_pack_has_the_record_and_draws_on_from_where_it_was() -> None:
    pack = Pack((synthetic("rloo", 0), synthetic("rloo", 1)))
    whole, restored = SyntheticGradientTrainer(pack), SyntheticGradientTrainer(pack)
    whole.run_epoch()
    restored.load_state_dict(whole.state_dict())
    assert restored.is_finished
    assert restored.history == whole.history
    assert torch.equal(restored._estimator.noise[1].get_state(), whole._estimator.noise[1].get_state())
