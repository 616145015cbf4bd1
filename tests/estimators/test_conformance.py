"""What every estimator in the registry must do with its arguments, its sample and its generator.

Each test is a plain function of an estimator, so that the end of the file can hand it planted wrong ones.
"""

import dataclasses
from functools import cache

import pytest
import torch

from tests.estimators.oracles import normal, one_hot
from tests.estimators.registry_table import (
    FEW,
    dtypes,
    every,
    every_one_hot,
    every_pathwise,
    gradient_of,
    output_of,
    planted_estimator,
    planted_gumbels,
    planted_straight_through,
    sample_of,
    with_slope,
)
from tests.estimators.rule_table import seeded
from tests.rounding import check_equal_but_for_rounding

SHAPES = [(3, 4), (1, 1), (5, 3, 2), (2, 5, 3, 8)]
categories = pytest.mark.parametrize("categorical_dim", [2, 3, 8])
ROUNDINGS = 4 * 3 * 5 * FEW.num_samples
"""On the way to a gradient of the sizes used here: over draws, and four times variables and categories."""


# The sample.


@every
@dtypes
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sample_and_gradient_have_shape_and_dtype_of_logits(estimator, dtype, shape):
    logits = normal(*shape, seed=1, dtype=dtype).requires_grad_()
    sample = sample_of(estimator, logits, seeded(1))
    assert sample.shape == shape
    assert sample.dtype == dtype
    output = output_of(estimator, logits, with_slope(torch.ones_like(logits)), seeded(1))
    assert output.shape == shape[:-2]
    assert output.dtype == dtype
    output.sum().backward()
    assert logits.grad.shape == shape
    assert logits.grad.dtype == dtype


@every_one_hot
@dtypes
@categories
def test_sample_is_exactly_one_hot(estimator, dtype, categorical_dim):
    sample = sample_of(estimator, normal(50, 3, categorical_dim, seed=1, scale=3, dtype=dtype), seeded(1))
    largest_last = torch.eye(categorical_dim, dtype=dtype)[-1]
    assert torch.equal(sample.sort(-1).values, largest_last.expand(50, 3, categorical_dim))


@every
def test_accepts_a_temperature_of_another_dtype(estimator):
    h = dataclasses.replace(FEW, temperature=torch.full((2, 1, 1), 0.5, dtype=torch.float64))
    logits, g = normal(2, 3, 4, seed=1, dtype=torch.float32), normal(2, 3, 4, seed=2, dtype=torch.float32)
    assert output_of(estimator, logits, with_slope(g), seeded(1), h).dtype == torch.float32
    expected = gradient_of(estimator, logits, g, seeded(1))
    actual = gradient_of(estimator, logits, g, seeded(1), h)
    check_equal_but_for_rounding(actual, expected, length=ROUNDINGS)


@every
@categories
def test_logits_may_be_strided(estimator, categorical_dim):
    logits = normal(categorical_dim, 3, 5, seed=1).transpose(0, 2)
    g = normal(5, 3, categorical_dim, seed=2)
    expected = gradient_of(estimator, logits.contiguous(), g, seeded(1))
    strided = logits.detach().requires_grad_()
    output_of(estimator, strided, with_slope(g), seeded(1)).sum().backward()
    check_equal_but_for_rounding(strided.grad, expected, length=ROUNDINGS)


@every
def test_leaves_its_arguments_alone(estimator):
    logits, g = normal(2, 3, 4, seed=1), normal(2, 3, 4, seed=2)
    h = dataclasses.replace(FEW, temperature=torch.full((2, 1, 1), 0.5, dtype=torch.float64))
    leaf = logits.clone().requires_grad_()
    slope = g.clone()
    output_of(estimator, leaf, with_slope(slope), seeded(1), h).sum().backward()
    assert torch.equal(leaf.detach(), logits)
    assert torch.equal(slope, g)
    assert torch.equal(h.temperature, torch.full((2, 1, 1), 0.5, dtype=torch.float64))


@every_pathwise
@dtypes
def test_a_sample_may_be_changed_in_place(estimator, dtype):
    """It is the user's own: what the backward pass needs of it is kept apart."""
    logits, g = (normal(5, 3, 4, seed=seed, dtype=dtype) for seed in (1, 2))
    leaf = logits.clone().requires_grad_()
    sample = sample_of(estimator, leaf, seeded(1))
    with_slope(g)(sample.mul_(-3.0).add_(1.0)).sum().backward()
    assert torch.equal(leaf.grad, gradient_of(estimator, logits, -3.0 * g, seeded(1)))


