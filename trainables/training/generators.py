"""The random generators of a pack's members: one for each member and stream, and their states."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from trainables.pack import Pack


def seeded_generator(seed: int, stream: str, device: str | torch.device = "cpu") -> torch.Generator:
    """Return a generator for one of a member's random streams, data order or noise.

    Members with the same seed share their data order whatever their estimator, so that estimators are
    compared on equal terms. (They share their initial parameters too: those that `torch.manual_seed` with
    the seed gives to the same network of `torch.nn.Linear` layers.)

    Args:
        seed: The member's seed.
        stream: What the numbers are for; streams of one seed are independent.
        device: Where the numbers are drawn.
    """
    import torch

    digest = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "big", signed=True))


def generators_of(pack: Pack, stream: str, device: str | torch.device = "cpu") -> list[torch.Generator]:
    """Return a generator for each member of a pack, of one of its random streams."""
    return [seeded_generator(member.seed, stream, device) for member in pack.members]


def load_generators(generators: Sequence[torch.Generator], states: Sequence[torch.Tensor]) -> None:
    """Set generators to the states that they had."""
    for generator, state in zip(generators, states, strict=True):
        generator.set_state(state.cpu())
