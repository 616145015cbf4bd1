"""Five published estimators as public code has them: plain PyTorch functions that autograd differentiates."""

import torch
from torch.nn.functional import gumbel_softmax, one_hot

from estimators import Hyperparameter, estimator


def _drawn(logits, generator):
    rows = torch.multinomial(logits.detach().softmax(-1).flatten(0, -2), 1, generator=generator)
    return one_hot(rows.view(logits.shape[:-1]), logits.shape[-1]).to(logits.dtype)


@estimator(label="ST (detach)")
def public_st(logits, *, temperature=1.0, generator=None):
    """Straight-through with detach (Bengio et al., 2013)."""
    soft = (logits / temperature).softmax(-1)
    return _drawn(logits, generator) + soft - soft.detach()


@estimator(label="Gumbel (torch)")
def public_stgs(logits, *, temperature=1.0, generator=None):
    """PyTorch's own Gumbel-Softmax (Jang et al., 2017), which knows the default generator alone."""
    seed = torch.randint(2**62, (1,), generator=generator).item()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return gumbel_softmax(logits, tau=temperature, hard=True)


@estimator(label="ReinMax (detach)")
def public_reinmax(logits, *, temperature=1.0, generator=None):
    """ReinMax by detached logarithms (Liu et al., 2023, Algorithm 2)."""
    sample = _drawn(logits, generator)
    mixed = (sample + (logits / temperature).softmax(-1)) / 2
    mixed = ((mixed.log() - logits).detach() + logits).softmax(-1)
    surrogate = 2 * mixed - logits.softmax(-1) / 2
    return surrogate - surrogate.detach() + sample


@estimator(
    label="Gumbel-Rao (detach)",
    hyperparameters=[Hyperparameter("num_mc_samples", default=100, minimum=1, is_integer=True)],
)
def public_gumbel_rao(logits, *, temperature=1.0, num_mc_samples=100, generator=None):
    """Gumbel-Rao by Gumbels given the draw, in a surrogate with their Jacobian (Paulus et al., 2021)."""
    sample = _drawn(logits, generator)
    with torch.no_grad():
        noise = torch.empty(num_mc_samples, *logits.shape, dtype=logits.dtype)
        noise.exponential_(generator=generator)
        of_drawn = (noise * sample).sum(-1, keepdim=True)
        total = logits.logsumexp(-1, keepdim=True)
        others = -(noise * (-logits).exp() + of_drawn * (-total).exp()).log()
        given = torch.where(sample > 0, total - of_drawn.log(), others)
        soft = (given / temperature).softmax(-1)
        mean, square = soft.mean(0), torch.einsum("k...c,k...d->...cd", soft, soft) / num_mc_samples
    surrogate = (mean * logits - (square @ logits.unsqueeze(-1)).squeeze(-1)) / temperature
    return sample + surrogate - surrogate.detach()


@estimator(label="RLOO (surrogate)")
def public_rloo(logits, f, *, num_samples=2, generator=None):
    """REINFORCE with a leave-one-out baseline (Kool et al., 2019)."""
    samples = torch.stack([_drawn(logits, generator) for _ in range(num_samples)])
    losses = f(samples)
    baseline = (losses.sum(0) - losses) / (num_samples - 1)
    score = samples - logits.softmax(-1)
    gradient = ((losses - baseline)[..., None, None] * score).mean(0)
    return losses.mean(0), gradient
