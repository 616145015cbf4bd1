"""Properties of every estimator over shapes, dtypes, temperatures and extreme logits of all kinds."""

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.estimators.oracles import Hyperparameters, normal
from tests.estimators.registry_table import (
    every,
    every_with_objective,
    output_of,
    planted_estimator,
    sample_of,
    with_slope,
)
from tests.estimators.rule_table import seeded

DTYPES = (torch.float64, torch.float32, torch.bfloat16)
chosen = settings(
    max_examples=25,
    deadline=5000,  # milliseconds, on a machine that may be busy
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
logits_of_any_kind = st.builds(
    lambda leading, latent_dim, categorical_dim, scale, dtype, seed: (
        _with_ties(
            (2 * torch.rand(*leading, latent_dim, categorical_dim, generator=seeded(seed)) - 1) * scale
        )
    ).to(dtype),
    leading=st.lists(st.integers(1, 3), max_size=2),
    latent_dim=st.integers(1, 3),
    categorical_dim=st.integers(1, 5),
    scale=st.sampled_from([0.0, 1e-3, 1.0, 10.0, 80.0]),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 2**20),
)
any_hyperparameters = st.builds(
    Hyperparameters,
    temperature=st.sampled_from([0.01, 0.1, 0.5, 1.0, 10.0]),
    eta=st.sampled_from([-1.0, 0.0, 0.7, 1.0, 2.0]),
    gap=st.sampled_from([0.0, 1.0, 5.0]),
    num_mc_samples=st.integers(1, 4),
    num_samples=st.integers(2, 4),
)

ANYTHING = {"logits": logits_of_any_kind, "h": any_hyperparameters, "seed": st.integers(0, 2**20)}


def _with_ties(logits):
    """Moved to the edge of the range here and there, so that the largest and smallest occur several times."""
    bound = logits.abs().max()
    return torch.where(logits.abs() > 0.8 * bound, bound * logits.sign(), logits)


def gradient_of(estimator, logits, h, seed, slope=None):
    leaf = logits.detach().clone().requires_grad_()
    slope = normal(*logits.shape[-2:], seed=7).to(logits.dtype) if slope is None else slope
    output_of(estimator, leaf, with_slope(slope), seeded(seed), h).sum().backward()
    return leaf.grad


@every
@chosen
@given(**ANYTHING)
def test_sample_is_in_the_simplex_and_one_hot_where_that_is_said(estimator, logits, h, seed):
    sample = sample_of(estimator, logits, seeded(seed), h).detach()
    assert sample.shape == logits.shape
    assert ((sample >= 0) & (sample <= 1)).all()
    if estimator.is_one_hot:
        assert set(sample.unique().tolist()) <= {0.0, 1.0}
    tolerance = 4 * torch.finfo(logits.dtype).eps * logits.shape[-1]
    assert (sample.double().sum(-1) - 1).abs().max() <= tolerance


@every
@chosen
@given(**ANYTHING)
def test_gradient_is_finite_and_of_the_logits_shape_and_dtype(estimator, logits, h, seed):
    gradient = gradient_of(estimator, logits, h, seed)
    assert gradient.shape == logits.shape
    assert gradient.dtype == logits.dtype
    assert gradient.isfinite().all()


@every
@chosen
@given(**ANYTHING)
def test_gradient_sums_to_zero_over_categories(estimator, logits, h, seed):
    """Probabilities sum to one whatever the logits. ReinMax-RK2, at β = ½ here, is no exception there."""
    gradient = gradient_of(estimator, logits, h, seed).double()
    size = 1 + gradient.abs().sum(-1).max() + 1 / h.temperature
    assert gradient.sum(-1).abs().max() <= 20 * torch.finfo(logits.dtype).eps * size


@every
@chosen
@given(**ANYTHING)
def test_same_generator_gives_the_same_gradient(estimator, logits, h, seed):
    assert torch.equal(gradient_of(estimator, logits, h, seed), gradient_of(estimator, logits, h, seed))


@every_with_objective
@chosen
@given(**ANYTHING, chunk_size=st.integers(1, 20))
def test_chunk_size_changes_nothing_but_rounding(estimator, logits, h, seed, chunk_size):
    logits = logits.double()
    slope = with_slope(normal(*logits.shape[-2:], seed=7))
    gradients = []
    for size in (None, chunk_size):
        leaf = logits.clone().requires_grad_()
        values = h.select(estimator.hyperparameters)
        estimate = estimator.function(leaf, slope, **values, generator=seeded(seed), chunk_size=size)
        estimate.surrogate.sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-10)


# Planted wrong estimators: straight-through with one thing wrong at an edge of the range.


def _unstable_softmax(logits, *, temperature, generator):
    weights = torch.exp(logits / temperature)
    return weights / weights.sum(-1, keepdim=True)


def _identity(logits, *, temperature, generator):
    sample = torch.zeros_like(logits)
    sample[..., 0] = 1
    return sample + logits - logits.detach()


def _forgetful(logits, *, temperature, generator):
    own = torch.Generator()
    own.seed()
    noise = torch.rand(logits.shape, generator=own)
    return torch.softmax(logits / temperature + noise.to(logits.dtype), -1)


PLANTED = [
    (test_gradient_is_finite_and_of_the_logits_shape_and_dtype, _unstable_softmax),
    (test_sample_is_in_the_simplex_and_one_hot_where_that_is_said, _unstable_softmax),
    (test_gradient_sums_to_zero_over_categories, _identity),
    (test_same_generator_gives_the_same_gradient, _forgetful),
]


@pytest.mark.parametrize(
    ("test", "planted"),
    [pytest.param(*case, id=f"{case[0].__name__}-{case[1].__name__}") for case in PLANTED],
)
def test_table_rejects(test, planted):
    """With what is generated for the real ones; a failure is wanted, not its smallest form."""
    generate = settings(chosen, phases=[Phase.generate])(given(**ANYTHING)(test.hypothesis.inner_test))
    with pytest.raises(AssertionError):
        generate(estimator=planted_estimator(planted, is_one_hot=False))
