"""RLOO: exact in expectation over every pair of states, and each sample's baseline is the others' mean."""

import itertools

import pytest
import torch

from estimators import rloo
from estimators.score_function.reinforce import reinforce_gradient
from estimators.score_function.rloo import rloo_gradient
from tests.estimators.objectives import OBJECTIVES, mlp
from tests.estimators.oracles import exact_gradient, normal, state_probs, states
from tests.estimators.rule_table import seeded

LOGITS = [normal(1, 3, seed=2), normal(2, 2, seed=3)]


def check_expectation(rule, f, logits, num_samples=2):
    """Enumerated over every tuple of samples."""
    every, probs = states(*logits.shape), state_probs(logits)
    tuples = torch.tensor(list(itertools.product(range(len(every)), repeat=num_samples))).T
    estimates = rule(
        logits.expand(tuples.shape[1], *logits.shape), every.argmax(-1)[tuples], f(every)[tuples]
    )
    mean = (probs[tuples].prod(0)[:, None, None] * estimates).sum(0)
    torch.testing.assert_close(mean, exact_gradient(f, logits), rtol=0, atol=1e-12)


@pytest.mark.parametrize("num_samples", [2, 3])
@pytest.mark.parametrize("logits", LOGITS, ids=lambda x: f"{x.shape[-1]}x{x.shape[-2]}")
@pytest.mark.parametrize("f", OBJECTIVES.values(), ids=OBJECTIVES)
def test_expectation_is_the_exact_gradient(f, logits, num_samples):
    check_expectation(rloo_gradient, f, logits, num_samples)


def _mean_of_all_as_baseline(logits, categories, losses):
    """1/N, as if f̄ did not hold f(x_n)."""
    return reinforce_gradient(logits, categories, losses - losses.mean(0))


def test_check_rejects_n_in_place_of_n_minus_one():
    with pytest.raises(AssertionError):
        check_expectation(_mean_of_all_as_baseline, mlp, LOGITS[1])


def test_each_sample_has_the_mean_of_the_others_as_its_baseline():
    logits, losses = normal(5, 2, 3, seed=1), normal(4, 5, seed=2)
    categories = torch.randint(3, (4, 5, 2), generator=seeded(1))
    others = (losses.sum(0) - losses) / 3
    expected = reinforce_gradient(logits, categories, losses - others)
    torch.testing.assert_close(rloo_gradient(logits, categories, losses), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("num_samples", [0, 1])
def test_one_sample_is_refused(num_samples):
    with pytest.raises(ValueError, match=f"num_samples must be an integer >= 2, got {num_samples}"):
        rloo(LOGITS[1], mlp, num_samples=num_samples, generator=seeded(1))
