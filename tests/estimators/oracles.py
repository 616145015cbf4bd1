"""The estimators' mathematics once more, slowly and literally: C x C Jacobians, loops and enumeration.

Nothing here imports the package under test. `RULES` holds each backward rule as the papers print it, as a
Jacobian that depends on the forward draw and the conditional Gumbels; the enumeration functions give the
exact gradient (Eq. 2), its first-order (Eq. 9) and its second-order (Eq. 11, 26 and 35) approximations.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import torch
from torch import Tensor

Objective = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Hyperparameters:
    """Values that a backward rule may need; each rule reads its own."""

    temperature: float | Tensor = 1.0
    eta: float | Tensor = 1.0
    gap: float | Tensor = 1.0
    beta: float | Tensor = 0.5
    num_mc_samples: int = 5
    num_samples: int = 3

    def select(self, declared: Iterable[Any]) -> dict[str, object]:
        """Values of what an estimator declares: of names that no rule here needs, its defaults."""
        return {one.name: getattr(self, one.name, one.default) for one in declared}


@dataclass(frozen=True)
class Draw:
    """A forward draw: Gumbels G and the one-hot sample at argmax(logits + G)."""

    logits: Tensor
    gumbels: Tensor

    @property
    def sample(self) -> Tensor:
        return one_hot(self.perturbed.argmax(-1), self.logits)

    @property
    def perturbed(self) -> Tensor:
        return self.logits + self.gumbels

    def relaxed(self, temperature: float | Tensor) -> Tensor:
        return torch.softmax(self.perturbed / temperature, -1)


def one_hot(index: Tensor, like: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(index, like.shape[-1]).to(like.dtype)


def draw(logits: Tensor, seed: int) -> Draw:
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(logits.shape, dtype=torch.float64, generator=generator).clamp(1e-15, 1 - 1e-15)
    return Draw(logits, (-torch.log(-torch.log(uniform))).to(logits.dtype))


def normal(*shape: int, seed: int, scale: float = 1.0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(shape, dtype=dtype, generator=generator)


# The rules.


def softmax_jacobian(logits: Tensor, temperature: float | Tensor = 1.0) -> Tensor:
    """J_τ: entry (k, c) is d softmax(logits / τ)_k / d logits_c, the 1/τ included."""
    return probs_jacobian(torch.softmax(logits / temperature, -1)) / _matrix(temperature)


def probs_jacobian(probs: Tensor) -> Tensor:
    """Entry (k, c) is p_k (1[k = c] - p_c)."""
    return torch.diag_embed(probs) - probs.unsqueeze(-1) * probs.unsqueeze(-2)


def apply(jacobian: Tensor, grad: Tensor) -> Tensor:
    """Row vector times matrix: sum over k of g_k J[k, c]."""
    return torch.einsum("...k,...kc->...c", grad, jacobian)


def theta_d(logits: Tensor, sample: Tensor) -> Tensor:
    """θ_D as printed: log((π + D) / 2)."""
    return torch.log((torch.softmax(logits, -1) + sample) / 2)


def mean_jacobian(conditional: Tensor, temperature: float | Tensor) -> Tensor:
    """(1/K) Σ_k J_τ(Y_k) for Y of shape (..., C, K)."""
    return torch.stack([softmax_jacobian(y, temperature) for y in conditional.unbind(-1)]).mean(0)


def st(d: Draw, y: Tensor | None, h: Hyperparameters) -> Tensor:
    return softmax_jacobian(d.logits, h.temperature)


def stgs(d: Draw, y: Tensor | None, h: Hyperparameters) -> Tensor:
    return softmax_jacobian(d.logits + d.gumbels, h.temperature)


def gst(d: Draw, y: Tensor | None, h: Hyperparameters) -> Tensor:
    top = d.logits.max(-1, keepdim=True).values
    lift = d.sample * (top - d.logits)
    push = (1 - d.sample) * torch.relu(d.logits + h.gap - top)
    return softmax_jacobian(d.logits + lift - push, h.temperature)


def gst_p(d: Draw, y: Tensor | None, h: Hyperparameters) -> Tensor:
    probs = torch.softmax(d.logits, -1)
    of_draw, of_others = ((probs * one).sum(-1, keepdim=True) for one in (d.sample, 1 - d.sample))
    return gst(d, y, replace(h, gap=-torch.log(of_others) / of_draw))


def reinmax(d: Draw, y: Tensor | None, h: Hyperparameters) -> Tensor:
    tempered = torch.softmax(d.logits / h.temperature, -1)
    return 2 * probs_jacobian((tempered + d.sample) / 2) - 0.5 * softmax_jacobian(d.logits)


def reinmax_argmax(d: Draw, y: Tensor | None, h: Hyperparameters) -> Tensor:
    likeliest = one_hot(d.logits.argmax(-1), d.logits)
    return reinmax(Draw(d.logits, 1e6 * likeliest), y, h)


def reinmax_rk2(d: Draw, y: Tensor | None, h: Hyperparameters) -> Tensor:
    """Eq. 27: a row is an outer product's, (π_β)_k (π_D)_c, not symmetric but at β = ½."""
    probs, beta = torch.softmax(d.logits, -1), _matrix(h.beta)
    midpoint, weighted = (probs + d.sample) / 2, h.beta * probs + (1 - h.beta) * d.sample
    outer = weighted.unsqueeze(-1) * midpoint.unsqueeze(-2)
    return 2 * (torch.diag_embed(midpoint) - outer) - beta * softmax_jacobian(d.logits)


