"""The ReinMax-CV estimator, in the form that the published results were made with."""

from __future__ import annotations

import torch

from estimators.gumbel import averaged_softmax_vjp, sample_gumbel
from estimators.hyperparameter import ETA, NUM_MC_SAMPLES, TEMPERATURE
from estimators.named_arguments import named_arguments
from estimators.pathwise.differentiable import sample_with_gradient
from estimators.pathwise.heun import heun_logits
from estimators.randomness import Generators
from estimators.sampling import Draw, one_hot_argmax
from estimators.softmax import softmax
from estimators.softmax_vjp import softmax_vjp, tempered_softmax_vjp


@named_arguments
def reinmax_cv(
    logits: torch.Tensor,
    *,
    temperature: float | torch.Tensor = 1.0,
    eta: float | torch.Tensor = 1.0,
    num_mc_samples: int = 100,
    generator: Generators = None,
) -> torch.Tensor:
    """ReinMax with a Gumbel-Softmax control variate (ReinMax-CV), as in the published runs.

    With D = onehot(argmax(θ + G)), its relaxed sample S = softmax((θ + G) / τ), θ_D = log((π + D) / 2) and
    Y_k ~ θ_D + G given D:

        grad = 2 J_1(θ_D) g - η (1/τ) vjp(softmax(θ_D + S), g) + η (1/K) Σ_k J_τ(Y_k) g - ½ J_1(θ) g

    Not Algorithm 2 of the paper, which has the Gumbels G where this has S: that is `reinmax_cv_alg2`, and
    it trains worse than this. The K draws are made in the backward pass,
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
    Use: Where `reinmax` is too noisy, as an alternative to `reinmax_rao`; η and τ are both to be tuned.
    Source: Beyond ReinMax, Eq. 18, with the control variate of the published runs.
    """
    values = {TEMPERATURE: temperature, ETA: eta, NUM_MC_SAMPLES: num_mc_samples}
    return sample_with_gradient(draw_reinmax_cv, logits, values, generator)


def draw_reinmax_cv(
    logits: torch.Tensor,
    *,
    temperature: float | torch.Tensor,
    eta: float | torch.Tensor,
    num_mc_samples: int,
    generator: Generators,
) -> Draw:
    """Draw, and the rule that `reinmax_cv` attaches; arguments as there, unchecked, and without a graph."""
    perturbed = logits + sample_gumbel(logits.shape, generator, like=logits)
    sample = one_hot_argmax(perturbed)
    relaxed = softmax(perturbed / temperature)
    return Draw(
        sample,
        lambda g: reinmax_cv_gradient(
            logits, sample, relaxed, g, temperature, eta, num_mc_samples, generator
        ),
    )


def reinmax_cv_gradient(
    logits: torch.Tensor,
    sample: torch.Tensor,
    relaxed_sample: torch.Tensor,
    grad_sample: torch.Tensor,
    temperature: float | torch.Tensor,
    eta: float | torch.Tensor,
    num_mc_samples: int,
    generator: Generators,
) -> torch.Tensor:
    """Return the gradient in `reinmax_cv`'s docstring, shape (..., L, C); relaxed_sample is S there."""
    theta_d = heun_logits(logits, sample)
    control = softmax_vjp(softmax(theta_d + relaxed_sample), grad_sample) / temperature
    return control_variate_gradient(
        logits, theta_d, sample, control, grad_sample, temperature, eta, num_mc_samples, generator
    )


def control_variate_gradient(
    logits: torch.Tensor,
    theta_d: torch.Tensor,
    sample: torch.Tensor,
    control: torch.Tensor,
    grad_sample: torch.Tensor,
    temperature: float | torch.Tensor,
    eta: float | torch.Tensor,
    num_mc_samples: int,
    generator: Generators,
) -> torch.Tensor:
    """Return 2 J_1(θ_D) g - η·control + η (1/K) Σ_k J_τ(Y_k) g - ½ J_1(θ) g, shape (..., L, C).

    Args:
        logits: θ, shape (..., L, C).
        theta_d: θ_D, shape (..., L, C).
        sample: One-hot draw D, shape (..., L, C).
        control: The control variate's own gradient, shape (..., L, C).
        grad_sample: Gradient g with respect to the sample, shape (..., L, C).
        temperature: τ, broadcastable to (..., 1, 1).
        eta: η, broadcastable to (..., 1, 1).
        num_mc_samples: K.
        generator: Source of randomness.
    """
    control_mean = averaged_softmax_vjp(theta_d, sample, grad_sample, temperature, num_mc_samples, generator)
    second_order = tempered_softmax_vjp(theta_d, grad_sample, 1.0)
    first_order = tempered_softmax_vjp(logits, grad_sample, 1.0)
    return 2 * second_order + eta * (control_mean - control) - 0.5 * first_order
