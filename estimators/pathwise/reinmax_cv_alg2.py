"""The ReinMax-CV estimator, exactly as Algorithm 2 prints it."""

from __future__ import annotations

import torch

from estimators.gumbel import sample_gumbel
from estimators.hyperparameter import ETA, NUM_MC_SAMPLES, TEMPERATURE
from estimators.named_arguments import named_arguments
from estimators.pathwise.differentiable import sample_with_gradient
from estimators.pathwise.heun import heun_logits
from estimators.pathwise.reinmax_cv import control_variate_gradient
from estimators.randomness import Generators
from estimators.sampling import Draw, one_hot_argmax
from estimators.softmax_vjp import tempered_softmax_vjp


@named_arguments
def reinmax_cv_alg2(
    logits: torch.Tensor,
    *,
    temperature: float | torch.Tensor = 1.0,
    eta: float | torch.Tensor = 1.0,
    num_mc_samples: int = 100,
    generator: Generators = None,
) -> torch.Tensor:
    """ReinMax-CV as Algorithm 2 prints it; kept for comparison, since it trains worse than `reinmax_cv`.

    With D = onehot(argmax(θ + G)), θ_D = log((π + D) / 2) and Y_k ~ θ_D + G given D:

        grad = 2 J_1(θ_D) g - η J_τ(θ_D + G) g + η (1/K) Σ_k J_τ(Y_k) g - ½ J_1(θ) g

    G is already known to make D win, and θ_D raises D further: θ_D + G is so peaked at D that the control
    variate all but vanishes, and the Gumbel-Rao term enters as bias. Use `reinmax_cv` for the estimator
    behind the published results. The K draws are made in the backward pass,
    anew each time it runs.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C), float.
        temperature: Softmax temperature τ of the control variate, > 0; a number, or a tensor broadcastable
            to (..., 1, 1).
        eta: Weight η of the control variate; likewise. 0 is ReinMax at temperature 1.
        num_mc_samples: Number K of conditional Gumbel draws, >= 1.
        generator: Source of randomness, or one for each index of the first axis; PyTorch's default generator
            where none is given.
    Returns:
        One-hot sample, shape and dtype of logits.
    Raises:
        ValueError: If temperature <= 0, eta is not finite, num_mc_samples < 1 or logits has fewer than two
            dimensions.
    Cost: One evaluation of f, forward and backward; L·C random numbers for the draw and L·C·K in the
        backward pass; memory O(L·C) and for the draws, of which a CPU makes about 2^19 at a time.
    Use: To see what the printed algorithm does; never to train with.
    Source: Beyond ReinMax, Algorithm 2 and Eq. 18.
    """
    values = {TEMPERATURE: temperature, ETA: eta, NUM_MC_SAMPLES: num_mc_samples}
    return sample_with_gradient(draw_reinmax_cv_alg2, logits, values, generator)


def draw_reinmax_cv_alg2(
    logits: torch.Tensor,
    *,
    temperature: float | torch.Tensor,
    eta: float | torch.Tensor,
    num_mc_samples: int,
    generator: Generators,
) -> Draw:
    """Draw, and the rule that `reinmax_cv_alg2` attaches; arguments as there, unchecked, without a graph."""
    gumbels = sample_gumbel(logits.shape, generator, like=logits)
    sample = one_hot_argmax(logits + gumbels)
    return Draw(
        sample,
        lambda g: reinmax_cv_alg2_gradient(
            logits, sample, gumbels, g, temperature, eta, num_mc_samples, generator
        ),
    )


def reinmax_cv_alg2_gradient(
    logits: torch.Tensor,
    sample: torch.Tensor,
    gumbels: torch.Tensor,
    grad_sample: torch.Tensor,
    temperature: float | torch.Tensor,
    eta: float | torch.Tensor,
    num_mc_samples: int,
    generator: Generators,
) -> torch.Tensor:
    """Return the gradient in `reinmax_cv_alg2`'s docstring, shape (..., L, C); gumbels are G there."""
    theta_d = heun_logits(logits, sample)
    control = tempered_softmax_vjp(theta_d + gumbels, grad_sample, temperature)
    return control_variate_gradient(
        logits, theta_d, sample, control, grad_sample, temperature, eta, num_mc_samples, generator
    )
