"""The closed forms against enumeration of all states, in float64."""

from __future__ import annotations

import pytest
import torch

from estimators.diagnostics import exact_gradient
from tests.estimators.oracles import normal, state_probs, states
from tests.rounding import rounding
from trainables.models.synthetic_objectives import AbsoluteDistance, Counted, Separable, SquaredDistance

CPU = torch.device("cpu")
CASES = {
    "absolute distance": (AbsoluteDistance(torch.tensor([[2, 0, 1, 2, 2]]), 3), normal(1, 5, 3, seed=1)),
    "squared distance": (SquaredDistance(7, CPU), normal(1, 7, 2, seed=2)),
}


def enumerated(f: Separable, logits: torch.Tensor) -> torch.Tensor:
    """E[f] as a sum over all states, shape (1,)."""
    every = states(*logits.shape[1:])[:, None]
    return (state_probs(logits[0]) * f(every)[:, 0]).sum()[None]  # type: ignore[operator]


def check_closed_forms(f: Separable, logits: torch.Tensor) -> None:
    every = states(*logits.shape[1:])[:, None]
    losses: torch.Tensor = f(every)  # type: ignore[operator]
    # A sum over states of sums over variables, in f's own dtype where that is narrower.
    length = len(every) + 2 * logits[0].numel()
    tolerance = rounding(2 * length, losses.abs().max().item(), losses.dtype)
    torch.testing.assert_close(f.expectation(logits), enumerated(f, logits), rtol=0, atol=tolerance)
    exact = exact_gradient(logits, f)  # type: ignore[arg-type]
    torch.testing.assert_close(f.exact_gradient(logits), exact, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("f", "logits"), CASES.values(), ids=CASES)
def test_expectation_and_gradient_are_those_of_all_states(f: Separable, logits: torch.Tensor) -> None:
    check_closed_forms(f, logits)


class _WithoutTheOthers(SquaredDistance):
    """Forgets to divide by the number of variables."""

    def exact_gradient(self, logits: torch.Tensor) -> torch.Tensor:
        return super().exact_gradient(logits) * logits.shape[1]


def test_check_rejects_a_gradient_of_the_sum_for_that_of_the_mean() -> None:
    with pytest.raises(AssertionError, match="not close"):
        check_closed_forms(_WithoutTheOthers(7, CPU), CASES["squared distance"][1])


def test_distance_is_that_of_the_numbers_of_the_categories() -> None:
    f = AbsoluteDistance(torch.tensor([[2, 0], [1, 1]]), 3)
    samples = torch.eye(3)[torch.tensor([[[0, 0], [1, 2]], [[2, 2], [0, 0]]])]
    assert f(samples).tolist() == [[2.0, 1.0], [2.0, 2.0]]


def test_the_optimum_is_all_ones_and_nothing_else() -> None:
    f = SquaredDistance(4, CPU)
    every = states(4, 2)[:, None]
    losses = f(every)[:, 0]
    assert every[losses.argmin(), 0, :, 1].tolist() == [1.0] * 4
    tolerance = rounding(4 + 2, 0.251001, losses.dtype)
    assert -losses.min().item() == pytest.approx(0.251001, abs=tolerance)
    assert pytest.approx(0.251001, abs=tolerance) == SquaredDistance.OPTIMUM
    assert -losses.max().item() == pytest.approx(0.249001, abs=tolerance)


def test_evaluations_are_counted_sample_by_sample() -> None:
    f = Counted(SquaredDistance(3, CPU))
    for count in (5, 2):
        f(torch.zeros(count, 4, 3, 2))
    assert f.count == 7
