"""The exact gradient: against an oracle that sums literally, and as the derivative of its own value."""

import pytest
import torch

from estimators import exact
from estimators.score_function.exact import MAX_STATES
from tests.estimators.objectives import OBJECTIVES, mlp
from tests.estimators.oracles import exact_gradient, normal, state_probs, states
from tests.estimators.pathwise.test_concrete import STEP, finite_difference
from tests.estimators.rule_table import seeded
from tests.estimators.sums_over_states import check_equal_sums_over_states
from tests.rounding import rounding

SHAPES = [(1, 1), (1, 5), (2, 3), (4, 2), (3, 4)]


def gradient_of(logits, f, **options):
    leaf = logits.clone().requires_grad_()
    exact(leaf, f, **options).surrogate.sum().backward()
    return leaf.grad


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("f", OBJECTIVES.values(), ids=OBJECTIVES)
def test_equals_the_literal_sum(f, shape):
    logits = normal(*shape, seed=1, scale=2)
    check_equal_sums_over_states(gradient_of(logits, f), exact_gradient(f, logits), f)
    expected = (state_probs(logits) * f(states(*shape))).sum()
    check_equal_sums_over_states(exact(logits, f).value, expected, f, shape)


def check_is_derivative(gradient, f):
    logits = normal(2, 3, seed=2)
    expected = finite_difference(lambda x: exact(x, f).value, logits)
    largest = f(states(2, 3)).abs().max().item()
    # Of the difference the term of third order: E[f]'s third derivative is below 2 (2 max|f|). Of its two
    # values the rounding: sums over nine states.
    of_the_step = STEP**2 / 6 * 4 * largest
    of_the_values = rounding(2 * 9, largest, torch.float64) / STEP
    torch.testing.assert_close(gradient(logits, f), expected, rtol=0, atol=of_the_step + of_the_values)


@pytest.mark.parametrize("f", OBJECTIVES.values(), ids=OBJECTIVES)
def test_gradient_is_the_derivative_of_the_value(f):
    check_is_derivative(gradient_of, f)


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(lambda x, f: gradient_of(x, f).flip(-2), id="variables in another order"),
        pytest.param(lambda x, f: gradient_of(x, f).flip(-1), id="categories in another order"),
        pytest.param(lambda x, f: gradient_of(x + normal(2, 3, seed=3), f), id="other probabilities"),
    ],
)
def test_derivative_check_rejects(planted):
    with pytest.raises(AssertionError):
        check_is_derivative(planted, mlp)


def test_every_row_of_a_batch_is_enumerated_by_itself():
    logits = normal(2, 4, 2, 3, seed=4)
    together = gradient_of(logits, mlp, chunk_size=2)
    for row in range(2):
        for column in range(4):
            expected = exact_gradient(mlp, logits[row, column])
            check_equal_sums_over_states(together[row, column], expected, mlp)


def test_does_not_depend_on_the_generator():
    logits = normal(5, 2, 3, seed=4)
    assert torch.equal(gradient_of(logits, mlp, generator=seeded(1)), gradient_of(logits, mlp))


def test_large_constants_cost_no_digits_in_float32():
    """Losses are a few hundred nats, their differences a few."""
    logits = normal(2, 3, seed=5)
    actual = gradient_of(logits.float(), lambda x: mlp(x.double()).float() + 500.0)
    torch.testing.assert_close(actual.double(), exact_gradient(mlp, logits), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("latent_dim", "categorical_dim"), [(21, 2), (8, 64), (1, MAX_STATES + 1), (3000, 7)]
)
def test_too_many_states_are_refused_with_their_number(latent_dim, categorical_dim):
    message = (
        rf"at most {MAX_STATES} states C\^L to enumerate, got {categorical_dim}\^{latent_dim}, about 10\^\d"
    )
    with pytest.raises(ValueError, match=message):
        exact(torch.zeros(latent_dim, categorical_dim), mlp)
