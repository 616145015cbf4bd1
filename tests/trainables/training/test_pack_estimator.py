"""Estimates of either family: exact where theory says so, the mean of draws, and the same in any pack."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

import estimators
from tests.rounding import check_equal_but_for_rounding, rounding
from tests.trainables.members import synthetic
from trainables.models.synthetic_objectives import AbsoluteDistance
from trainables.pack import Pack
from trainables.schema import Member
from trainables.training.pack_estimator import PackEstimator, temperature_after

pytestmark = pytest.mark.usefixtures("one_thread")

LOGITS = torch.randn(1, 4, 3, generator=torch.Generator().manual_seed(0))
F = AbsoluteDistance(torch.tensor([[2, 0, 1, 1]]), 3)
WEIGHTS = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))


def linear(samples: torch.Tensor) -> torch.Tensor:
    return (samples * WEIGHTS).sum((-1, -2))


def seeded(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


Estimate = Callable[..., torch.Tensor]


def estimate_of(*members: Member) -> Estimate:
    """Return what maps logits, f, generators and the epochs done to an estimate."""
    estimator = PackEstimator(Pack(members))
    return lambda logits, f, generators, epoch=0: estimator.gradient(logits, f, epoch, generators)


def check_exact(estimate: Estimate) -> None:
    found = estimate(LOGITS, F, seeded(3)).double()
    # Three losses of up to eight are weighed by probabilities, which are functions of rounded logits.
    tolerance = rounding(4 + 3 + 3, 8.0)
    torch.testing.assert_close(found, F.exact_gradient(LOGITS), rtol=0, atol=tolerance)


def test_indecater_with_one_sample_is_exact_for_a_sum_over_variables() -> None:
    check_exact(estimate_of(synthetic("indecater", num_samples=1)))


@pytest.mark.parametrize("wrong", ["rloo", "stgs"])
def test_check_rejects_an_estimate_that_is_not(wrong: str) -> None:
    with pytest.raises(AssertionError, match="not close"):
        check_exact(estimate_of(synthetic(wrong, num_samples=1000)))


def check_mean_of_draws(estimate: Estimate, count: int) -> None:
    """Against the definition: the estimator's own function, a draw at a time, from the same noise."""
    logits = LOGITS.expand(count, 4, 3).unsqueeze(0).contiguous().requires_grad_()
    sample = estimators.stgs(logits, temperature=0.7, generator=seeded(5))
    (one_by_one,) = torch.autograd.grad(linear(sample).sum(), logits)
    largest = one_by_one.abs().max().item()
    actual = estimate(LOGITS, linear, seeded(5))
    check_equal_but_for_rounding(actual, one_by_one.mean(1), length=count + 2 * 3, size=largest)


def test_a_pathwise_estimate_is_the_mean_over_its_draws() -> None:
    check_mean_of_draws(estimate_of(synthetic("stgs", num_samples=50, temperature=0.7)), 50)


def test_check_rejects_a_sum_over_draws() -> None:
    right = estimate_of(synthetic("stgs", num_samples=50, temperature=0.7))
    with pytest.raises(AssertionError, match="not close"):
        check_mean_of_draws(lambda *given: right(*given) * 50, 50)


def test_chunks_change_the_memory_and_not_what_is_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def watched(samples: torch.Tensor) -> torch.Tensor:
        calls.append(len(samples))
        return linear(samples)

    exact = estimate_of(synthetic("st", num_samples=40))(LOGITS, linear, seeded(1))
    monkeypatch.setattr("trainables.training.pack_estimator._NUMBERS_AT_ONCE", 16 * 12)
    actual = estimate_of(synthetic("st", num_samples=40))(LOGITS, watched, seeded(1))
    check_equal_but_for_rounding(actual, exact, length=40 + 2 * 3)
    assert calls == [16, 16, 8]


def test_a_temperature_is_that_of_the_epoch() -> None:
    annealed = estimate_of(synthetic("stgs", temperature=0.8, temperature_decay=0.1, temperature_floor=0.5))
    for epoch, temperature in ((0, 0.8), (2, 0.8 * math.exp(-0.2)), (9, 0.5)):
        fixed = estimate_of(synthetic("stgs", temperature=temperature))
        assert torch.equal(
            annealed(LOGITS, linear, seeded(2), epoch), fixed(LOGITS, linear, seeded(2), epoch)
        )


@pytest.mark.parametrize("estimator", ["indecater", "reinforce", "rloo", "stgs", "reinmax", "rebar", "exact"])
def test_a_member_has_the_same_numbers_in_any_pack(estimator: str) -> None:
    own = {"num_samples": 7} if estimator != "exact" else {}
    logits = torch.randn(3, 4, 3, generator=torch.Generator().manual_seed(4))
    members = tuple(synthetic(estimator, seed, **own) for seed in range(3))
    together = estimate_of(*members)(logits, linear, seeded(0, 1, 2))
    for index, one in enumerate(members):
        alone = estimate_of(one)(logits[index : index + 1], linear, seeded(index))
        assert torch.equal(together[index], alone[0])


def test_a_temperature_falls_by_the_same_factor_an_epoch_down_to_its_floor() -> None:
    assert temperature_after(0, 1.0, 0.01, 0.1) == 1.0
    assert temperature_after(7, 0.1, 0.05, 0.0) == pytest.approx(
        0.1 * math.exp(-0.35), rel=rounding(2, 1.0, torch.float64)
    )
    assert temperature_after(300, 1.0, 0.01, 0.1) == 0.1
    assert temperature_after(300, 0.7, 0.0, 0.0) == 0.7