@every
def test_logits_changed_in_place_are_noticed(estimator):
    """Between the forward and the backward pass: the old gradient or an error, never a wrong gradient."""
    logits, g = normal(4, 3, 4, seed=1), normal(4, 3, 4, seed=2)
    expected = gradient_of(estimator, logits, g, seeded(1))
    leaf = logits.clone().requires_grad_()
    changed = leaf + 0.0
    output = output_of(estimator, changed, with_slope(g), seeded(1))
    changed.mul_(-3.0)
    try:
        gradient = torch.autograd.grad(output.sum(), leaf)[0]
    except RuntimeError as error:
        assert "modified by an inplace operation" in str(error)
    else:
        torch.testing.assert_close(gradient, expected)


@every_pathwise
def test_hyperparameter_changed_in_place_is_noticed(estimator):
    """Likewise: a tensor that a schedule lowers once the forward pass is done."""
    logits, g = normal(4, 3, 4, seed=1), normal(4, 3, 4, seed=2)
    expected = gradient_of(estimator, logits, g, seeded(1))
    for own in estimator.hyperparameters:
        if own.is_integer:
            continue
        value = torch.full((4, 1, 1), getattr(FEW, own.name), dtype=torch.float64)
        leaf = logits.clone().requires_grad_()
        h = dataclasses.replace(FEW, **{own.name: value})
        output = output_of(estimator, leaf, with_slope(g), seeded(1), h)
        value.mul_(3.0)
        try:
            gradient = torch.autograd.grad(output.sum(), leaf)[0]
        except RuntimeError as error:
            assert "modified by an inplace operation" in str(error)
        else:
            torch.testing.assert_close(gradient, expected)


# The edges.


@every_pathwise
@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 3, 4), (0, 2, 3, 4), (2, 0, 4)], ids=str)
@pytest.mark.parametrize("is_pack", [False, True], ids=["one generator", "pack"])
def test_empty_batch_has_an_empty_gradient(estimator, shape, is_pack):
    logits = normal(*shape, seed=1)
    generator = [seeded(p) for p in range(shape[0])] if is_pack else seeded(1)
    assert sample_of(estimator, logits, generator).shape == shape
    assert gradient_of(estimator, logits, logits, generator).shape == shape


@every_pathwise
@dtypes
@pytest.mark.parametrize("is_pack", [False, True], ids=["one generator", "pack"])
def test_masked_category_is_never_drawn_and_has_no_gradient(estimator, dtype, is_pack):
    """Logits of -inf; of one variable all but one category."""
    logits, g = normal(2, 200, 3, 4, seed=1, dtype=dtype), normal(2, 200, 3, 4, seed=2, dtype=dtype)
    is_masked = torch.tensor(
        [[True, False, False, False], [False, True, False, True], [True, True, True, False]]
    )
    logits.masked_fill_(is_masked, -torch.inf)
    make = (lambda: [seeded(1), seeded(2)]) if is_pack else (lambda: seeded(1))
    sample = sample_of(estimator, logits, make())
    assert (sample * is_masked).abs().max() == 0
    torch.testing.assert_close(sample.sum(-1), torch.ones(2, 200, 3, dtype=dtype))
    gradient = gradient_of(estimator, logits, g, make())
    assert gradient.isfinite().all()
    assert (gradient * is_masked).abs().max() == 0
    assert gradient[..., 0, 1:].abs().max() > 1e-3


