"""IndeCateR: exact for one variable, and the estimator that LEG and RAM are for independent variables."""

import pytest
import torch

from estimators import REGISTRY, indecater
from estimators.score_function.indecater import summed_out
from estimators.score_function.substitution import means_per_category
from tests.estimators.objectives import OBJECTIVES, linear, mlp
from tests.estimators.oracles import Hyperparameters, exact_gradient, normal, one_hot, state_probs, states
from tests.estimators.registry_table import estimate_of
from tests.estimators.rule_table import seeded
from tests.estimators.sums_over_states import check_equal_sums_over_states
from tests.rounding import check_equal_but_for_rounding

LOGITS = [normal(1, 2, seed=1), normal(1, 5, seed=2), normal(2, 3, seed=3), normal(3, 2, seed=4, scale=2)]
EXACT_FOR_ONE = ("indecater", "indecater_per_variable", "scater")


def at_samples(logits, categories, f):
    """The package's estimate from given samples, (N, ..., L)."""
    return summed_out(logits, means_per_category(f, categories, logits, None, is_shared=True)).gradient


def gradient_of(name, logits, f, num_samples, generator):
    leaf = logits.clone().requires_grad_()
    h = Hyperparameters(num_samples=num_samples)
    estimate_of(REGISTRY[name], leaf, f, generator, h).surrogate.sum().backward()
    return leaf.grad


# One variable.


def check_exact_for_one_variable(estimator, categorical_dim, f):
    """Whatever the draw: there is nothing left to sample."""
    logits = normal(1, categorical_dim, seed=1, scale=2)
    for seed in range(5):
        actual = estimator(logits, f, seeded(seed))
        check_equal_sums_over_states(actual, exact_gradient(f, logits), f)


@pytest.mark.parametrize("categorical_dim", [1, 2, 7])
@pytest.mark.parametrize("f", OBJECTIVES.values(), ids=OBJECTIVES)
@pytest.mark.parametrize("name", EXACT_FOR_ONE)
def test_is_exact_for_one_variable(name, f, categorical_dim):
    check_exact_for_one_variable(
        lambda logits, g, generator: gradient_of(name, logits, g, 1, generator), categorical_dim, f
    )


@pytest.mark.parametrize("name", ["reinforce", "rloo"])
def test_check_rejects_estimators_that_sample_the_variable(name):
    with pytest.raises(AssertionError):
        check_exact_for_one_variable(
            lambda logits, g, generator: gradient_of(name, logits, g, 2, generator), 7, mlp
        )


@pytest.mark.parametrize("name", EXACT_FOR_ONE)
def test_what_f_has_in_common_is_not_rounded_into_a_float32_gradient(name):
    """Probabilities of float32 sum to one but for 6e-8, of which a constant of 4,096 would make 2e-4."""
    logits = normal(64, 5, seed=1, scale=3).float()
    plain = gradient_of(name, logits, lambda samples: samples[..., 0].sum(-1), 1, seeded(0))
    shifted = gradient_of(name, logits, lambda samples: samples[..., 0].sum(-1) + 4096, 1, seeded(0))
    # The losses are whole numbers, which rounding leaves alone, and their differences are at most 64.
    check_equal_but_for_rounding(shifted, plain, length=2 * 5, size=1.0)


@pytest.mark.parametrize("name", ["indecater", "indecater_per_variable"])
def test_is_exact_for_a_sum_over_variables(name):
    """Of the others' terms, which are sampled, only a constant reaches the variable that is summed out."""
    logits = normal(4, 3, seed=1)
    actual = gradient_of(name, logits, linear, 1, seeded(1))
    check_equal_sums_over_states(actual, exact_gradient(linear, logits), linear)


# Any number of variables, enumerated.


def check_expectation(estimate, f, logits):
    """Enumerated over D, the estimate from the one sample D has the exact gradient as its mean."""
    every = states(*logits.shape)
    estimates = estimate(logits.expand(every.shape), every.argmax(-1).unsqueeze(0), f)
    mean = (state_probs(logits)[:, None, None] * estimates).sum(0)
    check_equal_sums_over_states(mean, exact_gradient(f, logits), f)


@pytest.mark.parametrize("logits", LOGITS, ids=lambda x: f"{x.shape[-1]}x{x.shape[-2]}")
@pytest.mark.parametrize("f", OBJECTIVES.values(), ids=OBJECTIVES)
def test_expectation_is_the_exact_gradient(f, logits):
    check_expectation(at_samples, f, logits)


def _biased_sum(logits, categories, f):
    """Σ_v over all categories but the one that was drawn."""
    means = means_per_category(f, categories, logits, None, is_shared=True)
    return summed_out(logits, means * (1 - one_hot(categories[0], logits))).gradient


