"""The estimators for binary variables: exact in expectation, their randomness enumerated."""

import itertools
from functools import partial

import pytest
import torch

from estimators import REGISTRY
from estimators.score_function.antithetic import antithetic
from estimators.score_function.arm import arm_gradient
from estimators.score_function.arms import arms_gradient, repelling
from estimators.score_function.disarm import disarm_gradient
from tests.estimators.objectives import OBJECTIVES, mlp
from tests.estimators.oracles import Hyperparameters, exact_gradient, normal
from tests.estimators.registry_table import estimate_of, every_binary
from tests.estimators.rule_table import seeded
from tests.estimators.statistical_checks import check_frequencies, check_mean_is

LOGITS = {
    "two": normal(2, 2, seed=3),
    "three": normal(3, 2, seed=4),
    "likely": normal(2, 2, seed=5, scale=4),
    "even": torch.zeros(2, 2, dtype=torch.float64),
}
each_logits = pytest.mark.parametrize("logits", LOGITS.values(), ids=LOGITS)
each_f = pytest.mark.parametrize("f", OBJECTIVES.values(), ids=OBJECTIVES)


def f_of(f, categories):
    return f(torch.nn.functional.one_hot(categories, 2).double())


def pieces(p):
    """Intervals of u between which b and b̃ do not change: length and middle."""
    ends = sorted({0.0, p, 1 - p, 1.0})
    return [(stop - start, (start + stop) / 2) for start, stop in itertools.pairwise(ends)]


def check_pairs(rule, f, logits):
    """Integrated over u of every variable: no estimate is more than linear in u between the ends."""
    per_variable = [pieces(p) for p in logits.softmax(-1)[:, 1].tolist()]
    lengths, middles = torch.tensor(list(itertools.product(*per_variable)), dtype=torch.float64).unbind(-1)
    pair = torch.stack(antithetic(logits.softmax(-1), middles))
    estimates = rule(logits.expand(len(middles), -1, -1), pair, middles.unsqueeze(0), f_of(f, pair))
    mean = (lengths.prod(-1)[:, None, None] * estimates).sum(0)
    torch.testing.assert_close(mean, exact_gradient(f, logits), rtol=0, atol=1e-10)


def _disarm(logits, pair, _noise, losses):
    return disarm_gradient(logits, pair, losses)


def _arm(logits, _pair, noise, losses):
    return arm_gradient(logits, noise, losses)


def _arms_of_two(logits, pair, _noise, losses):
    return arms_gradient(logits, pair, losses)


@pytest.mark.parametrize("rule", [_disarm, _arm, _arms_of_two])
@each_logits
@each_f
def test_expectation_over_pairs_is_the_exact_gradient(rule, logits, f):
    check_pairs(rule, f, logits)


def _without_the_half(logits, pair, noise, losses):
    return 2 * _disarm(logits, pair, noise, losses)


def _by_p(logits, pair, noise, losses):
    """σ(φ) in place of σ(|φ|)."""
    probs = logits.softmax(-1)
    return _disarm(logits, pair, noise, losses) * (probs[..., 1] / probs.amax(-1)).unsqueeze(-1)


def _distance_from_the_half(logits, pair, noise, losses):
    return arm_gradient(logits, 0.5 + (noise - 0.5).abs(), losses)


@pytest.mark.parametrize("planted", [_without_the_half, _by_p, _distance_from_the_half])
def test_check_of_pairs_rejects(planted):
    with pytest.raises(AssertionError, match="not close"):
        check_pairs(planted, mlp, LOGITS["three"])


def test_disarm_is_arm_with_u_averaged_over_and_arms_of_two_is_disarm():
    logits = normal(50, 3, 2, seed=6)
    pair, losses = torch.randint(2, (2, 50, 3), generator=seeded(1)), normal(2, 50, seed=7)
    rare = logits.softmax(-1).argmin(-1)
    pair[1] = pair[0].where((pair[0] == pair[1]) & (pair[0] != rare), 1 - pair[0])  # what pairs there are
    torch.testing.assert_close(
        arms_gradient(logits, pair, losses), disarm_gradient(logits, pair, losses), rtol=0, atol=1e-13
    )