@every
@dtypes
@categories
@pytest.mark.parametrize(
    ("first", "others"), [(torch.nan, 0.0), (-torch.inf, -torch.inf), (torch.inf, 0.0)], ids=str
)
def test_logits_of_no_distribution_give_no_valid_sample(estimator, dtype, categorical_dim, first, others):
    """So that no loss of it is finite; the other variables' samples are what they are."""
    logits = normal(6, 3, categorical_dim, seed=1, dtype=dtype)
    valid = sample_of(estimator, logits, seeded(1))
    logits[2, 1] = others
    logits[2, 1, categorical_dim // 2] = first
    sample = sample_of(estimator, logits, seeded(1))
    assert sample[2, 1].isnan().any()
    is_other = torch.ones(6, 3, dtype=torch.bool)
    is_other[2, 1] = False
    assert torch.equal(sample[is_other], valid[is_other])


# Randomness.


@every
@categories
def test_same_generator_state_gives_same_sample_and_gradient(estimator, categorical_dim):
    logits, g = (normal(20, 3, categorical_dim, seed=seed) for seed in (1, 2))
    first, second = seeded(1), seeded(1)
    assert torch.equal(sample_of(estimator, logits, first), sample_of(estimator, logits, second))
    assert torch.equal(gradient_of(estimator, logits, g, first), gradient_of(estimator, logits, g, second))
    assert torch.equal(first.get_state(), second.get_state())
    second.manual_seed(9)
    assert not torch.equal(sample_of(estimator, logits, first), sample_of(estimator, logits, second))


@every
def test_default_generator_is_untouched_where_one_is_given(estimator):
    before = torch.get_rng_state()
    gradient_of(estimator, normal(5, 3, 4, seed=1), normal(5, 3, 4, seed=2), seeded(1))
    assert torch.equal(torch.get_rng_state(), before)


@every
def test_without_a_generator_the_default_one_is_used(estimator):
    """As `torch.nn.functional.gumbel_softmax` does: `torch.manual_seed` repeats sample and gradient."""
    logits, g = normal(50, 3, 4, seed=1), normal(50, 3, 4, seed=2)
    torch.manual_seed(1)
    first, second = (sample_of(estimator, logits, None) for _ in range(2))
    assert not torch.equal(first, second)
    torch.manual_seed(1)
    assert torch.equal(first, sample_of(estimator, logits, None))
    torch.manual_seed(1)
    gradient = gradient_of(estimator, logits, g, None)
    assert torch.equal(gradient, gradient_of(estimator, logits, g, seeded(1)))


@every
def test_survives_a_uniform_draw_of_exactly_zero(estimator):
    """float32 uniforms are multiples of 2^-24, so 0 turns up once in 17 million: every few dozen steps."""
    logits, g = normal(2, 3, seed=1, dtype=torch.float32), normal(2, 3, seed=2, dtype=torch.float32)
    for draws_before_zero in range(2 * 3 * (1 + FEW.num_mc_samples)):
        generator = generator_before_zero(draws_before_zero)
        gradient = gradient_of(estimator, logits, g, generator)
        assert gradient.isfinite().all(), f"not finite with a uniform of 0 after {draws_before_zero} draws"


def generator_before_zero(num_draws):
    """A generator that will draw a float32 uniform of exactly 0 after `num_draws` (< 100) others."""
    generator = torch.Generator()
    generator.set_state(state_before_zero())
    torch.rand(100 - num_draws, generator=generator)
    assert torch.rand(num_draws + 1, generator=generator.clone_state())[-1] == 0
    return generator


@cache
def state_before_zero():
    """State of a generator whose 101st float32 uniform is 0: some seed has one early."""
    for seed in range(1000):
        zeros = torch.nonzero(torch.rand(1 << 20, generator=seeded(seed)) == 0)
        if len(zeros) and zeros[0].item() > 100:
            generator = seeded(seed)
            torch.rand(zeros[0].item() - 100, generator=generator)
            return generator.get_state()
    raise RuntimeError("no uniform of 0 among a thousand million draws")


# In use.


@every_pathwise
def test_replaces_gumbel_softmax_in_a_network(estimator):
    torch.manual_seed(0)
    encoder, decoder = torch.nn.Linear(7, 12), torch.nn.Linear(12, 7)
    x = normal(16, 7, seed=1, dtype=torch.float32)

    def loss_with(relax):
        sample = relax(encoder(x).view(16, 3, 4))
        return (decoder(sample.flatten(1)) - x).square().mean()

    reference = loss_with(lambda logits: torch.nn.functional.gumbel_softmax(logits, tau=0.5, hard=True))
    loss = loss_with(lambda logits: sample_of(estimator, logits, seeded(1)))
    assert loss.shape == reference.shape
    loss.backward()
    for parameter in (*encoder.parameters(), *decoder.parameters()):
        assert parameter.grad.isfinite().all()
        assert parameter.grad.abs().max() > 0


@every
def test_learns_which_category_is_best(estimator):
    logits = torch.zeros(2, 4, dtype=torch.float64, requires_grad=True)
    target = one_hot(torch.tensor([2, 0]), logits)
    optimizer, generator = torch.optim.Adam([logits], lr=0.1), seeded(1)
    for _ in range(60):
        optimizer.zero_grad()
        spread = logits.expand(16, 2, 4)
        output_of(
            estimator, spread, lambda x: (x - target).square().sum((-1, -2)), generator
        ).mean().backward()
        optimizer.step()
    # From a quarter; reinmax_argmax, which is not meant to be trained with, gets no further than this.
    assert (torch.softmax(logits, -1) * target).sum(-1).min() > 0.55


# Planted wrong estimators: straight-through with one thing wrong.


def _inexact(logits, *, temperature, generator):
    """hard + soft - soft rounds."""
    noise = planted_gumbels(logits.shape, logits, generator)
    return planted_straight_through(logits, noise, torch.softmax(logits / temperature, -1))


def _in_float32(logits, *, temperature, generator):
    return _inexact(logits, temperature=temperature, generator=generator).float()


def _scaled_in_place(logits, *, temperature, generator):
    logits.data.div_(temperature)
    return _inexact(logits, temperature=1.0, generator=generator)


def _global_noise(logits, *, temperature, generator):
    return torch.nn.functional.gumbel_softmax(logits, temperature, hard=True)


def _private_noise(logits, *, temperature, generator):
    generator = torch.Generator()
    generator.seed()
    return _inexact(logits, temperature=temperature, generator=generator)


def _late(logits, *, temperature, generator):
    """Reads τ in the backward pass."""
    sample = planted_straight_through(logits, 0.0, logits)
    sample.register_hook(lambda g: g / temperature)
    return sample


def _valid_whatever_the_logits(logits, *, temperature, generator):
    probs = torch.softmax(logits, -1).nan_to_num(0)
    return _inexact(probs, temperature=temperature, generator=generator)


def _exponential_weights(logits, *, temperature, generator):
    """log(p) of a rounded p has no gradient where p is 0."""
    noise = planted_gumbels(logits.shape, logits, generator)
    log_probs = torch.softmax(logits, -1).log()
    return planted_straight_through(logits, noise, torch.softmax(log_probs / temperature, -1))


def _argmax(logits, *, temperature, generator):
    return planted_straight_through(logits, 0.0, torch.softmax(logits / temperature, -1))


def _unstable(logits, *, temperature, generator):
    """A uniform of 0 is an infinite Exp(1) variable, infinite on both sides of a difference."""
    e = -torch.log(torch.rand(logits.shape, dtype=logits.dtype, generator=generator))
    return torch.softmax(logits / temperature + e - e.detach(), -1)


def _ascending(logits, *, temperature, generator):
    noise = planted_gumbels(logits.shape, logits, generator)
    return planted_straight_through(logits, noise, -torch.softmax(logits / temperature, -1))


PLANTED = [
    (test_sample_is_exactly_one_hot, _inexact, {"dtype": torch.float32, "categorical_dim": 8}),
    (
        test_sample_and_gradient_have_shape_and_dtype_of_logits,
        _in_float32,
        {"dtype": torch.float64, "shape": (3, 4)},
    ),
    (test_leaves_its_arguments_alone, _scaled_in_place, {}),
    (test_default_generator_is_untouched_where_one_is_given, _global_noise, {}),
    (test_same_generator_state_gives_same_sample_and_gradient, _global_noise, {"categorical_dim": 3}),
    (test_same_generator_state_gives_same_sample_and_gradient, _argmax, {"categorical_dim": 3}),
    (test_without_a_generator_the_default_one_is_used, _private_noise, {}),
    (test_without_a_generator_the_default_one_is_used, _argmax, {}),
    (test_survives_a_uniform_draw_of_exactly_zero, _unstable, {}),
    (test_learns_which_category_is_best, _ascending, {}),
    (test_hyperparameter_changed_in_place_is_noticed, _late, {}),
    (
        test_masked_category_is_never_drawn_and_has_no_gradient,
        _exponential_weights,
        {"dtype": torch.float64, "is_pack": False},
    ),
    (
        test_logits_of_no_distribution_give_no_valid_sample,
        _valid_whatever_the_logits,
        {"dtype": torch.float64, "categorical_dim": 3, "first": torch.nan, "others": 0.0},
    ),
]


@pytest.mark.parametrize(
    ("test", "planted", "arguments"),
    [pytest.param(*case, id=f"{case[0].__name__}-{case[1].__name__}") for case in PLANTED],
)
def test_table_rejects(test, planted, arguments):
    with pytest.raises(AssertionError):
        test(planted_estimator(planted), **arguments)
