"""Where randomness comes from: the generators that a caller hands over, never PyTorch's global one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch

Generators = torch.Generator | Sequence[torch.Generator] | None
"""One generator, or one for each index of the first axis (the members of a pack), or none for noise that
nobody needs to repeat."""


@cache
def _unseeded_generator(device: torch.device) -> torch.Generator:
    generator = torch.Generator(device)
    generator.seed()
    return generator


def uniform(shape: Sequence[int], generator: Generators, *, like: torch.Tensor) -> torch.Tensor:
    """Draw uniformly from the open interval (0, 1).

    A member of a pack draws the same numbers as it would alone, since each generator fills its own slice.

    Args:
        shape: Shape of the result.
        generator: One generator, one for each index of the first axis, or none: then a private generator,
            seeded by the operating system, is used.
        like: Tensor whose dtype and device the result takes.
    Raises:
        ValueError: If the number of generators is not the length of the first axis.
    """
    noise = torch.empty(tuple(shape), dtype=like.dtype, device=like.device)
    if isinstance(generator, torch.Generator):
        noise.uniform_(generator=generator)
    elif generator is None:
        noise.uniform_(generator=_unseeded_generator(like.device))
    else:
        if noise.ndim == 0 or len(generator) != noise.shape[0]:
            raise ValueError(
                f"generator must be one generator or one for each index of the first axis, "
                f"got {len(generator)} for shape {tuple(shape)}"
            )
        for member_noise, member_generator in zip(noise, generator, strict=True):
            member_noise.uniform_(generator=member_generator)
    # uniform_ may return exactly 0, whose logarithm is infinite; a quarter of eps lies below its grid.
    return noise.clamp_(min=torch.finfo(noise.dtype).eps / 4)


def exponential(shape: Sequence[int], generator: Generators, *, like: torch.Tensor) -> torch.Tensor:
    """Draw from Exp(1), finite and above 0; arguments as for `uniform`."""
    # On a CPU Tensor.exponential_ takes several times as long as this.
    return uniform(shape, generator, like=like).log_().neg_()
