"""How many members train best side by side on a device: measured, within its free memory."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch

from trainables.pack import Pack
from trainables.schema import Member
from trainables.training.trainer import Trainer
from trainables.training.training_data import TrainingData
from trainables.training.vae_trainer import EVALUATION_BATCH_SIZE

LEAST_GAIN = 1.1
"""By how much twice the members must train faster, each, to be worth their memory."""
_TIMED_STEPS = 30
_TIMED_PASSES = 3
_MEASURED_MEMORY = 0.95
"""Share of a pack's memory that may be in use while it is measured: on few images, in one data order."""


@dataclass(frozen=True)
class Trial:
    """A pack that was tried.

    Args:
        member_seconds: Seconds of a pass over the same images for each member.
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
        The last size that was worth its memory, a power of two, at least 1.
    """
    size, best = 1, attempt(1)
    while best is not None and 2 * size <= most and 2 * best.memory_share <= 1:
        larger = attempt(2 * size)
        if larger is None or larger.memory_share > 1:
            break
        if larger.member_seconds * LEAST_GAIN > best.member_seconds:
            break
        size, best = 2 * size, larger
    return size


def measure_pack_size(
    member: Member,
    most: int,
    data: TrainingData,
    device: torch.device,
) -> int:
    """Find the best size of a pack of such members on a device. On a CPU that is 1, without a measurement.

    Args:
        member: What the members are like; those of the packs that are tried differ from it in their seeds.
        most: Largest size to consider.
        data: What they train on.
        device: Where they are to train, a GPU with its number; what this process may use of its memory is
            what a pack may use.
    """
    if device.type != "cuda":
        return 1
    per_step = Pack((member,)).images_per_step
    last_step = len(data.train_images) % per_step  # its buffers, and its graph, take memory too
    few = data.first(_TIMED_STEPS * per_step + last_step, EVALUATION_BATCH_SIZE)
    free, total = torch.cuda.mem_get_info(device)
    # What is in use now is what a process needs before it trains.
    of_others = (1 - torch.cuda.get_per_process_memory_fraction(device)) * total
    budget = max(1.0, _MEASURED_MEMORY * (free - of_others))

    def attempt(size: int) -> Trial | None:
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        pack = Pack(tuple(Member(member.cell, seed) for seed in range(size)))
        try:
            seconds = _seconds_per_pass(pack.task.trainer(pack, few, device))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None
        # Reserved, not allocated: that counts what a CUDA graph keeps for its replays too.
        return Trial(seconds / size, torch.cuda.max_memory_reserved(device) / budget)

    return choose_pack_size(attempt, most)


def is_out_of_memory(error: BaseException | None) -> bool:
    """Tell whether memory ran out, also where that broke a CUDA graph's recording, which is another error.

    Beyond PyTorch's allocator, in the driver or in Triton, nothing but the message says so.
    """
    while error is not None:
        if isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error):
            return True
        error = error.__context__
    return False


def _seconds_per_pass(trainer: Trainer) -> float:
    """Return the median seconds of training on every image, after a pass that warms up."""
    train_seconds = [trainer.time_epoch().train for _ in range(1 + _TIMED_PASSES)]
    return statistics.median(train_seconds[1:])
