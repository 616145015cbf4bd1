"""Estimators of your own: functions marked with @estimator, in a file that a spec names under `use:`."""

import torch

from estimators import Hyperparameter, estimator


@estimator(
    label="Soft ST",
    hyperparameters=[Hyperparameter("noise", default=1.0, minimum=0.0, symbol="σ")],
)
def soft_st(logits, *, temperature=1.0, noise=1.0, generator=None):
    """Draw by the Gumbel-max trick; the gradient is that of a softmax of the same scores.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C).
        temperature: Of the softmax, > 0.
        noise: Factor of the Gumbel noise within the softmax; the draw has all of it.
        generator: What every random number comes from.
    """
    uniform = torch.rand(logits.shape, generator=generator, dtype=logits.dtype, device=logits.device)
    tiny = torch.finfo(logits.dtype).tiny
    gumbel = -(-uniform.clamp_min(tiny).log()).clamp_min(tiny).log()
    drawn = (logits + gumbel).argmax(-1, keepdim=True)
    sample = torch.zeros_like(logits).scatter_(-1, drawn, 1.0)
    soft = ((logits + noise * gumbel) / temperature).softmax(-1)
    return sample + soft - soft.detach()
