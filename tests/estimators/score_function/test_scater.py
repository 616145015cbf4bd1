"""SCateR: unbiased where later variables depend on earlier ones, for every parameter of the distribution."""

import pytest
import torch

from estimators import indecater, scater
from estimators.score_function.scater import independent
from tests.estimators.objectives import mlp, quadratic
from tests.estimators.oracles import normal, one_hot, states
from tests.estimators.rule_table import seeded
from tests.estimators.statistical_checks import check_mean_is

L, C, REPEATS = 3, 3, 10_000
LOGITS = normal(L, C, seed=1)
WEIGHT = normal(L, C, L, C, seed=2, scale=1.5)
"""Effect of variable e's category on the logits of variable d: entry (e, ·, d, ·)."""


def f(x):
    return mlp(x) + 0.3 * quadratic(x)


def autoregressive(weight):
    """Logits of variable d: its own plus the effects of those before; weight has shape (..., L, C, L, C)."""

    def conditional(logits, prefix):
        d = prefix.shape[-2]
        effects = torch.einsum("s...ec,...eck->s...k", prefix, weight[..., :d, :, d, :])
        return logits[..., d, :] + effects

    return conditional


def exact_gradients(logits, weight):
    """∂E[f] with respect to logits and weight, and E[f], by enumeration."""
    logits, weight = (tensor.clone().requires_grad_() for tensor in (logits, weight))
    every, conditional = states(L, C), autoregressive(weight)
    log_prob = torch.zeros(len(every), dtype=torch.float64)
    for d in range(L):
        log_probs = torch.log_softmax(conditional(logits, every[:, :d]), -1)
        log_prob = log_prob + (log_probs * every[:, d]).sum(-1)
    value = (log_prob.exp() * f(every)).sum()
    return (*torch.autograd.grad(value, (logits, weight)), value.detach())


def estimates(num_samples, seed):
    logits = LOGITS.expand(REPEATS, L, C).clone().requires_grad_()
    weight = WEIGHT.expand(REPEATS, L, C, L, C).clone().requires_grad_()
    estimate = scater(logits, f, autoregressive(weight), num_samples=num_samples, generator=seeded(seed))
    estimate.surrogate.sum().backward()
    return logits.grad, weight.grad, estimate.value.detach()


@pytest.mark.parametrize("num_samples", [1, 3])
def test_mean_is_the_exact_gradient_with_respect_to_every_parameter(num_samples):
    for drawn, expected in zip(estimates(num_samples, 3), exact_gradients(LOGITS, WEIGHT), strict=True):
        check_mean_is(drawn, expected)


def literal(*, resamples, from_prefix, generator):
    """Eq. 3.5 with one sample, looped over; the keywords plant errors."""
    logits = LOGITS.expand(REPEATS, L, C).clone().requires_grad_()
    conditional = autoregressive(WEIGHT)

    def probs(x, d):
        return torch.softmax(conditional(logits, x[None, :, :d])[0], -1)

    def drawn(x, d):
        index = torch.multinomial(probs(x, d).detach(), 1, generator=generator)[:, 0]
        return torch.cat((x[:, :d], one_hot(index, logits)[:, None], x[:, d + 1 :]), 1)

    x = torch.zeros(REPEATS, L, C, dtype=torch.float64)
    for d in range(L):
        x = drawn(x, d)
    total = 0.0
    for d in range(L):
        of_variable = probs(x, d) if from_prefix else torch.softmax(logits[:, d], -1)
        for v in range(C):
            chain = torch.cat((x[:, :d], torch.eye(C)[v].expand(REPEATS, 1, C), x[:, d + 1 :]), 1)
            for later in range(d + 1, L) if resamples else ():
                chain = drawn(chain, later)
            total = total + of_variable[:, v] * f(chain)
    return torch.autograd.grad(total.sum(), logits)[0]


def check_literal(*, resamples=True, from_prefix=True):
    draws = literal(resamples=resamples, from_prefix=from_prefix, generator=seeded(4))
    check_mean_is(draws, exact_gradients(LOGITS, WEIGHT)[0])


def test_check_accepts_the_literal_sum():
    check_literal()


def test_check_rejects_later_variables_that_keep_their_values():
    """As IndeCateR, which is for independent variables."""
    with pytest.raises(AssertionError, match="means differ"):
        check_literal(resamples=False)


