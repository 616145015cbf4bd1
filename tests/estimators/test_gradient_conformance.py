"""What every estimator's gradient must be, whatever the estimator.

Each test is a plain function of an estimator, so that the end of the file can hand it planted wrong ones.
"""

import dataclasses

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.estimators.oracles import normal
from tests.estimators.registry_table import (
    FEW,
    dtypes,
    every,
    every_pathwise,
    every_with,
    gradient_of,
    planted_estimator,
    planted_gumbels,
    planted_straight_through,
)
from tests.estimators.rule_table import seeded
from tests.estimators.test_conformance import ROUNDINGS
from tests.rounding import check_equal_but_for_rounding


@every_pathwise
@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0, 10.0])
def test_float32_gradient_is_finite_and_bounded_for_extreme_logits(estimator, temperature):
    generator = seeded(1)
    logits = 160 * torch.rand(200, 2, 4, generator=generator) - 80
    logits[:4, 0] = torch.tensor([[80.0, -80, -80, -80], [80, 80, 80, 80], [-80] * 4, [80, 79.9, -80, 0]])
    g = torch.randn(200, 2, 4, generator=generator)
    h = dataclasses.replace(FEW, temperature=temperature)
    gradient = gradient_of(estimator, logits, g, seeded(2), h)
    assert gradient.isfinite().all()
    # A softmax Jacobian's rows have an absolute sum of at most ½, and J_τ is 1/τ of one.
    bound = 1.25 * (1 + 1 / temperature) * g.abs().amax(-1, keepdim=True)
    assert (gradient.abs() <= bound).all()


@every
@dtypes
@pytest.mark.parametrize("temperature", [0.1, 1.0, 10.0])
def test_gradient_sums_to_zero_over_categories(estimator, dtype, temperature):
    logits, g = normal(50, 3, 6, seed=1, scale=2, dtype=dtype), normal(50, 3, 6, seed=2, dtype=dtype)
    h = dataclasses.replace(FEW, temperature=temperature)
    gradient = gradient_of(estimator, logits, g, seeded(1), h)
    assert gradient.abs().max() > 1e-3
    assert gradient.sum(-1).abs().max() < 20 * torch.finfo(dtype).eps * (1 + 1 / temperature)


@every
def test_gradient_is_linear_in_the_incoming_gradient(estimator):
    logits, first, second = (normal(6, 3, 4, seed=seed) for seed in (1, 2, 3))
    parts = [gradient_of(estimator, logits, g, seeded(1)) for g in (first, second)]
    whole = gradient_of(estimator, logits, 2.5 * first - second, seeded(1))
    largest = sum(part.abs().max().item() for part in (2.5 * parts[0], parts[1]))
    check_equal_but_for_rounding(whole, 2.5 * parts[0] - parts[1], length=ROUNDINGS, size=largest)


@every_with(lambda e: e.ignores_constants)
def test_gradient_of_a_constant_is_zero(estimator):
    """f that grows equally in every category does not depend on the draw."""
    gradient = gradient_of(estimator, normal(6, 3, 4, seed=1), torch.full((6, 3, 4), 7.0).double(), seeded(1))
    assert gradient.abs().max() < 1e-12


@every_with(lambda e: not e.ignores_constants)
def test_gradient_of_a_constant_is_not_zero_where_that_is_said(estimator):
    h = dataclasses.replace(FEW, eta=0.5)
    slope = torch.full((6, 3, 4), 7.0).double()
    assert gradient_of(estimator, normal(6, 3, 4, seed=1), slope, seeded(1), h).abs().max() > 1


@every
def test_gradient_ignores_a_shift_of_the_logits(estimator):
    logits, g = normal(6, 3, 4, seed=1), normal(6, 3, 4, seed=2)
    shifted = gradient_of(estimator, logits + 5.0, g, seeded(1))
    expected = gradient_of(estimator, logits, g, seeded(1))
    # The sum rounds the logits themselves, of which the gradient is a function with a slope of 1/τ or less.
    size = expected.abs().max().item() * (5 + logits.abs().max().item()) / FEW.temperature
    check_equal_but_for_rounding(shifted, expected, length=ROUNDINGS, size=size)


class _LargestTensor(TorchDispatchMode):
    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else (out,):
            if isinstance(tensor, torch.Tensor):
                self.numel = max(self.numel, tensor.numel())
        return out


@every_pathwise
def test_never_builds_a_matrix_over_categories(estimator):
    logits, g = normal(2, 200, seed=1), normal(2, 200, seed=2)
    with _LargestTensor() as largest:
        gradient_of(estimator, logits, g, seeded(1))
    assert 0 < largest.numel <= logits.numel() * FEW.num_mc_samples


# Planted wrong estimators: straight-through with one thing wrong.


def _with_surrogate(surrogate):
    """Straight-through whose backward pass is that of surrogate(logits, temperature)."""

    def planted(logits, *, temperature, generator):
        noise = planted_gumbels(logits.shape, logits, generator)
        return planted_straight_through(logits, noise, surrogate(logits, temperature))

    return planted


def _exponential(logits, temperature):
    weights = torch.exp(logits / temperature)
    return weights / weights.sum(-1, keepdim=True)


def _clamped(logits, *, temperature, generator):
    noise = planted_gumbels(logits.shape, logits, generator)
    sample = planted_straight_through(logits, noise, torch.softmax(logits / temperature, -1))
    sample.register_hook(lambda g: g.clamp(-0.1, 0.1))
    return sample


def _with_matrix(logits, temperature):
    probs = torch.softmax(logits / temperature, -1)
    return (probs.unsqueeze(-2) * torch.eye(logits.shape[-1]).to(probs)).sum(-1)


_straight_through = _with_surrogate(lambda x, _: x)
_sigmoid = _with_surrogate(lambda x, _: torch.sigmoid(x))
_too_large = _with_surrogate(lambda x, t: 10 / t * torch.softmax(x / t, -1))

PLANTED = [
    (
        "identity",
        test_gradient_sums_to_zero_over_categories,
        _straight_through,
        {"dtype": torch.float64, "temperature": 1.0},
    ),
    (
        "sigmoid",
        test_gradient_sums_to_zero_over_categories,
        _sigmoid,
        {"dtype": torch.float64, "temperature": 1.0},
    ),
    ("sigmoid", test_gradient_of_a_constant_is_zero, _sigmoid, {}),
    ("sigmoid", test_gradient_ignores_a_shift_of_the_logits, _sigmoid, {}),
    ("clamped", test_gradient_is_linear_in_the_incoming_gradient, _clamped, {}),
    (
        "no maximum subtracted",
        test_float32_gradient_is_finite_and_bounded_for_extreme_logits,
        _with_surrogate(_exponential),
        {"temperature": 0.1},
    ),
    (
        "1/τ twice",
        test_float32_gradient_is_finite_and_bounded_for_extreme_logits,
        _too_large,
        {"temperature": 0.1},
    ),
    ("C x C matrix", test_never_builds_a_matrix_over_categories, _with_surrogate(_with_matrix), {}),
]


@pytest.mark.parametrize(
    ("test", "planted", "arguments"),
    [pytest.param(*rest, id=f"{rest[0].__name__}-{why}") for why, *rest in PLANTED],
)
def test_table_rejects(test, planted, arguments):
    with pytest.raises(AssertionError):
        test(planted_estimator(planted), **arguments)