def pattern_probs(logits, num_samples):
    """The probability of each pattern of N categories of one variable, by inclusion and exclusion."""
    one = logits.softmax(-1)[1].item()
    rare, is_one_rare = min(one, 1 - one), one < 0.5

    def all_rare(count):
        if count == 0:
            return 1.0
        return max(1 - count * (1 - rare ** (1 / (num_samples - 1))), 0.0) ** (num_samples - 1)

    found = {}
    for pattern in itertools.product((0, 1), repeat=num_samples):
        k = sum(category == is_one_rare for category in pattern)
        rest = num_samples - k
        binomial = [len(list(itertools.combinations(range(rest), m))) for m in range(rest + 1)]
        found[pattern] = sum((-1) ** m * times * all_rare(k + m) for m, times in enumerate(binomial))
    return found


def check_arms(rule, f, logits, num_samples):
    """Enumerated over the categories of every sample of every variable."""
    per_variable = [pattern_probs(one, num_samples).items() for one in logits]
    cases = list(itertools.product(*per_variable))
    categories = torch.tensor([[pattern for pattern, _ in case] for case in cases]).movedim(-1, 0)
    weights = torch.tensor([[p for _, p in case] for case in cases], dtype=torch.float64).prod(-1)
    estimates = rule(logits.expand(len(cases), -1, -1), categories, f_of(f, categories))
    mean = (weights[:, None, None] * estimates).sum(0)
    torch.testing.assert_close(mean, exact_gradient(f, logits), rtol=0, atol=1e-10)


@pytest.mark.parametrize("num_samples", [2, 3, 4])
@each_logits
def test_expectation_of_arms_is_the_exact_gradient(logits, num_samples):
    check_arms(arms_gradient, mlp, logits, num_samples)


def test_check_of_arms_rejects_the_rule_of_independent_samples():
    def without_factor(logits, categories, losses):
        probs, others = logits.softmax(-1), len(categories) - 1
        shared = ((2 - probs.amin(-1) ** (-1 / others)).clamp(min=0) ** others).unsqueeze(-1)
        return arms_gradient(logits, categories, losses) * (1 - shared) / probs.amax(-1, keepdim=True)

    with pytest.raises(AssertionError, match="not close"):
        check_arms(without_factor, mlp, LOGITS["two"], 3)


@pytest.mark.parametrize("one", [0.1, 0.4, 0.7])
def test_samples_repel_each_other_with_the_probabilities_of_a_dirichlet_copula(one):
    probs = torch.tensor([1 - one, one], dtype=torch.float64)
    noise = torch.empty(100_000, 1, 3, dtype=torch.float64).exponential_(generator=seeded(1))
    pattern = repelling(probs.expand(100_000, 1, 2), noise)[..., 0].T @ torch.tensor([4, 2, 1])
    expected = torch.tensor(list(pattern_probs(probs.log(), 3).values()))
    possible = expected > 1e-12
    assert possible[pattern].all()
    number = possible.cumsum(0) - 1
    check_frequencies(number[pattern], expected[possible])


@every_binary
@pytest.mark.parametrize("num_samples", [2, 5])
def test_means_of_whole_estimates_are_the_exact_gradient(estimator, num_samples):
    logits, f = LOGITS["three"], lambda x: mlp(x) + 1.5
    leaf = logits.expand(20_000, 3, 2).clone().requires_grad_()
    h = Hyperparameters(num_samples=num_samples)
    estimate = estimate_of(REGISTRY[estimator.name], leaf, f, seeded(2), h)
    estimate.surrogate.sum().backward()
    check_mean_is(leaf.grad, exact_gradient(f, logits))


@every_binary
@pytest.mark.parametrize("categorical_dim", [1, 3])
def test_other_than_two_categories_are_refused(estimator, categorical_dim):
    logits = normal(5, 3, categorical_dim, seed=1)
    match = rf"logits must have 2 categories for {estimator.name}, .*got shape \(5, 3, {categorical_dim}\)"
    with pytest.raises(ValueError, match=match):
        estimate_of(estimator, logits, partial(mlp), seeded(1))
