"""Where randomness comes from: the generators that a caller hands over, or PyTorch's default one."""

from __future__ import annotations

from collections.abc import Sequence

import torch

Generators = torch.Generator | Sequence[torch.Generator] | None
"""One generator, or one for each index of the first axis (the members of a pack), or none for the default
generator of the device, which `torch.manual_seed` seeds. Training always has its own."""


def check_generator(generator: Generators) -> None:
    """Raise unless it is a generator, a sequence of them, or none.

    Raises:
        ValueError: If it is not; a sequence must not hold none, which would be the default generator.
    """
    members = generator if isinstance(generator, Sequence) else () if generator is None else (generator,)
    if not all(isinstance(member, torch.Generator) for member in members):
        raise ValueError(
            f"generator must be a torch.Generator, one for each index of the first axis, or None, "
            f"got {generator!r}"
        )


def fill_uniform(noise: torch.Tensor, generator: Generators) -> torch.Tensor:
    """Fill a tensor with uniform draws from [0, 1), and return it.

    A member of a pack draws the same numbers as it would alone, since each generator fills its own slice.

    Args:
        noise: What to fill.
        generator: One generator, one for each index of the first axis, or none: then the default generator
            of the device is used.
    Raises:
        ValueError: If the number of generators is not the length of the first axis.
    """
    if generator is None or isinstance(generator, torch.Generator):
        return noise.uniform_(generator=generator)
    if noise.ndim == 0 or len(generator) != noise.shape[0]:
        raise ValueError(
            f"generator must be one generator or one for each index of the first axis, "
            f"got {len(generator)} for shape {tuple(noise.shape)}"
        )
    for member, member_generator in enumerate(generator):
        noise[member].uniform_(generator=member_generator)
    return noise


def fill_exponential(noise: torch.Tensor, generator: Generators) -> torch.Tensor:
    """Fill a tensor with draws from Exp(1), finite and above 0, and return it; as for `fill_uniform`."""
    # On a CPU Tensor.exponential_ takes several times as long as this. uniform_ may return exactly 0, whose
    # logarithm is infinite. A quarter of eps lies below its grid on a CPU; on a GPU, whose grid is finer,
    # this cuts off the tail that one float32 draw in 2**25 falls into.
    lowest = torch.finfo(noise.dtype).eps / 4
    return fill_uniform(noise, generator).clamp_(min=lowest).log_().neg_()


def uniform(shape: Sequence[int], generator: Generators, *, like: torch.Tensor) -> torch.Tensor:
    """Draw uniformly from [0, 1).

    Args:
        shape: Shape of the result.
        generator: As for `fill_uniform`.
        like: Tensor whose device the result takes, and whose dtype where that is at least float32: a
            narrower one has too few numbers in [0, 1) to draw by.
    Raises:
        ValueError: If the number of generators is not the length of the first axis.
    """
    return fill_uniform(_noise_like(shape, like), generator)


def exponential(shape: Sequence[int], generator: Generators, *, like: torch.Tensor) -> torch.Tensor:
    """Draw from Exp(1), finite and above 0; arguments as for `uniform`."""
    return fill_exponential(_noise_like(shape, like), generator)


def _noise_like(shape: Sequence[int], like: torch.Tensor) -> torch.Tensor:
    dtype = torch.promote_types(like.dtype, torch.float32)
    return torch.empty(tuple(shape), dtype=dtype, device=like.device)
