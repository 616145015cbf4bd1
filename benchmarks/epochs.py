"""Train for many epochs and see whether they get slower, with denormal numbers flushed and without.

    python benchmarks/epochs.py [--estimator reinmax] [--latent 8x4] [--epochs 20] [--home .catsweep]

Two trainers of the same member take turns, an epoch each, one of them with the flushing that
`trainables.training.process.prepare_process` turns on. Before and after each epoch the floor of
`benchmarks/step.py`, matrix products alone, is timed for a while, and the epoch is counted in floors, so
that neighbours on a shared machine do not count. Prints that for every epoch, and the mean of the last five
over that of epochs 2 to 6.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `import sweep` is the package

from benchmarks.paper_workloads import Setting, make_pack
from benchmarks.step import floor
from benchmarks.timing_images import mnist
from trainables.schema import EPOCH_SECONDS
from trainables.tasks.mnist_vae import DiscreteVaeTrainer
from trainables.training.process import prepare_process
from trainables.training.training_data import TrainingData

STEPS = 600
FLOORS = 200


def seconds_of(products: Callable[[], None]) -> float:
    """Return the seconds of a floor, the mean of many."""
    start = time.perf_counter()
    for _ in range(FLOORS):
        products()
    return (time.perf_counter() - start) / FLOORS


def epoch_in_floors(trainer: DiscreteVaeTrainer, products: Callable[[], None], *, is_flushed: bool) -> float:
    """Train for an epoch and return its seconds, evaluation included, over those of a floor for each step."""
    torch.set_flush_denormal(is_flushed)
    before = seconds_of(products)
    (metrics,) = trainer.run_epoch().metrics
    after = seconds_of(products)
    if metrics is None:
        raise RuntimeError("the member diverged, and its seconds mean nothing; choose another one")
    return metrics[EPOCH_SECONDS] / STEPS / ((before + after) / 2)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--estimator", default="reinmax")
    parser.add_argument("--latent", default="8x4")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--home", type=Path, default=Path(".catsweep"))
    arguments = parser.parse_args()
    images = TrainingData.of_images(*mnist(arguments.home / "data"))
    prepare_process(1)
    setting = Setting(arguments.estimator, arguments.latent)
    params = {"optimizer": "adam", "lr": 0.0005, "temperature": 1.0, "epochs": arguments.epochs}
    pack = make_pack(setting, **params)
    trainers = {is_flushed: DiscreteVaeTrainer(pack, images) for is_flushed in (True, False)}
    products = floor(arguments.latent)
    floors: dict[bool, list[float]] = {True: [], False: []}
    print("| epoch | flushed | not flushed |\n|---|---|---|")
    for epoch in range(1, arguments.epochs + 1):
        for is_flushed, trainer in trainers.items():
            floors[is_flushed].append(epoch_in_floors(trainer, products, is_flushed=is_flushed))
        print(f"| {epoch} | {floors[True][-1]:.2f} | {floors[False][-1]:.2f} |", flush=True)
    growth = {key: statistics.fmean(one[-5:]) / statistics.fmean(one[1:6]) for key, one in floors.items()}
    print(f"\nlast five over epochs 2 to 6: {growth[True]:.2f} flushed, {growth[False]:.2f} not flushed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
