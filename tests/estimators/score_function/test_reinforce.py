"""REINFORCE: exact in expectation over every state, one sample at a time."""

import pytest
import torch

from estimators.score_function.reinforce import reinforce_gradient
from estimators.softmax import softmax
from tests.estimators.objectives import OBJECTIVES, mlp
from tests.estimators.oracles import exact_gradient, normal, state_probs, states

LOGITS = [normal(1, 2, seed=1), normal(1, 5, seed=2), normal(2, 3, seed=3), normal(3, 2, seed=4, scale=2)]


def check_expectation(rule, f, logits):
    """Enumerated over D, the estimate from the one sample D has the exact gradient as its mean."""
    every = states(*logits.shape)
    estimates = rule(logits.expand(every.shape), every.argmax(-1).unsqueeze(0), f(every).unsqueeze(0))
    mean = (state_probs(logits)[:, None, None] * estimates).sum(0)
    torch.testing.assert_close(mean, exact_gradient(f, logits), rtol=0, atol=1e-12)


@pytest.mark.parametrize("logits", LOGITS, ids=lambda x: f"{x.shape[-1]}x{x.shape[-2]}")
@pytest.mark.parametrize("f", OBJECTIVES.values(), ids=OBJECTIVES)
def test_expectation_is_the_exact_gradient(f, logits):
    check_expectation(reinforce_gradient, f, logits)


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(lambda x, c, losses: reinforce_gradient(x, c, losses) / 2, id="halved"),
        pytest.param(
            lambda x, c, losses: reinforce_gradient(x, c, losses) + softmax(x) * losses[0, :, None, None],
            id="x for x - π",
        ),
        pytest.param(
            lambda x, c, losses: reinforce_gradient(x, c, losses - 0.1 * losses**2), id="baseline f² / 10"
        ),
    ],
)
def test_check_rejects(planted):
    with pytest.raises(AssertionError):
        check_expectation(planted, mlp, LOGITS[2])


def test_several_samples_are_averaged():
    logits, losses = normal(5, 2, 3, seed=1), normal(4, 5, seed=2)
    categories = torch.randint(3, (4, 5, 2), generator=torch.Generator().manual_seed(1))
    each = [reinforce_gradient(logits, categories[n : n + 1], losses[n : n + 1]) for n in range(4)]
    expected = torch.stack(each).mean(0)
    torch.testing.assert_close(reinforce_gradient(logits, categories, losses), expected, rtol=0, atol=1e-14)