def concrete(d: Draw, y: Tensor | None, h: Hyperparameters) -> Tensor:
    return softmax_jacobian(d.perturbed, h.temperature)


def gumbel_rao(d: Draw, y: Tensor, h: Hyperparameters) -> Tensor:
    return mean_jacobian(y, h.temperature)


def reinmax_rao(d: Draw, y: Tensor, h: Hyperparameters) -> Tensor:
    return 2 * mean_jacobian(y, h.temperature) - 0.5 * softmax_jacobian(d.logits)


def reinmax_cv(d: Draw, y: Tensor, h: Hyperparameters) -> Tensor:
    heun = theta_d(d.logits, d.sample)
    control = softmax_jacobian(heun + d.relaxed(h.temperature)) / _matrix(h.temperature)
    return (
        2 * softmax_jacobian(heun)
        - _matrix(h.eta) * control
        + _matrix(h.eta) * mean_jacobian(y, h.temperature)
        - 0.5 * softmax_jacobian(d.logits)
    )


def reinmax_cv_alg2(d: Draw, y: Tensor, h: Hyperparameters) -> Tensor:
    heun = theta_d(d.logits, d.sample)
    return (
        2 * softmax_jacobian(heun)
        - _matrix(h.eta) * softmax_jacobian(heun + d.gumbels, h.temperature)
        + _matrix(h.eta) * mean_jacobian(y, h.temperature)
        - 0.5 * softmax_jacobian(d.logits)
    )


RULES: dict[str, Callable[[Draw, Tensor, Hyperparameters], Tensor]] = {
    rule.__name__: rule
    for rule in (
        st,
        stgs,
        concrete,
        gumbel_rao,
        gst,
        gst_p,
        reinmax,
        reinmax_argmax,
        reinmax_rk2,
        reinmax_rao,
        reinmax_cv,
        reinmax_cv_alg2,
    )
}


def conditional_logits(name: str, logits: Tensor, sample: Tensor) -> Tensor:
    """The logits whose conditional Gumbels the rule averages over: θ for Gumbel-Rao, θ_D for the rest."""
    return logits if name == "gumbel_rao" else theta_d(logits, sample)


def conditional_gumbels(
    logits: Tensor, sample: Tensor, num_mc_samples: int, generator: torch.Generator
) -> Tensor:
    """Y ~ log p + G given the sample, shape (..., C, K), by Eq. 7 with Z = 1.

    From the uniforms that the package takes from the generator; in logs, hence finite where p_j underflows.
    """
    uniform = logits.new_empty(*logits.shape, num_mc_samples).uniform_(generator=generator)
    log_e = torch.log(-torch.log(uniform.clamp(min=torch.finfo(logits.dtype).eps / 4)))
    chosen = sample.unsqueeze(-1) > 0
    log_winner = torch.where(chosen, log_e, 0.0).sum(-2, keepdim=True)
    log_losers = torch.logaddexp(log_e - torch.log_softmax(logits, -1).unsqueeze(-1), log_winner)
    return -torch.where(chosen, log_winner, log_losers)


