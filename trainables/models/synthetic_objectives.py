"""Two functions of independent variables that are sums over them, so that expectations are known exactly."""

from __future__ import annotations

import torch

from estimators.softmax_vjp import softmax_vjp


class Separable:
    """f(x) = (1/scale) Σ_d f_d(x_d), of which values, expectation and its gradient are known in closed form.

    Args:
        terms: f_d(v) / scale, shape (P, L, C), float64.
    """

    def __init__(self, terms: torch.Tensor) -> None:
        self._terms = terms

    def expectation(self, logits: torch.Tensor) -> torch.Tensor:
        """Return E[f] = Σ_d Σ_v p_d(v) f_d(v) / scale, shape (P,), float64."""
        return (torch.softmax(logits.double(), -1) * self._terms).sum((-1, -2))

    def exact_gradient(self, logits: torch.Tensor) -> torch.Tensor:
        """Return ∂E[f]/∂θ, shape (P, L, C), float64: f_e for other e than d are constants to θ_d."""
        return softmax_vjp(torch.softmax(logits.double(), -1), self._terms)


class AbsoluteDistance(Separable):
    """f(x) = Σ_d |x_d - b_d|, where x_d = Σ_v v D_dv is the number of the category. Relaxed samples will do.

    Args:
        target: b, shape (P, L), integers in 0, ..., C-1.
        categorical_dim: C.
    Source: CatLog-Derivative trick, Eq. 6.1.
    """

    def __init__(self, target: torch.Tensor, categorical_dim: int) -> None:
        self._values = torch.arange(categorical_dim, dtype=torch.float32, device=target.device)
        self._target = target.to(torch.float32)
        super().__init__((self._values.double() - target.double().unsqueeze(-1)).abs())

    def __call__(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the losses of samples (S, P, L, C), shape (S, P)."""
        return ((samples * self._values).sum(-1) - self._target).abs().sum(-1)


class SquaredDistance(Separable):
    """f(x) = -(1/L) Σ_d (x_d - 0.499)² of binary x, to be minimised; x_d is the category, 0 or 1.

    The minimum is at x = 1; x = 0 is nearly as good.

    Args:
        latent_dim: L.
        device: Where.
    Source: CatLog-Derivative trick, Eq. 6.2, which maximises -f; Tucker et al. (2017), Section 5.1.
    """

    CENTRE = 0.499
    OPTIMUM = (1 - CENTRE) ** 2
    """The largest -f."""

    def __init__(self, latent_dim: int, device: torch.device) -> None:
        terms = torch.tensor([self.CENTRE**2, (1 - self.CENTRE) ** 2], dtype=torch.float64, device=device)
        super().__init__((-terms / latent_dim).expand(1, latent_dim, 2))

    def __call__(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the losses of samples (S, P, L, 2), shape (S, P), float64.

        A variable changes them by 1e-5 of 0.25 where L = 200, of which float32 would hold three digits.
        """
        return (samples[..., 1].double() - self.CENTRE).square().mean(-1).neg()


class Counted:
    """A function of samples that counts for how many of each member it was called.

    Args:
        f: Maps samples (S, P, L, C) to losses (S, P).

    Attributes:
        count: How many samples S there have been.
    """

    def __init__(self, f: Separable) -> None:
        self._f = f
        self.count = 0

    def __call__(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the losses."""
        self.count += samples.shape[0]
        losses: torch.Tensor = self._f(samples)  # type: ignore[operator]
        return losses
