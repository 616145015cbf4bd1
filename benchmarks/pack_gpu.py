"""Time packs of P members on one device, and project from that how long the paper's sweeps take on it.

    python benchmarks/pack_gpu.py [--device cuda] [--estimators reinmax ...] [--latents 8x4 ...]
                                  [--sizes 1 2 4 8 16 32 64] [--steps 50] [--repeats 5] [--tf32]
                                  [--images mnist|noise] [--home .catsweep] [--json FILE] [--join FILE ...]

An epoch is 600 steps of 100 images, as many times a timed step, and an evaluation of 10,000 images, timed
whole; both are medians over the repeats, after passes that warm up (compile, record a CUDA graph). Left out
are the start of a process, checkpoints and the store. With fewer than 600 steps fewer training images are on
the device than in a run, and the peak of its memory is less by these: 47 MB in all, and 0.5 MB a member.

A projection takes, for the members that may form one pack, the measured P not above their number n with which
they are done first. They are ceil(n / P) packs, the last one charged as a full one, one after another. Those
of `table2` come in tens, so that 5 and 10 are sizes to add. Each is charged with what the published optimiser
of its estimator and latent takes.

The first line says whether Triton's kernel averages over Gumbel draws, as it would in a run, or PyTorch does.

Needs torch and numpy only. `--json` keeps the measurements, row by row; `--join` adds those of earlier files,
of the same device and options, to the projections.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # where catsweep is not installed

import estimators
from benchmarks.pack_timing import STEPS_PER_EPOCH, Bench, Measurement
from benchmarks.paper_workloads import (
    BATCH_SIZE,
    ESTIMATORS,
    LATENTS,
    Projection,
    Setting,
    grid_cells,
    project,
    table2_cells,
)
from benchmarks.timing_images import load_images
from estimators import fused_gumbel
from trainables.training.process import prepare_process


def markdown(*cells: object) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(map(str, cells))} |"


def print_head(*heads: str) -> None:
    """Print the first two lines of a Markdown table."""
    print(f"\n{markdown(*heads)}\n|{'---|' * len(heads)}")


def rate_row(setting: Setting, sizes: Sequence[int], row: Sequence[Measurement]) -> str:
    """Return member-epochs per second and the best P; a row that ends early ran out of memory."""
    cells = [f"{one.rate:.3g}" for one in row]
    if len(row) < len(sizes):
        cells += ["out of memory", *[""] * (len(sizes) - len(row) - 1)]
    best = max(row, key=lambda one: one.rate).size if row else ""
    return markdown(setting.estimator, setting.latent, *cells, best)


def peak_row(setting: Setting, sizes: Sequence[int], row: Sequence[Measurement]) -> str:
    """Return the peaks of GPU memory."""
    peaks = ["" if one.peak_mib is None else f"{one.peak_mib:.0f}" for one in row]
    return markdown(setting.estimator, setting.latent, *peaks, *[""] * (len(sizes) - len(row)))


def projections(measured: Sequence[Measurement]) -> list[Projection]:
    """Return how long Table 2 and the full grid take; of measurements of one size, the last counts."""
    epoch_seconds: dict[Setting, dict[int, float]] = defaultdict(dict)
    for one in measured:
        epoch_seconds[one.setting][one.size] = one.epoch_seconds
    workloads = {"table2, as published": table2_cells(), "full grid": grid_cells()}
    return [project(name, cells, epoch_seconds) for name, cells in workloads.items()]


def print_projections(found: Sequence[Projection], where: str) -> None:
    """Print the projections and whether they are complete."""
    print(f"\nThe paper's sweeps, 10 seeds and 160 epochs each with evaluation, pack after pack on {where}:")
    print_head("workload", "cells", "members", "members measured", "packs", "hours")
    for one in found:
        print(markdown(*astuple(one)[:-1], f"{one.hours:.2f}"))
    if any(one.members_measured < one.members for one in found):
        print("\nPacks and hours are those of the members measured alone.")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments, checked, and the images that they ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", type=torch.device, default=torch.device("cuda"))
    parser.add_argument("--estimators", nargs="+", choices=list(estimators.REGISTRY), default=ESTIMATORS)
    parser.add_argument("--latents", nargs="+", choices=LATENTS, default=LATENTS)
    parser.add_argument("--sizes", nargs="+", type=int, default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tf32", action="store_true")
    parser.add_argument("--images", choices=("mnist", "noise"))
    parser.add_argument("--home", type=Path, default=Path(".catsweep"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--join", nargs="+", type=Path, default=[])
    arguments = parser.parse_args(argv)
    if not 1 <= arguments.steps <= STEPS_PER_EPOCH:
        parser.error(f"--steps must be from 1 to {STEPS_PER_EPOCH}, got {arguments.steps}")
    if min(*arguments.sizes, arguments.repeats) < 1:
        parser.error("--sizes and --repeats must be >= 1")
    if arguments.device.type == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: PyTorch finds no GPU; --device cpu runs the same lines")
    arguments.sizes = sorted(set(arguments.sizes))
    arguments.precision = "tf32" if arguments.tf32 else "float32"
    try:
        arguments.loaded = load_images(arguments.images, arguments.home, arguments.steps * BATCH_SIZE)
        arguments.joined = join(arguments.join, environment(arguments))
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return arguments


def environment(arguments: argparse.Namespace) -> dict[str, object]:
    """Return what measurements must have in common to be compared."""
    device = arguments.device
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "torch": torch.__version__,
        "precision": arguments.precision,
        "triton": fused_gumbel.is_available(device),
        "steps": arguments.steps,
        "repeats": arguments.repeats,
    }


def join(files: Sequence[Path], here: Mapping[str, object]) -> list[Measurement]:
    """Read the measurements of earlier runs.

    Raises:
        ValueError: If one was made elsewhere or with other options.
    """
    measured = []
    for file in files:
        record = json.loads(file.read_text())
        if record["environment"] != here:
            raise ValueError(f"--join {file}: must be of {here}, got {record['environment']}")
        measured += [Measurement(**one) for one in record["measurements"]]
    return measured


def measure(arguments: argparse.Namespace) -> list[Measurement]:
    """Measure every setting, print the tables, and keep what is done after each row."""
    train_images, test_images, _ = arguments.loaded
    bench = Bench(train_images, test_images, arguments.device, arguments.repeats, arguments.precision)
    heads = ["estimator", "latent", *(f"P = {size}" for size in arguments.sizes)]
    print("\nMember-epochs per second:")
    print_head(*heads, "best P")
    measured: list[Measurement] = []
    peaks = []
    for latent, estimator in itertools.product(arguments.latents, arguments.estimators):
        setting = Setting(estimator, latent)
        row = bench.row(setting, arguments.sizes)
        measured += row
        print(rate_row(setting, arguments.sizes, row), flush=True)
        peaks.append(peak_row(setting, arguments.sizes, row))
        if arguments.json:
            record = {
                "environment": environment(arguments),
                "measurements": [asdict(one) for one in measured],
            }
            arguments.json.write_text(json.dumps(record, indent=1))
    print("\nPeak memory on the GPU, MiB:")
    print_head(*heads)
    print("\n".join(peaks))
    return measured


def main(argv: list[str] | None = None) -> int:
    """Measure, print the tables and the projections."""
    arguments = parse(argv)
    prepare_process(torch.get_num_threads())
    here = environment(arguments)
    kernel = "Triton's kernel" if here["triton"] else "PyTorch, without Triton's kernel"
    where = f"{here['device']}, PyTorch {here['torch']}, {here['precision']}, averages by {kernel}"
    print(f"{where}; images: {arguments.loaded[-1]}; {here['steps']} steps, {here['repeats']} repeats")
    measured = measure(arguments)
    print_projections(projections([*arguments.joined, *measured]), where)
    return 0


if __name__ == "__main__":
    sys.exit(main())
