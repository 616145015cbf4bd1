"""`catsweep check`: shipped estimators keep the contract, and every planted fault is found by its rule."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

import estimators
from estimators.checks.contract import CONTRACT, check_contract
from estimators.checks.quality import Problem, polynomials, quality
from estimators.own import DECLARED, OwnEstimator, estimator
from estimators.registry import SHIPPED
from estimators.sampling import sample_one_hot


def broken_rules(entry: Any) -> set[str]:
    return {one.rule for one in check_contract(entry) if one.problem}


@pytest.mark.parametrize("name", SHIPPED)
def test_those_that_ship_keep_the_contract(name: str) -> None:
    assert {one.rule: one.problem for one in check_contract(estimators.get(name)) if one.problem} == {}


def straight_through(logits: Any, generator: Any, *, draw: Any = None) -> Any:
    probs = logits.softmax(-1)
    return (sample_one_hot(logits, generator) if draw is None else draw) - probs.detach() + probs


def global_generator(logits: Any, *, generator: Any = None) -> Any:
    return straight_through(logits, None)


def same_always(logits: Any, *, generator: Any = None) -> Any:
    return straight_through(logits, torch.Generator().manual_seed(0))


def float32_only(logits: Any, *, generator: Any = None) -> Any:
    return straight_through(logits, generator).float()


def draws_what_is_masked(logits: Any, *, generator: Any = None) -> Any:
    return straight_through(logits.nan_to_num(neginf=0.0), generator)


def overflows(logits: Any, *, generator: Any = None) -> Any:
    probs = logits.exp() / logits.exp().sum(-1, keepdim=True)
    return sample_one_hot(logits, generator) - probs.detach() + probs


def hides_nan(logits: Any, *, generator: Any = None) -> Any:
    return straight_through(logits.nan_to_num(), generator)


def mixes_the_batch(logits: Any, *, generator: Any = None) -> Any:
    return straight_through(logits - logits.mean(0, keepdim=True), generator)


def no_distribution(logits: Any, *, generator: Any = None) -> Any:
    return 2 * straight_through(logits, generator)


def changes_its_arguments(logits: Any, *, generator: Any = None) -> Any:
    with torch.no_grad():
        logits.add_(1)
    return straight_through(logits, generator)


def shares_a_generator(logits: Any, *, generator: Any = None) -> Any:
    one = generator[0] if isinstance(generator, list) else generator
    return straight_through(logits, one)


@pytest.mark.parametrize(
    ("function", "rule", "declared"),
    [
        (global_generator, "the global generator is left alone", {}),
        (same_always, "a seed decides the result", {}),
        (float32_only, "shape and dtype, float16 to float64", {}),
        (draws_what_is_masked, "masked categories (logits of -inf)", {}),
        (overflows, "extreme logits", {}),
        (hides_nan, "NaN logits are not hidden", {}),
        (mixes_the_batch, "NaN logits are not hidden", {}),
        (no_distribution, "the sample is a distribution over categories", {}),
        (changes_its_arguments, "arguments are left alone", {}),
        (shares_a_generator, "a member is the same alone and in a pack", {"takes_packs": True}),
    ],
)
def test_a_planted_fault_is_found_by_its_rule(
    function: Callable[..., Any], rule: str, declared: dict[str, Any]
) -> None:
    entry = getattr(estimator(name="mine", **declared)(function), DECLARED)
    assert isinstance(entry, OwnEstimator)
    assert rule in CONTRACT
    assert rule in broken_rules(entry.with_code(function, "1"))


def of_degree(degree: int) -> Problem:
    return list(polynomials())[degree - 1]


def test_what_is_unbiased_is_measured_as_such_and_what_is_not_is_not() -> None:
    for name, degree, is_unbiased in (
        ("reinmax", 2, True),
        ("reinmax", 3, False),
        ("st", 1, True),
        ("st", 2, False),
        ("rloo", 4, True),
    ):
        measured = quality(estimators.get(name), of_degree(degree))
        assert (measured.bias < 3 * measured.noise) == is_unbiased, (name, degree, measured)


def test_spread_is_that_of_the_estimates() -> None:
    """Of REINFORCE with one state of two, by hand: f = w·x, estimate f (D - π)."""
    logits = torch.tensor([[[0.0, math.log(3.0)]]])
    problem = Problem("two", logits, lambda samples: samples[..., 0].sum(-1) * 4.0, num_draws=20_000)
    p = 0.25
    exact = 4 * p * (1 - p)
    second = p * (4 * (1 - p)) ** 2  # f is 0 at the other state
    measured = quality(estimators.get("exact"), problem)
    assert measured.bias < 1e-6
    spread = quality(estimators.get("reinforce"), problem).spread
    one_sample = math.sqrt(2 * (second - exact**2)) / (math.sqrt(2) * exact)
    assert spread == pytest.approx(one_sample / math.sqrt(2), rel=0.05)  # two samples are averaged
