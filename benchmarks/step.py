"""Time a training step of every estimator and latent on one thread, beside the floor that hardware sets.

    python benchmarks/step.py [--estimators reinmax ...] [--use my_estimators.py] [--latents 8x4 ...]
                              [--optimizers adam radam] [--repeats 15] [--memory]
                              [--json FILE] [--against FILE] [--home .catsweep]

A step is one of real training, batch 100, P = 1: data, both networks, estimator, loss and optimiser. The
floor is the same matrix products alone, forward and backward. Every step follows a timed floor, so that both
meet the same caches and the same neighbours, and the table has medians over the repeats: on a shared machine
only the ratio means anything. The parts are shares of a profiled pass over the training images. Memory is the
peak of a process of its own that trains an epoch of this, less the images: one member, and a pack of eight
(`--memory`).

`--json` keeps the measurements; `--against` compares ratios with a file that another revision has written.
"""

from __future__ import annotations

import argparse
import cProfile
import itertools
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `import sweep` is the package

from benchmarks.paper_workloads import BATCH_SIZE, LATENTS, Setting, make_pack, published_params
from benchmarks.processes import peak_memory_mib
from benchmarks.timing_images import mnist
from estimators import REGISTRY
from estimators.own import OwnEstimator
from sweep.cluster.environment import environment
from sweep.spec.use import use
from trainables.models.discrete_vae import NegElbo
from trainables.models.network_sizes import VAE
from trainables.tasks.mnist_vae import DiscreteVaeTrainer
from trainables.training.process import prepare_process
from trainables.training.training_data import TrainingData

TABLE_5 = [*dict.fromkeys(setting.estimator for setting in published_params()), "reinmax_cv_alg2"]
"""The estimators whose published settings are timed, and ReinMax-CV in its other form."""
STEPS = 20
MEMBERS_OF_A_PACK = 8
PARTS = {
    "data": {"_train": ("index_select",)},
    "networks": {
        "encode": ("forward",),
        "decode": ("forward",),
        "differentiate": ("backward", "input_gradient"),
    },
    "loss": {"differentiate": ("bernoulli_nll_and_gradient", "kl_to_uniform_and_gradient")},
    "optimiser": {"_train": ("step",)},
    "estimator": {"differentiate": ("draw_", "<lambda>")},
}
"""Which calls belong to which part of a step: by who makes them, and how the name of the called begins."""


Job = tuple[str, str, str, Path, int]
"""What `make_trainer` takes."""
Function = tuple[str, int, str]
"""A function as `cProfile` knows it: file, line and name."""


@dataclass(frozen=True)
class Measurement:
    """What one step costs.

    Args:
        estimator: Id of the estimator.
        latent: Categories x variables.
        optimizer: Id of the optimiser.
        step_ms: Median milliseconds of a step.
        floor_ms: Median milliseconds of the matrix products alone.
        peak_mib: Peak of a process that trains one member, MiB, less the images; none if not measured.
        pack_peak_mib: The same with a pack of `MEMBERS_OF_A_PACK`.
        parts: Share of a profiled step that each part takes.
    """

    estimator: str
    latent: str
    optimizer: str
    step_ms: float
    floor_ms: float
    peak_mib: float | None
    pack_peak_mib: float | None
    parts: Mapping[str, float]

    @property
    def ratio(self) -> float:
        """Step over floor."""
        return self.step_ms / self.floor_ms

    @property
    def key(self) -> str:
        """What is measured, as a key."""
        return f"{self.estimator} {self.latent} {self.optimizer}"


def make_trainer(
    estimator: str, latent: str, optimizer: str, data: Path, num_members: int = 1
) -> DiscreteVaeTrainer:
    """Return a trainer whose epoch is `STEPS` steps."""
    entry = REGISTRY[estimator]
    version = entry.version if isinstance(entry, OwnEstimator) else None
    params = {
        "optimizer": optimizer, "lr": 0.0005, "temperature": 1.0, "epochs": 1, "estimator_version": version,
    }  # fmt: skip
    pack = make_pack(Setting(estimator, latent), num_members, **params)
    train, test = mnist(data)
    return DiscreteVaeTrainer(pack, TrainingData.of_images(train[: STEPS * BATCH_SIZE], test[:BATCH_SIZE]))


def floor(latent: str) -> Callable[[], None]:
    """Return a function that does the matrix products of a step: three a layer, two in the first."""
    categorical_dim, latent_dim = (int(part) for part in latent.split("x"))
    width = categorical_dim * latent_dim
    encoder, decoder = VAE.widths(width)
    widths = (*encoder, *decoder[1:])
    values = [torch.rand(BATCH_SIZE, size) for size in widths]
    weights = [torch.rand(size) for size in itertools.pairwise(widths)]

    def products() -> None:
        for value, weight in zip(values, weights, strict=False):
            torch.mm(value, weight)
        for layer in reversed(range(len(weights))):
            torch.mm(values[layer].t(), values[layer + 1])
            if layer > 0:
                torch.mm(values[layer + 1], weights[layer].t())

    return products


