from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

import estimators
from tests.complaint import complaint
from tests.estimators.statistical_checks import check_mean_is
from trainables.models.digit_sum import IsSum, sum_probs

NUM_DIGITS, BATCH_SIZE, NUM_SAMPLES = 3, 4, 5


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _labels() -> torch.Tensor:
    return torch.tensor([[13, 5, 0, 27], [12, 9, 14, 20]])


def _categories(*leading: int) -> torch.Tensor:
    return torch.randint(10, (*leading, 2, BATCH_SIZE, NUM_DIGITS), generator=_generator(1))


def _changed(categories: torch.Tensor, digit: int, value: int) -> torch.Tensor:
    changed = categories.clone()
    changed[..., digit] = value
    return (changed.sum(-1) == _labels()).float()


def check_single_changes(f: IsSum) -> None:
    categories = _categories(NUM_SAMPLES)
    changes = f.single_changes(categories)
    for digit, value in itertools.product(range(NUM_DIGITS), range(10)):
        assert torch.equal(changes[..., digit, value], _changed(categories, digit, value))
    assert changes.sum() > 0


def check_own_changes(f: IsSum) -> None:
    categories = _categories(NUM_DIGITS, NUM_SAMPLES)
    changes = f.own_changes(categories)
    for digit, value in itertools.product(range(NUM_DIGITS), range(10)):
        assert torch.equal(changes[digit, ..., value], _changed(categories[digit], digit, value))
    assert changes.sum() > 0


CHECKS = [check_single_changes, check_own_changes]


@pytest.mark.parametrize("check", CHECKS)
def test_changes_are_those_evaluated_from_scratch(check: Any) -> None:
    assert complaint(check, IsSum(_labels())) == ""


class _KeepsAnotherDigit(IsSum):
    """Planted: the sum of the others holds a 4 that is not theirs."""

    def _is_wanted(self, others: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return super()._is_wanted(others + 4, labels)


class _AnotherDigit(IsSum):
    """Planted: changes the first digit, whichever is asked about."""

    def single_changes(self, categories: torch.Tensor) -> torch.Tensor:
        return super().single_changes(categories[..., :1].expand(categories.shape))

    def own_changes(self, categories: torch.Tensor) -> torch.Tensor:
        return super().own_changes(categories.roll(1, -1))


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("planted", [_KeepsAnotherDigit, _AnotherDigit])
def test_checks_reject(check: Any, planted: type[IsSum]) -> None:
    with pytest.raises(AssertionError):
        check(planted(_labels()))


def test_a_sample_counts_where_its_sum_is_the_label() -> None:
    f = IsSum(torch.tensor([[13, 13]]))
    samples = torch.nn.functional.one_hot(torch.tensor([[[[4, 9], [4, 8]]]]), 10).float()
    assert f(samples).tolist() == [[[1.0, 0.0]]]


@pytest.mark.parametrize(("num_digits", "categorical_dim"), [(1, 10), (2, 10), (3, 4)])
def test_probabilities_of_sums_are_those_of_all_states(num_digits: int, categorical_dim: int) -> None:
    logits = torch.randn(2, num_digits, categorical_dim, generator=_generator(), dtype=torch.float64)
    probs = torch.softmax(logits, -1)
    expected = torch.zeros(2, num_digits * (categorical_dim - 1) + 1, dtype=torch.float64)
    for state in itertools.product(range(categorical_dim), repeat=num_digits):
        expected[:, sum(state)] += torch.stack([probs[:, d, v] for d, v in enumerate(state)]).prod(0)
    torch.testing.assert_close(sum_probs(probs), expected)


REPEATS = 4000


def check_unbiased(name: str, label: int, num_samples: int, scale: float = 1.0) -> None:
    """Value and gradient of the estimate against the convolution and its derivative."""
    logits = torch.randn(NUM_DIGITS, 10, generator=_generator(3), dtype=torch.float64)
    leaf = logits.clone().requires_grad_()
    exact = sum_probs(torch.softmax(leaf, -1))[label]
    exact.backward()
    many = logits.expand(1, REPEATS, NUM_DIGITS, 10).contiguous()
    draw = estimators.get(name).draw(many, num_samples=num_samples, generator=[_generator(4)])
    estimate = draw.rule(IsSum(torch.full((1, REPEATS), label), torch.float64), None)
    check_mean_is(estimate.value[0], exact.detach())
    check_mean_is(estimate.gradient[0] * scale, leaf.grad)


@pytest.mark.parametrize("num_samples", [2, 10])
@pytest.mark.parametrize("name", ["rloo", "reinforce", "indecater", "indecater_per_variable"])
def test_estimators_have_the_exact_probability_and_its_gradient_as_their_means(
    name: str, num_samples: int
) -> None:
    check_unbiased(name, 11, num_samples)


def test_check_rejects_an_estimate_of_another_size() -> None:
    with pytest.raises(AssertionError, match="means differ"):
        check_unbiased("indecater", 11, 2, scale=1.2)


@pytest.mark.parametrize("name", ["indecater", "indecater_per_variable"])
def test_check_rejects_sums_that_hold_another_digit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = IsSum._is_wanted
    monkeypatch.setattr(IsSum, "_is_wanted", lambda self, others, labels: right(self, others + 4, labels))
    with pytest.raises(AssertionError, match="means differ"):
        check_unbiased(name, 11, 2)
