"""How many members train best side by side on a device: measured, within its free memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from trainables.pack import Pack
from trainables.schema import Member
from trainables.training import PackTrainer

LEAST_GAIN = 1.1
"""By how much twice the members must train faster, each, to be worth their memory."""
_TIMED_STEPS = 30


@dataclass(frozen=True)
class Trial:
    """A pack that was tried.

    Args:
        member_seconds: Seconds of a step for each member.
        memory_share: Share of the memory that a pack may use that it did use.
    """

    member_seconds: float
    memory_share: float


def choose_pack_size(attempt: Callable[[int], Trial | None], most: int) -> int:
    """Double a pack as long as every member gains, and as long as twice the memory is there.

    Args:
        attempt: Tries a pack of some size; none where it does not fit.
        most: Largest size to consider.
    Returns:
        The size that trains a member fastest, a power of two, at least 1.
    """
    size, best = 1, attempt(1)
    while best is not None and 2 * size <= most and 2 * best.memory_share <= 1:
        larger = attempt(2 * size)
        if larger is None or larger.member_seconds * LEAST_GAIN > best.member_seconds:
            break
        size, best = 2 * size, larger
    return size


def measure_pack_size(
    members: Sequence[Member],
    train_images: torch.Tensor,
    test_images: torch.Tensor,
    device: torch.device,
    memory_fraction: float,
) -> int:
    """Find the best size of a pack of such members on a device. On a CPU that is 1, without a measurement.

    Args:
        members: Members that may form one pack; no more than all of them are tried.
        train_images: Grey levels, shape (N, 784), uint8.
        test_images: Grey levels, shape (M, 784), uint8.
        device: Where they are to train.
        memory_fraction: Share of the device's memory that a pack may use.
    """
    if device.type != "cuda":
        return 1
    torch.cuda.set_per_process_memory_fraction(memory_fraction, device)
    free, total = torch.cuda.mem_get_info(device)
    budget = min(free, memory_fraction * total)

    def attempt(size: int) -> Trial | None:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        try:
            pack = Pack(tuple(members[:size]))
            seconds = _seconds_per_step(pack, train_images, test_images, device)
        except torch.OutOfMemoryError:
            return None
        return Trial(seconds / size, torch.cuda.max_memory_allocated(device) / budget)

    return choose_pack_size(attempt, len(members))


def _seconds_per_step(
    pack: Pack, train_images: torch.Tensor, test_images: torch.Tensor, device: torch.device
) -> float:
    batch_size = int(pack.shared["batch_size"])
    trainer = PackTrainer(pack, train_images[: _TIMED_STEPS * batch_size], test_images[:batch_size], device)
    trainer.time_passes()
    seconds, _ = trainer.time_passes()
    return seconds / _TIMED_STEPS
