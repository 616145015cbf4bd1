"""Where the best sizes of packs are measured: workers of the cluster, each with what a pack gets."""

from __future__ import annotations

import ray
import torch

from sweep.spec.sweep_spec import Resources
from sweep.spec.use import shipped_by_value
from trainables.data import ImageDataset
from trainables.own_estimators import take_over
from trainables.pack_size import measure_pack_size
from trainables.schema import Member
from trainables.training.process import own_device, prepare_process
from trainables.training.training_data import TrainingData


class Workers:
    """A bench of Ray workers, a process for each question, each with what a pack gets.

    Args:
        resources: What a pack gets.
        dataset: The images.
    """

    def __init__(self, resources: Resources, dataset: ImageDataset) -> None:
        self._resources = resources
        self._ask = ray.remote(num_cpus=resources.cpus, num_gpus=resources.share)
        self._dataset = dataset

    def hardware(self) -> str:
        """Return the GPU that a worker has, and its version of PyTorch."""
        return str(ray.get(self._ask(_hardware).remote()))

    def best_size(self, member: Member, most: int) -> int:
        """Measure on a worker."""
        own = shipped_by_value([member])
        question = self._ask(_best_size).remote(member.params, most, self._resources, self._dataset, own)
        return int(ray.get(question))


def _hardware() -> str:
    device = own_device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return f"{name}, torch {torch.__version__}"


def _best_size(
    params: dict[str, str], most: int, resources: Resources, dataset: ImageDataset, shipped: bytes
) -> int:
    take_over(shipped)
    prepare_process(resources.cpus, resources.share)
    data = TrainingData.of(dataset)
    return measure_pack_size(Member.from_params(params), most, data, own_device())