class FlooredTrainer:
    """A trainer that does a floor before every step.

    Args:
        trainer: The trainer.
        products: The floor.
    """

    def __init__(self, trainer: DiscreteVaeTrainer, products: Callable[[], None]) -> None:
        self._trainer = trainer
        self._products = products
        self._floor_seconds: list[float] = []
        differentiate = trainer.model.differentiate

        def after_a_floor(*arguments: Any) -> NegElbo:
            start = time.perf_counter()
            products()
            self._floor_seconds.append(time.perf_counter() - start)
            return differentiate(*arguments)

        trainer.model.differentiate = after_a_floor  # type: ignore[method-assign]

    def milliseconds(self) -> tuple[float, float]:
        """Do a pass; return the milliseconds of a step, the floors taken off, and of a floor."""
        self._floor_seconds.clear()
        seconds = self._trainer.time_epoch().train
        floors = sum(self._floor_seconds)
        return (seconds - floors) / STEPS * 1e3, floors / STEPS * 1e3


def peak_mib(job: Job) -> float:
    """Return the peak of a new process that trains an epoch, in MiB, less the images."""
    prepare_process(1)
    make_trainer(*job).run_epoch()
    return peak_memory_mib(os.getpid()) - sum(images.nbytes for images in mnist(job[3])) / 2**20


def parts(trainer: DiscreteVaeTrainer) -> dict[str, float]:
    """Return the share of each part in a profiled pass over the training images, and that of all else."""
    profile = cProfile.Profile()
    profile.runcall(trainer._train)
    profile.create_stats()
    return shares(profile.stats)  # type: ignore[attr-defined]


def shares(stats: Mapping[Function, tuple[Any, ...]]) -> dict[str, float]:
    """Return the share of each part, from `cProfile`'s times of each function in all and by caller."""
    whole = next(times[3] for (_, _, name), times in stats.items() if name == "_train")
    seconds = dict.fromkeys(PARTS, 0.0)
    for (_, _, name), (*_, callers) in stats.items():
        for (_, _, caller), (_, _, _, cumulative) in callers.items():
            for part, calls in PARTS.items():
                if name.removeprefix("<method '").startswith(calls.get(caller, ())):
                    seconds[part] += cumulative
    found = {part: value / whole for part, value in seconds.items()}
    return {**found, "other": 1 - sum(found.values())}


def in_new_process(function: Callable[[Job], float], job: Job) -> float:
    """Call the function in a process that has done nothing else."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, (job,))


def measure(
    names: list[str], latent: str, optimizers: list[str], repeats: int, data: Path, *, with_memory: bool
) -> Iterator[Measurement]:
    """Measure every estimator and optimiser at one latent, all of them and the floor taking turns."""
    products = floor(latent)
    trainers = {
        (name, one): FlooredTrainer(make_trainer(name, latent, one, data), products)
        for name in names
        for one in optimizers
    }
    times: dict[tuple[str, str], list[tuple[float, float]]] = {key: [] for key in trainers}
    for repeat in range(repeats + 1):
        for key, trainer in trainers.items():
            milliseconds = trainer.milliseconds()
            if repeat > 0:  # the first warms up
                times[key].append(milliseconds)
    for name, one in trainers:
        peak, pack_peak = (
            in_new_process(peak_mib, (name, latent, one, data, size)) if with_memory else None
            for size in (1, MEMBERS_OF_A_PACK)
        )
        step_ms, floor_ms = (statistics.median(column) for column in zip(*times[name, one], strict=True))
        of_parts = parts(make_trainer(name, latent, one, data))
        yield Measurement(name, latent, one, step_ms, floor_ms, peak, pack_peak, of_parts)


def row(one: Measurement, before: Mapping[str, float]) -> str:
    """Return the measurement as a row of a Markdown table."""
    cells = [
        one.estimator,
        one.latent,
        one.optimizer,
        f"{one.step_ms:.2f}",
        f"{one.floor_ms:.2f}",
        f"{one.ratio:.2f}",
        *([f"{before[one.key]:.2f}" if one.key in before else ""] if before else []),
        *("" if peak is None else f"{peak:.0f}" for peak in (one.peak_mib, one.pack_peak_mib)),
        *(f"{100 * share:.0f} %" for share in one.parts.values()),
    ]
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Measure, print the table, and keep it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--estimators", nargs="+", default=TABLE_5)
    parser.add_argument("--use", nargs="+", default=[], help="files with estimators, as in a spec")
    parser.add_argument("--latents", nargs="+", default=list(LATENTS))
    parser.add_argument("--optimizers", nargs="+", default=["adam", "radam"])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--memory", action="store_true", help="measure memory too, 10 s a row")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--home", type=Path, default=Path(".catsweep"))
    arguments = parser.parse_args()
    for entry in arguments.use:
        use(entry, Path.cwd())
    data = arguments.home / "data"
    mnist(data)  # fetched before anything is timed
    prepare_process(1)
    before = {}
    if arguments.against:
        rows = [Measurement(**one) for one in json.loads(arguments.against.read_text())["steps"]]
        before = {one.key: one.ratio for one in rows}
    heads = ["estimator", "latent", "optimiser", "step ms", "floor ms", "ratio"]
    heads += ["before"] * bool(before) + ["peak MiB", f"{MEMBERS_OF_A_PACK} members", *PARTS, "other"]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    measured = []
    for latent in arguments.latents:
        for one in measure(
            arguments.estimators,
            latent,
            arguments.optimizers,
            arguments.repeats,
            data,
            with_memory=arguments.memory,
        ):
            measured.append(one)
            print(row(one, before), flush=True)
    if arguments.json:
        record = {"environment": environment(), "steps": [asdict(one) for one in measured]}
        arguments.json.write_text(json.dumps(record, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