def rejected_gumbels(logits: Tensor, category: int, num_proposals: int, seed: int) -> tuple[Tensor, Tensor]:
    """Perturbed log-probabilities and Gumbels, both (N, C), of those proposals whose argmax is `category`."""
    proposal = draw(torch.log_softmax(logits, -1).expand(num_proposals, -1), seed)
    accepted = proposal.perturbed.argmax(-1) == category
    return proposal.perturbed[accepted], proposal.gumbels[accepted]


# Enumeration over the C^L states of L independent variables.


def states(latent_dim: int, categorical_dim: int) -> Tensor:
    index = torch.tensor(list(product(range(categorical_dim), repeat=latent_dim)))
    return torch.nn.functional.one_hot(index, categorical_dim).to(torch.float64)


def state_probs(logits: Tensor) -> Tensor:
    probs = torch.softmax(logits, -1)
    return (states(*logits.shape) * probs).sum(-1).prod(-1)


def objective_gradient(f: Objective, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(f(x).sum(), x)[0]


def exact_gradient(f: Objective, logits: Tensor) -> Tensor:
    """Eq. 2, every variable in turn: sum over states of f(D) P(other variables) dπ_i / dθ."""
    values, weights = f(states(*logits.shape)), state_probs(logits)
    jacobian, probs = softmax_jacobian(logits), torch.softmax(logits, -1)
    gradient = torch.zeros_like(logits)
    for state, value, weight in zip(states(*logits.shape), values, weights, strict=True):
        for variable, category in enumerate(state.argmax(-1).tolist()):
            others = weight / probs[variable, category]
            gradient[variable] += value * others * jacobian[variable, category]
    return gradient


def first_order(f: Objective, logits: Tensor) -> Tensor:
    """Eq. 9."""
    return _finite_difference(f, logits, lambda at_j, _at_i: at_j)


def second_order(f: Objective, logits: Tensor) -> Tensor:
    """Eq. 11."""
    return _finite_difference(f, logits, lambda at_j, at_i: (at_j + at_i) / 2)


def runge_kutta(f: Objective, logits: Tensor, beta: float) -> Tensor:
    """Eq. 26."""
    return _finite_difference(f, logits, lambda at_j, at_i: (1 - beta) * at_j + beta * at_i)


def runge_kutta_of_the_proof(f: Objective, logits: Tensor, beta: float) -> Tensor:
    """Eq. 35, whose dπ_i/dθ_k has lost a part: it is π_i 1[i = k] where Eq. 34 has π_i (1[i = k] - π_k)."""

    def slope(at_j: Tensor, at_i: Tensor) -> Tensor:
        return (1 - beta) * at_j + beta * at_i

    return _finite_difference(f, logits, slope, torch.diag_embed(torch.softmax(logits, -1)))


def expected_estimate(rule: Callable[[Draw], Tensor], f: Objective, logits: Tensor) -> Tensor:
    """E over D of the estimate that a rule gives for f, for rules that depend on D alone."""
    every = states(*logits.shape)
    d = Draw(logits.expand(every.shape), 1e6 * every)
    estimates = rule(d, objective_gradient(f, every))
    return (state_probs(logits)[:, None, None] * estimates).sum(0)


def _finite_difference(
    f: Objective,
    logits: Tensor,
    slope: Callable[[Tensor, Tensor], Tensor],
    jacobian: Tensor | None = None,
) -> Tensor:
    """Σ_i Σ_j π_j slope·(I_i - I_j) dπ_i/dθ for each variable, in expectation over the other variables."""
    every, weights = states(*logits.shape), state_probs(logits)
    jacobian = softmax_jacobian(logits) if jacobian is None else jacobian
    eye = torch.eye(logits.shape[-1], dtype=logits.dtype)
    gradient = torch.zeros_like(logits)
    for state, weight in zip(every, weights, strict=True):
        at_state = objective_gradient(f, state[None])[0]
        for variable, row in enumerate(state):
            for category, target in enumerate(eye):
                moved = state.clone()
                moved[variable] = target
                at_moved = objective_gradient(f, moved[None])[0]
                change = slope(at_state[variable], at_moved[variable]) @ (target - row)
                gradient[variable] += weight * change * jacobian[variable, category]
    return gradient


def _matrix(value: float | Tensor) -> float | Tensor:
    """A hyperparameter broadcastable to (..., 1, 1), made broadcastable to a stack of C x C matrices."""
    return value.unsqueeze(-1) if isinstance(value, Tensor) else value
