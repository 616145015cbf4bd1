"""A stand-in for GPUs: Ray hands them out and packs say that they have them, but they train on the CPU."""

from __future__ import annotations

import time
from pathlib import Path

import ray
import torch

from sweep.execution.training import Training
from tests.trainables.members import dataset
from trainables.data import ImageDataset
from trainables.pack_trainable import PackTrainable

PAUSE_SECONDS = 1.0
"""How long a pack takes to start, so that not one process does all of them."""


class OnStandIn(PackTrainable):
    """Trains where a pack with a GPU believes to be on one."""

    @staticmethod
    def device_of(name: str) -> tuple[torch.device, str]:
        given = [str(number) for number in ray.get_gpu_ids()]
        if (name == "cuda") != bool(given):
            raise RuntimeError(f"a pack on {name} must not have GPUs {given}")
        time.sleep(PAUSE_SECONDS)
        return torch.device("cpu"), f"stand-in {','.join(given)}" if given else "CPU"


def few_images(name: str, folder: Path) -> ImageDataset:
    return dataset(200, 100)


def no_problem() -> str:
    return ""


STAND_IN = Training(OnStandIn, few_images, no_problem)
