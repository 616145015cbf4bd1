"""Time a training step of the VAE with 200 binary latents, by budget, in CPU seconds of one thread.

    python benchmarks/catlog_step.py [--rows GS-S IndeCateR ...] [--repeats 5] [--json FILE]

A step is one of training at batch 100, P = 1: encoder, estimator, decoder and Adam. Rows take turns, and the
table has the ratio to the GS-S step of the same turn: on a shared machine only that means anything.
Evaluations are decoder evaluations an image of f, GFLOP those of all matrix products of a step. "IndeCateR
naive" evaluates all L·C·N changes from scratch. Memory is the peak of a process of its own that takes a
step.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from unittest import mock

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `import estimators` is the package

import estimators
from benchmarks.processes import peak_memory_mib
from estimators.score_function import substitution
from sweep.cluster.environment import environment
from trainables.models.bernoulli_vae import BernoulliVAE
from trainables.models.network_sizes import BERNOULLI_VAE
from trainables.models.optimizers import FusedAdam
from trainables.training.process import prepare_process

BATCH_SIZE, LATENT_DIM = 100, 200
SMALL, FULL = 2, 2 * LATENT_DIM * 2
"""Samples of the budgets S and F: N, and L·C·N."""


@dataclass(frozen=True)
class Row:
    """A budget: an estimator and its number of samples."""

    estimator: str
    num_samples: int
    is_naive: bool = False


ROWS = {
    "GS-S": Row("stgs", SMALL),
    "RLOO-S": Row("rloo", SMALL),
    "IndeCateR": Row("indecater", SMALL),
    "IndeCateR naive": Row("indecater", SMALL, is_naive=True),
    "GS-F": Row("stgs", FULL),
    "RLOO-F": Row("rloo", FULL),
}
REFERENCE = "GS-S"


@dataclass(frozen=True)
class Measurement:
    """What a step of a budget costs.

    Args:
        name: The budget.
        evaluations: Decoder evaluations an image of f.
        gflop: Floating-point operations of the step's matrix products, in units of 10⁹.
        step_ms: Median milliseconds of CPU of a step.
        ratio: Median ratio to the reference's step in the same turn.
        peak_mib: Peak of a process that takes a step, MiB.
    """

    name: str
    evaluations: int
    gflop: float
    step_ms: float
    ratio: float
    peak_mib: float


class _Nobody:
    """What no objective is: estimators then call f at every change."""


def make_step(row: Row) -> Callable[[], object]:
    """Return a function that takes a training step."""
    estimator = estimators.get(row.estimator)
    calls_f = estimator.needs_objective
    generator = torch.Generator().manual_seed(0)
    images = ((torch.rand(1, BATCH_SIZE, 784, generator=generator) > 0.8) * 255).to(torch.uint8)
    model = BernoulliVAE(LATENT_DIM, None if calls_f else row.num_samples, [generator])
    optimizer = FusedAdam(model.parameters, model.gradients, 1e-4)
    settings = {"num_samples": row.num_samples} if calls_f else {"temperature": 1.0}
    sampler = partial(estimator.draw, **settings, generator=[generator])

    def step() -> None:
        model.differentiate(images, sampler)
        optimizer.step()

    def naive_step() -> None:
        with mock.patch.object(substitution, "SingleChanges", _Nobody):
            step()

    return naive_step if row.is_naive else step


def evaluations(row: Row) -> int:
    """Return how often the decoder is evaluated for f, an image."""
    if row.estimator != "indecater":
        return row.num_samples
    changes = LATENT_DIM * row.num_samples
    return 2 * changes if row.is_naive else changes + row.num_samples


def gflop(row: Row) -> float:
    """Return the operations of a step's matrix products: two a weight and row, in each direction."""
    encoder, decoder = BERNOULLI_VAE.widths(LATENT_DIM)
    of_encoder, of_decoder = (_pass(widths) for widths in (encoder, decoder))
    first = decoder[0] * decoder[1]
    learnt = 1 if row.is_naive else row.num_samples
    # Forward, weights' gradients, inputs' gradients; of what is at the bottom no inputs' gradient.
    total = 3 * of_encoder - encoder[0] * encoder[1]
    total += (3 * of_decoder - (first if row.estimator != "stgs" else 0)) * learnt
    if row.estimator == "indecater":
        of_change = of_decoder if row.is_naive else of_decoder - first
        changes = 2 if row.is_naive else 1
        total += changes * LATENT_DIM * row.num_samples * of_change
    return 2 * BATCH_SIZE * total / 1e9


def _pass(widths: Sequence[int]) -> int:
    return sum(fan_in * fan_out for fan_in, fan_out in itertools.pairwise(widths))


def measure(names: Sequence[str], repeats: int) -> list[Measurement]:
    """Time the steps of budgets and of the reference, which take turns."""
    steps = {name: make_step(ROWS[name]) for name in dict.fromkeys((REFERENCE, *names))}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(repeats + 1):
        for name, step in steps.items():
            count = 1 if evaluations(ROWS[name]) > SMALL else 20
            start = time.process_time()
            for _ in range(count):
                step()
            if repeat > 0:  # the first warms up
                seconds[name].append((time.process_time() - start) / count)
    return [
        Measurement(
            name,
            evaluations(ROWS[name]),
            gflop(ROWS[name]),
            statistics.median(seconds[name]) * 1e3,
            statistics.median(a / b for a, b in zip(seconds[name], seconds[REFERENCE], strict=True)),
            in_new_process(peak_mib, name),
        )
        for name in names
    ]


def peak_mib(name: str) -> float:
    """Return the peak of a new process that takes a step, in MiB."""
    prepare_process(1)
    make_step(ROWS[name])()
    return peak_memory_mib(os.getpid())


def in_new_process(function: Callable[[str], float], name: str) -> float:
    """Call the function in a process that has done nothing else."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, (name,))


def main() -> int:
    """Measure, print the table, and keep it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    prepare_process(1)
    measured = measure(arguments.rows, arguments.repeats)
    print("| budget | evaluations | GFLOP | step ms | GFLOP/s | ratio to GS-S | peak MiB |\n|" + "---|" * 7)
    for one in measured:
        print(
            f"| {one.name} | {one.evaluations} | {one.gflop:.2f} | {one.step_ms:.1f} | "
            f"{one.gflop / one.step_ms * 1e3:.0f} | {one.ratio:.1f} | {one.peak_mib:.0f} |"
        )
    if arguments.json:
        record = {"environment": environment(), "steps": [asdict(one) for one in measured]}
        arguments.json.write_text(json.dumps(record, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