def _next_variable_set(logits, categories, f):
    means = means_per_category(f, categories, logits, None, is_shared=True)
    return summed_out(logits, means.roll(1, -2)).gradient


@pytest.mark.parametrize("planted", [_biased_sum, _next_variable_set])
def test_check_rejects(planted):
    with pytest.raises(AssertionError):
        check_expectation(planted, mlp, LOGITS[2])


# Its relatives.


def local_expectation_gradient(logits, sample, f):
    """LEG: each variable in turn in expectation given its Markov blanket, here just its own distribution."""
    gradient = torch.zeros_like(logits)
    for d in range(len(logits)):
        leaf = logits.clone().requires_grad_()
        log_probs = torch.log_softmax(leaf[d], -1)
        for v, log_prob in enumerate(log_probs.unbind()):
            moved = sample.clone()
            moved[d] = torch.eye(logits.shape[-1])[v]
            score = torch.autograd.grad(log_prob, leaf, retain_graph=True)[0][d]
            gradient[d] += log_prob.exp().detach() * score * f(moved)
    return gradient


def reparameterised_and_marginalised(logits, noise, f):
    """RAM: each variable in turn in expectation over its own Gumbels, given those of the others."""
    gradient = torch.zeros_like(logits)
    for d in range(len(logits)):
        leaf = logits.clone().requires_grad_()
        others = one_hot((logits + noise).argmax(-1), logits)
        values = []
        for v in range(logits.shape[-1]):
            moved = others.clone()
            moved[d] = torch.eye(logits.shape[-1])[v]
            values.append(f(moved))
        torch.softmax(leaf[d], -1).dot(torch.stack(values)).backward()
        gradient[d] = leaf.grad[d]
    return gradient


def check_relative(relative):
    """At every state, not just in expectation."""
    for logits in LOGITS:
        for sample in states(*logits.shape):
            expected = at_samples(logits, sample.argmax(-1).unsqueeze(0), mlp)
            check_equal_sums_over_states(relative(logits, sample), expected, mlp)


def _ram_at(logits, sample):
    """With any noise that makes this sample win."""
    return reparameterised_and_marginalised(logits, 10 * sample + normal(*logits.shape, seed=9), mlp)


def test_local_expectation_gradients_are_the_same_estimator():
    check_relative(lambda logits, sample: local_expectation_gradient(logits, sample, mlp))


def test_ram_is_the_same_estimator():
    check_relative(_ram_at)


def test_relative_check_rejects_reinforce():
    def reinforce(logits, sample):
        return mlp(sample) * (sample - torch.softmax(logits, -1))

    with pytest.raises(AssertionError):
        check_relative(reinforce)


# Variance, on the problem of Section 6.1.


def check_variance_is_a_tenth(estimator, other, latent_dim, categorical_dim):
    """Var(estimator with one sample) < Var(other with 1000) / 10, summed over coordinates."""
    logits = normal(latent_dim, categorical_dim, seed=1)
    target = torch.multinomial(torch.softmax(logits, -1), 1, generator=seeded(2))[:, 0]
    values = torch.arange(categorical_dim, dtype=torch.float64)

    def distance(x):
        return ((x * values).sum(-1) - target).abs().sum(-1)

    many = logits.expand(100, latent_dim, categorical_dim)
    first = gradient_of(estimator, many, distance, 1, seeded(3)).var(0).sum()
    second = gradient_of(other, many, distance, 1000, seeded(4)).var(0).sum()
    assert first < second / 10, f"variance {first:.3g} is not below a tenth of {second:.3g}"


@pytest.mark.parametrize(("latent_dim", "categorical_dim"), [(12, 3), (6, 10)])
def test_variance_is_below_a_tenth_of_rloo_with_a_thousand_samples(latent_dim, categorical_dim):
    check_variance_is_a_tenth("indecater", "rloo", latent_dim, categorical_dim)


def test_variance_check_rejects_reinforce():
    with pytest.raises(AssertionError, match="not below a tenth"):
        check_variance_is_a_tenth("reinforce", "rloo", 12, 3)


def test_value_is_made_of_the_same_evaluations():
    """The expectation over the variable that is summed out, averaged over variables."""
    logits, sample = LOGITS[2], states(2, 3)[4]
    means = means_per_category(mlp, sample.argmax(-1).unsqueeze(0), logits, None, is_shared=True)
    expected = (torch.softmax(logits, -1) * means).sum(-1).mean()
    torch.testing.assert_close(summed_out(logits, means).value, expected)
    estimate = indecater(logits, mlp, num_samples=1, generator=seeded(1))
    assert estimate.value.shape == ()
