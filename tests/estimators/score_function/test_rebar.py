"""REBAR: against Eq. 15 by automatic differentiation, and unbiased with every term and with none missing."""

import pytest
import torch

from estimators import rebar, reinforce
from estimators.gumbel import sample_gumbel
from estimators.randomness import exponential
from tests.estimators.objectives import OBJECTIVES, mlp
from tests.estimators.oracles import Hyperparameters, normal, one_hot
from tests.estimators.rule_table import seeded
from tests.estimators.score_function.cases import LOGITS, REPEATS, estimates, exact_at_logits, f
from tests.estimators.statistical_checks import check_mean_is


def literal(logits, objective, temperature, eta, gumbels, exponentials, omit=()):
    """Eq. 15 averaged over draws, for noise of shape (N, ..., L, C); `omit` plants errors."""
    theta = logits.detach().clone().requires_grad_()
    of_row = eta.squeeze((-1, -2)) if isinstance(eta, torch.Tensor) else eta

    def differentiated(scalar):
        return torch.autograd.grad(scalar, theta, retain_graph=True, allow_unused=True)[0]

    free = theta + gumbels
    sample = one_hot(free.argmax(-1), theta)
    given = eq_7(theta.detach() if "θ in Y" in omit else theta, sample, exponentials)
    if "condition" in omit:
        given = theta + eq_7(torch.zeros_like(theta), sample, exponentials).roll(1, -1)
    log_prob = (sample * torch.log_softmax(theta, -1)).sum((-1, -2))
    of_given = objective(torch.softmax(given / temperature, -1))
    of_free = objective(torch.softmax(free / temperature, -1))
    weight = objective(sample).detach()
    if "control" not in omit:
        weight = weight - of_row * of_given.detach()
    total = differentiated((weight * log_prob).sum())
    if "∇f(s(θ + G))" not in omit:
        total = total + differentiated((of_row * of_free).sum())
    if "∇f(s(Y))" not in omit and "θ in Y" not in omit:
        total = total - differentiated((of_row * of_given).sum())
    return total / len(gumbels)


def eq_7(theta, sample, exponentials):
    """As printed, Z included."""
    z = torch.exp(theta).sum(-1, keepdim=True)
    e_winner = (exponentials * sample).sum(-1, keepdim=True)
    winner = -torch.log(exponentials) + torch.log(z)
    loser = -torch.log(exponentials / torch.exp(theta) + e_winner / z)
    return torch.where(sample > 0, winner, loser)


def noise_of(logits, num_samples, generator):
    """The noise that the package takes from a generator in this state."""
    first = sample_gumbel(logits.shape, generator, like=logits).unsqueeze(0)
    more = sample_gumbel((*logits.shape, num_samples - 1), generator, like=logits).movedim(-1, 0)
    exponentials = exponential((*logits.shape, num_samples), generator, like=logits).movedim(-1, 0)
    return torch.cat((first, more)), exponentials


def check_equals_literal(objective, temperature, eta, num_samples, omit=()):
    logits = normal(4, 2, 3, seed=1)
    expected = literal(logits, objective, temperature, eta, *noise_of(logits, num_samples, seeded(2)), omit)
    leaf = logits.clone().requires_grad_()
    estimate = rebar(
        leaf, objective, temperature=temperature, eta=eta, num_samples=num_samples, generator=seeded(2)
    )
    estimate.surrogate.sum().backward()
    torch.testing.assert_close(leaf.grad, expected, rtol=1e-11, atol=1e-12)


PACK = torch.tensor([0.3, 0.7, 1.0, 2.0], dtype=torch.float64).view(4, 1, 1)


@pytest.mark.parametrize("num_samples", [1, 3])
@pytest.mark.parametrize(
    ("temperature", "eta"),
    [(1.0, 1.0), (0.1, 1.5), (3.0, -0.5), (PACK, PACK.flip(0))],
    ids=["1", "cold", "hot", "pack"],
)
@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_equals_automatic_differentiation_of_eq_15(objective, temperature, eta, num_samples):
    check_equals_literal(objective, temperature, eta, num_samples)


OMISSIONS = ["control", "∇f(s(θ + G))", "∇f(s(Y))", "θ in Y", "condition"]


@pytest.mark.parametrize("omit", OMISSIONS)
def test_literal_check_rejects_a_missing(omit):
    with pytest.raises(AssertionError):
        check_equals_literal(mlp, 0.6, 0.8, 3, (omit,))


def check_unbiased(omit, temperature=0.6):
    logits = LOGITS.expand(REPEATS, 3, 3)
    draws = literal(logits, f, temperature, 1.0, *noise_of(logits, 1, seeded(3)), omit)
    check_mean_is(draws, exact_at_logits())


@pytest.mark.parametrize("temperature", [0.2, 0.6, 2.0])
def test_eq_15_is_unbiased(temperature):
    check_unbiased((), temperature)


@pytest.mark.parametrize("omit", OMISSIONS)
def test_it_is_biased_without(omit):
    with pytest.raises(AssertionError, match="means differ"):
        check_unbiased((omit,))


def test_eta_of_zero_is_reinforce_at_the_same_samples():
    logits, calls = normal(4, 2, 3, seed=1), []

    def recorded(x):
        calls.append(x.detach())
        return mlp(x)

    leaf = logits.clone().requires_grad_()
    rebar(leaf, recorded, eta=0.0, num_samples=3, generator=seeded(1)).surrogate.sum().backward()
    sample = calls[0]
    expected = (mlp(sample)[..., None, None] * (sample - torch.softmax(logits, -1))).mean(0)
    torch.testing.assert_close(leaf.grad, expected, rtol=0, atol=1e-13)


def test_has_less_variance_than_reinforce():
    h = Hyperparameters(temperature=0.6, eta=1.0, num_samples=1)
    ours, plain = (estimates(name, h, seeded(1)).var(0).sum() for name in ("rebar", "reinforce"))
    assert ours < plain / 5


@pytest.mark.parametrize(
    "blind",
    [
        pytest.param(torch.no_grad()(mlp), id="no_grad"),
        pytest.param(lambda x: x.argmax(-1).sum(-1).double(), id="argmax"),
    ],
)
def test_f_without_a_gradient_is_refused(blind):
    with pytest.raises(ValueError, match="f must be differentiable with respect to the samples"):
        rebar(normal(2, 3, seed=1), blind, generator=seeded(1))
    reinforce(normal(2, 3, seed=1), blind, generator=seeded(1))
