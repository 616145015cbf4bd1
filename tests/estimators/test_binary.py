"""What conformance asks of every estimator, of those that take binary variables alone."""

import math

import pytest
import torch

from tests.estimators import test_conformance, test_packs
from tests.estimators.oracles import normal
from tests.estimators.registry_table import (
    FEW,
    dtypes,
    estimate_of,
    every_binary,
    gradient_of,
    output_of,
    sample_of,
    with_slope,
)
from tests.estimators.rule_table import seeded
from tests.estimators.score_function import test_masks
from tests.estimators.statistical_checks import check_mean_is

every_dtype = pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])


@every_binary
@every_dtype
@pytest.mark.parametrize("shape", [(3, 2), (1, 2), (2, 5, 3, 2), (0, 3, 2), (2, 0, 3, 2)], ids=str)
def test_sample_and_gradient_have_shape_and_dtype_of_logits(estimator, dtype, shape):
    logits = normal(*shape, seed=1).to(dtype).requires_grad_()
    assert sample_of(estimator, logits, seeded(1)).shape == shape
    output = output_of(estimator, logits, with_slope(torch.ones_like(logits)), seeded(1))
    assert output.shape == shape[:-2]
    output.sum().backward()
    assert (logits.grad.shape, logits.grad.dtype) == (shape, dtype)
    assert logits.grad.isfinite().all()


@every_binary
@dtypes
def test_samples_are_one_hot_with_the_softmax_probabilities(estimator, dtype):
    logits = normal(3, 2, seed=1, dtype=dtype)
    sample = sample_of(estimator, logits.expand(50_000, 3, 2), seeded(1))
    assert torch.equal(sample.sort(-1).values, torch.tensor([0, 1.0], dtype=dtype).expand(50_000, 3, 2))
    check_mean_is(sample.double(), logits.double().softmax(-1))


@every_binary
@dtypes
@pytest.mark.parametrize("shape", [(5, 3, 2), (16, 4, 2), (7, 9, 2)], ids=str)
def test_pack_equals_each_member_alone_bit_for_bit(estimator, dtype, shape):
    test_packs.test_pack_equals_each_member_alone_bit_for_bit(estimator, dtype, shape)


@every_binary
def test_same_generator_state_gives_same_sample_and_gradient(estimator):
    logits, g = normal(20, 3, 2, seed=1), normal(20, 3, 2, seed=2)
    before = torch.get_rng_state()
    first, second = seeded(1), seeded(1)
    assert torch.equal(sample_of(estimator, logits, first), sample_of(estimator, logits, second))
    assert torch.equal(gradient_of(estimator, logits, g, first), gradient_of(estimator, logits, g, second))
    assert torch.equal(first.get_state(), second.get_state())
    assert torch.equal(torch.get_rng_state(), before)


@every_binary
@dtypes
def test_gradient_is_linear_sums_to_zero_and_ignores_constants_and_shifts(estimator, dtype):
    logits, f, g = (normal(50, 3, 2, seed=seed, dtype=dtype) for seed in (1, 2, 3))
    rounding = 50 * torch.finfo(dtype).eps

    def of(slope, at=logits):
        return gradient_of(estimator, at, slope, seeded(1))

    assert of(f).abs().max() > 1e-3
    assert of(f).sum(-1).abs().max() == 0
    torch.testing.assert_close(of(2.5 * f - g), 2.5 * of(f) - of(g), rtol=0, atol=rounding)
    torch.testing.assert_close(of(f, logits + 5), of(f), rtol=0, atol=rounding)
    assert of(torch.full_like(f, 7.0)).abs().max() < rounding


@every_binary
@dtypes
@pytest.mark.parametrize("scale", [10.0, 80.0, 1e4])
def test_gradient_is_finite_and_bounded_for_extreme_logits(estimator, dtype, scale):
    logits, g = normal(200, 3, 2, seed=1, scale=scale, dtype=dtype), normal(200, 3, 2, seed=2, dtype=dtype)
    gradient = gradient_of(estimator, logits, g, seeded(1))
    bound = 2 * (g[..., 0] - g[..., 1]).abs().sum(-1)
    assert (gradient.abs() <= bound[:, None, None]).all()


@every_binary
@dtypes
@pytest.mark.parametrize("mask", [-math.inf, -1e5])
@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_masked_category_is_never_drawn_and_has_no_gradient(estimator, dtype, mask, value):
    logits = normal(200, 3, 2, seed=1, dtype=dtype)
    logits[:, 0, 0] = logits[:, 1, 1] = mask

    def f(x):
        is_masked = (x[..., 0, 0] > 0) | (x[..., 1, 1] > 0)
        return test_masks.f(x).where(~is_masked, value)

    leaf = logits.clone().requires_grad_()
    estimate = estimate_of(estimator, leaf, f, seeded(1))
    estimate.surrogate.sum().backward()
    assert estimate.value.isfinite().all()
    assert not leaf.grad[:, :2].any()
    assert leaf.grad[:, 2].any()


@every_binary
@dtypes
@pytest.mark.parametrize("row", [[0.0, math.nan], [-math.inf] * 2, [0.0, math.inf]], ids=str)
def test_logits_of_no_distribution_give_no_valid_sample_and_no_estimate(estimator, dtype, row):
    logits = normal(6, 3, 2, seed=1, dtype=dtype)
    valid = sample_of(estimator, logits, seeded(1))
    logits[2, 1] = torch.tensor(row, dtype=dtype)
    sample = sample_of(estimator, logits, seeded(1))
    others = torch.ones(6, 3, dtype=torch.bool)
    others[2, 1] = False
    assert sample[2, 1].isnan().any()
    assert torch.equal(sample[others], valid[others])
    leaf = logits.clone().requires_grad_()
    estimate = estimate_of(estimator, leaf, test_masks.f, seeded(1))
    assert torch.equal(estimate.value.isnan(), torch.arange(6) == 2)


@every_binary
@pytest.mark.parametrize("chunk_size", [1, 2, 3, 100])
def test_chunks_change_nothing(estimator, chunk_size):
    logits, sizes = normal(20, 3, 2, seed=1), []

    def f(x):
        sizes.append(len(x))
        return test_masks.f(x)

    results = []
    for size in (None, chunk_size):
        leaf = logits.clone().requires_grad_()
        estimate = estimate_of(estimator, leaf, f, seeded(1), chunk_size=size)
        estimate.surrogate.sum().backward()
        results.append((estimate.value, leaf.grad))
    assert max(sizes[1:]) <= chunk_size
    for whole, chunked in zip(*results, strict=True):
        assert torch.equal(whole, chunked)


@every_binary
def test_survives_a_uniform_draw_of_exactly_zero(estimator):
    logits, g = normal(3, 2, seed=1, dtype=torch.float32), normal(3, 2, seed=2, dtype=torch.float32)
    for draws_before_zero in range(3 * FEW.num_samples):
        generator = test_conformance.generator_before_zero(draws_before_zero)
        assert gradient_of(estimator, logits, g, generator).isfinite().all()


@every_binary
def test_learns_which_category_is_best(estimator):
    logits = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([[1.0, 0], [0, 1]], dtype=torch.float64)
    optimizer, generator = torch.optim.Adam([logits], lr=0.1), seeded(1)
    for _ in range(60):
        optimizer.zero_grad()
        spread = logits.expand(16, 2, 2)
        output_of(
            estimator, spread, lambda x: (x - target).square().sum((-1, -2)), generator
        ).sum().backward()
        optimizer.step()
    assert (logits.softmax(-1) * target).sum(-1).min() > 0.9
