"""Time the training and the evaluation of packs, and the memory that they take."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from benchmarks.paper_workloads import BATCH_SIZE, Setting, make_pack
from trainables.pack_size import is_out_of_memory
from trainables.schema import DEFAULTS
from trainables.tasks.mnist_vae import DiscreteVaeTrainer
from trainables.training.epochs import EpochSeconds
from trainables.training.training_data import TrainingData

STEPS_PER_EPOCH = 600
_WARM_UP_PASSES = 2  # they compile kernels and record a CUDA graph


@dataclass(frozen=True)
class Measurement:
    """What a pack of P members costs.

    Args:
        estimator: Id of the estimator.
        latent: Categories x variables.
        size: P.
        step_seconds: Median seconds of a training step of the pack.
        evaluation_seconds: Median seconds of an evaluation of the pack.
        peak_mib: Most memory reserved on the GPU, MiB, with what CUDA graphs keep; none on a CPU.
    """

    estimator: str
    latent: str
    size: int
    step_seconds: float
    evaluation_seconds: float
    peak_mib: float | None

    @property
    def setting(self) -> Setting:
        """What is measured."""
        return Setting(self.estimator, self.latent)

    @property
    def epoch_seconds(self) -> float:
        """Seconds of an epoch of the pack, evaluation included."""
        return self.step_seconds * STEPS_PER_EPOCH + self.evaluation_seconds

    @property
    def rate(self) -> float:
        """Member-epochs per second."""
        return self.size / self.epoch_seconds


@dataclass(frozen=True)
class Bench:
    """The images and options that every measurement of a run shares."""

    train_images: torch.Tensor
    test_images: torch.Tensor
    device: torch.device
    repeats: int
    precision: str

    def measure(self, setting: Setting, size: int) -> Measurement:
        """Time a pack of members that differ in their seeds."""
        params = {} if self.precision == DEFAULTS["precision"] else {"precision": self.precision}
        pack = make_pack(setting, size, **params)
        self._forget_the_last_pack()
        data = TrainingData.of_images(self.train_images, self.test_images)
        trainer = DiscreteVaeTrainer(pack, data, self.device)
        passes = [self._timed(trainer) for _ in range(_WARM_UP_PASSES + self.repeats)][_WARM_UP_PASSES:]
        train = statistics.median(one.train for one in passes)
        evaluation = statistics.median(one.test for one in passes)
        steps = len(self.train_images) // BATCH_SIZE
        peak = torch.cuda.max_memory_reserved(self.device) / 2**20 if self.device.type == "cuda" else None
        return Measurement(setting.estimator, setting.latent, size, train / steps, evaluation, peak)

    def row(self, setting: Setting, sizes: Sequence[int]) -> list[Measurement]:
        """Measure pack after pack, up to the first that does not fit into the device's memory."""
        measured: list[Measurement] = []
        for size in sizes:
            try:
                measured.append(self.measure(setting, size))
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                break
        return measured

    def _timed(self, trainer: DiscreteVaeTrainer) -> EpochSeconds:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        seconds = trainer.time_epoch()  # both end by reading losses, hence with the device idle
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return seconds

    def _forget_the_last_pack(self) -> None:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)
