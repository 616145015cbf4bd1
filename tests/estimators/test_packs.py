"""A pack: members along the first axis, each with its own generator and hyperparameters, equal each alone."""

import pytest
import torch

from tests.estimators.oracles import Hyperparameters, normal
from tests.estimators.registry_table import (
    dtypes,
    every,
    every_random,
    output_of,
    planted_estimator,
    planted_gumbels,
    planted_straight_through,
    with_slope,
)
from tests.estimators.rule_table import seeded

MEMBERS = [
    Hyperparameters(temperature=0.3, eta=0.5, gap=0.0, beta=0.5, num_mc_samples=4, num_samples=7),
    Hyperparameters(temperature=1.0, eta=1.5, gap=1.0, beta=0.3, num_mc_samples=4, num_samples=7),
    Hyperparameters(temperature=2.0, eta=1.0, gap=2.0, beta=1.0, num_mc_samples=4, num_samples=7),
]


def stacked(dtype):
    """The members' hyperparameters as one, tensors of shape (P, 1, 1, 1)."""
    values = {
        name: torch.tensor([getattr(member, name) for member in MEMBERS], dtype=dtype).view(3, 1, 1, 1)
        for name in ("temperature", "eta", "gap", "beta")
    }
    return Hyperparameters(**values, num_mc_samples=4, num_samples=7)


def run(estimator, logits, g, generator, h):
    """Losses and gradient, of a linear f."""
    logits = logits.clone().requires_grad_()
    output = output_of(estimator, logits, with_slope(g), generator, h)
    output.sum().backward()
    return output.detach(), logits.grad


@every
@dtypes
@pytest.mark.parametrize("shape", [(5, 3, 4), (16, 4, 8), (7, 2, 10)], ids=str)
def test_pack_equals_each_member_alone_bit_for_bit(estimator, dtype, shape):
    logits, g = normal(3, *shape, seed=1, dtype=dtype), normal(3, *shape, seed=2, dtype=dtype)
    generators = [seeded(10 + p) for p in range(3)]
    losses, gradient = run(estimator, logits, g, generators, stacked(dtype))
    for p, member in enumerate(MEMBERS):
        alone = seeded(10 + p)
        one, one_gradient = run(estimator, logits[p : p + 1], g[p : p + 1], [alone], member)
        assert torch.equal(losses[p], one[0])
        assert torch.equal(gradient[p], one_gradient[0])
        assert torch.equal(generators[p].get_state(), alone.get_state())


@every
def test_pack_of_one_equals_no_pack(estimator):
    """A leading axis of one, or a list of one generator, changes nothing."""
    logits, g = normal(5, 3, 4, seed=1), normal(5, 3, 4, seed=2)
    losses, gradient = run(estimator, logits, g, seeded(1), MEMBERS[0])
    for generator in (seeded(1), [seeded(1)], (seeded(1),)):
        packed, packed_gradient = run(estimator, logits[None], g[None], generator, MEMBERS[0])
        torch.testing.assert_close(packed[0], losses, rtol=0, atol=1e-13)
        torch.testing.assert_close(packed_gradient[0], gradient, rtol=0, atol=1e-13)


@every
def test_member_does_not_depend_on_the_others(estimator):
    logits, g = normal(3, 5, 3, 4, seed=1), normal(3, 5, 3, 4, seed=2)
    h = stacked(torch.float64)
    before = run(estimator, logits, g, [seeded(p) for p in range(3)], h)
    logits[1:], g[1:] = 80.0 * logits[1:], float("nan")
    after = run(estimator, logits, g, [seeded(p) for p in (0, 8, 9)], h)
    for first, second in zip(before, after, strict=True):
        assert torch.equal(first[0], second[0])


@every_random
def test_members_with_different_generators_draw_differently(estimator):
    logits = normal(1, 50, 3, 4, seed=1).expand(3, 50, 3, 4)
    losses, _ = run(estimator, logits, logits, [seeded(p) for p in range(3)], MEMBERS[0])
    assert not torch.equal(losses[0], losses[1])
    assert not torch.equal(losses[1], losses[2])


@every
@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_wrong_number_of_generators_is_refused(estimator, count):
    with pytest.raises(ValueError, match="generator must"):
        run(estimator, normal(3, 5, 2, 4, seed=1), None, [seeded(p) for p in range(count)], MEMBERS[0])


@every
def test_global_generator_is_untouched(estimator):
    before = torch.get_rng_state()
    logits = normal(3, 5, 2, 4, seed=1)
    run(estimator, logits, logits, [seeded(p) for p in range(3)], stacked(torch.float64))
    assert torch.equal(torch.get_rng_state(), before)


# Planted: straight-through with the pack handled wrongly.


def _first_generator(logits, *, temperature, generator):
    noise = planted_gumbels(logits.shape, logits, generator[0])
    return planted_straight_through(logits, noise, torch.softmax(logits / temperature, -1))


def _shared_noise(logits, *, temperature, generator):
    noise = planted_gumbels(logits.shape[1:], logits, generator[0])
    return planted_straight_through(logits, noise, torch.softmax(logits / temperature, -1))


def _mean_temperature(logits, *, temperature, generator):
    noise = torch.stack([planted_gumbels(logits.shape[1:], logits, member) for member in generator])
    temperature = torch.as_tensor(temperature).mean()
    return planted_straight_through(logits, noise, torch.softmax(logits / temperature, -1))


SMALL = {"dtype": torch.float64, "shape": (5, 3, 4)}
PLANTED = [
    (test_pack_equals_each_member_alone_bit_for_bit, _first_generator, SMALL),
    (test_pack_equals_each_member_alone_bit_for_bit, _shared_noise, SMALL),
    (test_pack_equals_each_member_alone_bit_for_bit, _mean_temperature, SMALL),
    (test_members_with_different_generators_draw_differently, _shared_noise, {}),
]


@pytest.mark.parametrize(
    ("test", "planted", "arguments"),
    [pytest.param(*case, id=f"{case[0].__name__}-{case[1].__name__}") for case in PLANTED],
)
def test_table_rejects(test, planted, arguments):
    with pytest.raises(AssertionError):
        test(planted_estimator(planted), **arguments)
