"""Calls as `gumbel_softmax` and public ReinMax code have them are answered by what to write."""

import pickle
import re

import pytest

from estimators import rebar, reinmax, reinmax_rk2, rloo
from tests.estimators.objectives import mlp
from tests.estimators.oracles import normal
from tests.estimators.registry_table import every

LOGITS = normal(2, 3, 4, seed=1)


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (lambda: reinmax(LOGITS, 1.1), "write reinmax(logits, temperature=1.1)"),
        (lambda: reinmax(LOGITS, tau=1.1), "write reinmax(logits, temperature=1.1)"),
        (
            lambda: reinmax(LOGITS, tau=1.1, hard=True),
            "no tau or hard: write reinmax(logits, temperature=1.1)",
        ),
        (lambda: reinmax_rk2(logits=LOGITS, tau=1.1), "no tau: write reinmax_rk2(logits)"),
        (lambda: rloo(LOGITS, mlp, 5), "write rloo(logits, f, num_samples=5)"),
        (lambda: rebar(LOGITS, mlp, tau=2.0), "write rebar(logits, f, temperature=2.0)"),
    ],
)
def test_error_says_what_to_write(call, answer):
    with pytest.raises(TypeError, match=re.escape(answer)):
        call()


@every
def test_every_estimator_answers(estimator):
    """`scater` has one more that needs no name."""
    given = (LOGITS, mlp) if estimator.needs_objective else (LOGITS,)
    with pytest.raises(TypeError, match=rf"{estimator.name}\(\) takes hyperparameters by name: write"):
        estimator.function(*given, 2, 2)
    with pytest.raises(TypeError, match=rf"{estimator.name}\(\) has no nonsense: write"):
        estimator.function(*given, nonsense=2)


@every
def test_estimators_are_pickled_by_name(estimator):
    assert pickle.loads(pickle.dumps(estimator.function)) is estimator.function
