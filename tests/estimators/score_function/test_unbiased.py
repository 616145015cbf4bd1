"""Every score-function estimator has the exact gradient, and its value E[f], as its mean: z-tests."""

import pytest
import torch

from estimators import REGISTRY
from estimators.score_function.indecater import summed_out
from estimators.score_function.reinforce import reinforce_gradient
from estimators.score_function.rloo import rloo_gradient
from estimators.score_function.samples import sample_categories
from estimators.score_function.substitution import means_per_category
from tests.estimators.oracles import Hyperparameters, state_probs, states
from tests.estimators.registry_table import estimate_of
from tests.estimators.rule_table import seeded
from tests.estimators.score_function.cases import LOGITS, exact_at_logits, f, repeated
from tests.estimators.statistical_checks import check_mean_is

CASES = {
    "one sample": Hyperparameters(temperature=1.0, eta=1.0, num_samples=1),
    "two samples": Hyperparameters(temperature=0.5, eta=0.7, num_samples=2),
    "five samples": Hyperparameters(temperature=0.1, eta=1.5, num_samples=5),
    "hot": Hyperparameters(temperature=3.0, eta=-0.5, num_samples=2),
}
NAMES = [name for name, e in REGISTRY.items() if e.needs_objective and e.categorical_dim is None]
ALLOWED = [
    pytest.param(name, h, id=f"{name}-{case}")
    for name in NAMES
    for case, h in CASES.items()
    if all(own.name != "num_samples" or own.allows(h.num_samples) for own in REGISTRY[name].hyperparameters)
]


def check_unbiased(draws):
    check_mean_is(draws(seeded(2)), exact_at_logits())


@pytest.mark.parametrize(("name", "h"), ALLOWED)
def test_means_are_the_exact_gradient_and_the_expectation(name, h):
    logits = repeated()
    estimate = estimate_of(REGISTRY[name], logits, f, seeded(2), h)
    estimate.surrogate.sum().backward()
    check_mean_is(logits.grad, exact_at_logits())
    check_mean_is(estimate.value, (state_probs(LOGITS) * f(states(3, 3))).sum())


def _with_samples(gradient, num_samples=3):
    """Estimates from the package's samples and losses, by another rule."""

    def draw(generator):
        logits = repeated().detach()
        categories = sample_categories(logits, num_samples, generator)
        losses = f(torch.nn.functional.one_hot(categories, 3).double())
        return gradient(logits, categories, losses)

    return draw


def _score_without_probs(logits, categories, losses):
    return (losses[..., None, None] * torch.nn.functional.one_hot(categories, 3)).mean(0)


def _rloo_by_n(logits, categories, losses):
    return rloo_gradient(logits, categories, losses) * (len(losses) - 1) / len(losses)


def _others_alone_by_n_minus_one_twice(logits, categories, losses):
    return rloo_gradient(logits, categories, losses) * len(losses) / (len(losses) - 1)


def _baseline_of_this_sample(logits, categories, losses):
    """Each loss less a multiple of itself: a baseline that is not independent of the sample."""
    return reinforce_gradient(logits, categories, 0.9 * losses)


def _substituted(function):
    """Estimates from the package's F_dv, shape (M, L, C), by another rule."""

    def draw(generator):
        logits = repeated().detach()
        categories = sample_categories(logits, 2, generator)
        return function(logits, means_per_category(f, categories, logits, None, is_shared=True), categories)

    return draw


def _without_own_category(logits, means, categories):
    """The sum over v leaves out the category that was drawn."""
    drawn = torch.nn.functional.one_hot(categories[0], 3)
    return summed_out(logits, means * (1 - drawn)).gradient


def _mean_over_variables(logits, means, _categories):
    return summed_out(logits, means).gradient / 3


def _uniform_weights(logits, means, _categories):
    return summed_out(torch.zeros_like(logits), means).gradient


def _substituted_in_samples_of_another_distribution(generator):
    logits = repeated().detach()
    categories = sample_categories(2 * logits, 2, generator)
    return summed_out(logits, means_per_category(f, categories, logits, None, is_shared=True)).gradient


PLANTED = {
    "reinforce: sum over samples": _with_samples(lambda x, c, losses: 3 * reinforce_gradient(x, c, losses)),
    "reinforce: x for x - π": _with_samples(_score_without_probs),
    "reinforce: a baseline that knows the sample": _with_samples(_baseline_of_this_sample),
    "rloo: N for N - 1": _with_samples(_rloo_by_n),
    "rloo: N - 1 twice": _with_samples(_others_alone_by_n_minus_one_twice),
    "indecater: own category left out": _substituted(_without_own_category),
    "indecater: mean over variables": _substituted(_mean_over_variables),
    "indecater: uniform weights": _substituted(_uniform_weights),
    "indecater: wrong samples": _substituted_in_samples_of_another_distribution,
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_check_rejects(planted):
    with pytest.raises(AssertionError, match="means differ"):
        check_unbiased(planted)


@pytest.mark.parametrize(
    "right",
    [
        pytest.param(_with_samples(reinforce_gradient), id="reinforce"),
        pytest.param(_with_samples(rloo_gradient), id="rloo"),
        pytest.param(_substituted(lambda x, means, _: summed_out(x, means).gradient), id="indecater"),
    ],
)
def test_check_accepts_the_rules_that_the_planted_ones_differ_from(right):
    check_unbiased(right)