def test_check_rejects_probabilities_that_do_not_know_the_prefix():
    with pytest.raises(AssertionError, match="means differ"):
        check_literal(from_prefix=False)


def test_downstream_variables_are_drawn_given_the_value_that_was_set():
    """A second variable that copies the first follows whatever the first is set to."""

    def copies(logits, prefix):
        return independent(logits, prefix) if prefix.shape[-2] == 0 else 100 * prefix[..., -1, :]

    calls = []

    def recorded(x):
        calls.append(x.argmax(-1))
        return mlp(x)

    scater(torch.zeros(50, 2, 4, dtype=torch.float64), recorded, copies, num_samples=2, generator=seeded(1))
    by_variable = calls[0].view(2, 4, 2, 50, 2)
    assert torch.equal(by_variable[0, ..., 0], by_variable[0, ..., 1])
    assert (by_variable[1, ..., 1] == torch.arange(4).view(4, 1, 1)).all()


def test_conditional_is_called_once_a_variable_for_all_chains():
    prefixes = []

    def recorded(logits, prefix):
        prefixes.append(tuple(prefix.shape))
        return independent(logits, prefix)

    scater(normal(5, L, C, seed=1), f, recorded, num_samples=2, generator=seeded(1))
    assert prefixes == [(2, 5, 0, C), (2, 5, 1, C), (6, 5, 1, C), (2, 5, 2, C), (12, 5, 2, C)]


def test_has_the_expectation_of_indecater_and_more_variance_for_independent_variables():
    draws = []
    for estimator in (scater, indecater):
        logits = LOGITS.expand(REPEATS, L, C).clone().requires_grad_()
        estimator(logits, f, num_samples=1, generator=seeded(5)).surrogate.sum().backward()
        draws.append(logits.grad)
    difference = (draws[0].mean(0) - draws[1].mean(0)) / (
        (draws[0].var(0) + draws[1].var(0)) / REPEATS
    ).sqrt()
    assert difference.abs().max() < 4.5
    assert draws[0].var(0).sum() > draws[1].var(0).sum()


def unused(logits, prefix):
    """Logits of what no earlier variable is: permutations."""
    masked = independent(logits, prefix).masked_fill(prefix.sum(-2) > 0, -torch.inf)
    return masked.where(masked.max(-1, keepdim=True).values > -torch.inf, 0)  # after an impossible prefix


def test_a_conditional_may_mask_categories():
    """Where two variables are the same, f may be infinite: no draw is."""
    every = states(L, C)
    is_permutation = every.sum(-2).amax(-1) == 1

    def f_of_permutations(x):
        return f(x).where(x.sum(-2).amax(-1) == 1, torch.inf)

    leaf = LOGITS.clone().requires_grad_()
    log_prob = sum(
        (unused(leaf, every[:, :d]).log_softmax(-1) * every[:, d])[every[:, d] > 0] for d in range(L)
    )
    (log_prob.exp() * f(every))[is_permutation].sum().backward()
    logits = LOGITS.expand(REPEATS, L, C).clone().requires_grad_()
    estimate = scater(logits, f_of_permutations, unused, num_samples=1, generator=seeded(3))
    estimate.surrogate.sum().backward()
    assert torch.equal(estimate.value, estimate.surrogate)
    check_mean_is(logits.grad, leaf.grad)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda logits, prefix: logits[..., 0, :], id="no first axis"),
        pytest.param(lambda logits, prefix: logits.expand(len(prefix), *logits.shape), id="every variable"),
        pytest.param(lambda logits, prefix: independent(logits, prefix).numpy(), id="numpy"),
    ],
)
def test_conditional_of_another_shape_or_type_is_refused(wrong):
    message = r"conditional must return logits of shape \(2, 5, 3\), got (shape|ndarray)"
    with pytest.raises(ValueError, match=message):
        scater(normal(5, L, C, seed=1), f, wrong, generator=seeded(1))


def test_parameters_before_the_logits_get_their_gradient():
    """Logits that come from a network, as an encoder's do."""
    weight = normal(L * C, 4, seed=3).requires_grad_()
    logits = (weight @ normal(4, seed=4)).view(L, C)
    scater(logits, f, generator=seeded(1)).surrogate.backward()
    assert weight.grad is not None
    assert weight.grad.abs().max() > 0
