"""Time packs of P members on one device, and project from that how long the paper's sweeps take on it.

    python benchmarks/pack_gpu.py [--device cuda] [--estimators reinmax ...] [--latents 8x4 ...]
                                  [--sizes 1 2 4 8 16 32 64] [--steps 50] [--repeats 5] [--tf32]
                                  [--images mnist|noise] [--home .catsweep] [--json FILE] [--join FILE ...]

An epoch is 600 steps of 100 images, as many times a timed step, and an evaluation of 10,000 images, timed
whole; both are medians over the repeats, after passes that warm up (compile, record a CUDA graph). Left out
are the start of a process, checkpoints and the store. With fewer than 600 steps the training images on the
device are fewer than in a run, and peak memory is less by theirs: 47 MB for all, and 0.5 MB of order a member.

A projection takes for members that may form one pack the measured P, no larger than they are many, at which
all of them take least: n members are ceil(n / P) packs, the last one charged as a full one, and packs run one
after another. Members of `table2` come in tens: `--sizes 5 10` is what suits them. The optimiser is the
published one; the grid's other one, one kernel too, is charged the same.

Needs torch and numpy only. `--json` keeps the measurements; `--join` projects from such files too, of the
same device and settings, where one run is too long.
"""

from __future__ import annotations

import argparse
import csv
import gc
import itertools
import json
import math
import statistics
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # where catsweep is not installed

from trainables.discrete_vae import NUM_PIXELS
from trainables.pack import Pack, shared_params
from trainables.process import prepare_process
from trainables.schema import Cell, Member
from trainables.training import PackTrainer, images_from_numpy

BATCH_SIZE, STEPS_PER_EPOCH, TEST_IMAGES = 100, 600, 10_000
EPOCHS, NUM_SEEDS = 160, 10
LATENTS = ("8x4", "4x24", "8x16", "16x12", "64x8", "10x30")
BASELINES = ("stgs", "gumbel_rao", "st", "gst", "reinmax")
TEMPERATURES = (0.1, 0.3, 0.5, 0.7, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5)
LEARNING_RATES = (0.001, 0.0007, 0.0005, 0.0003)
ETAS = (0.1, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0)
_WARM_UP_PASSES = 2
_NOISE_POWER = 6.6  # gives noise MNIST's mean byte, 33


@dataclass(frozen=True)
class Setting:
    """What the seconds of a step depend on, beside the size of the pack."""

    estimator: str
    latent: str


@dataclass(frozen=True)
class Measurement:
    """What a pack of one size costs.

    Args:
        estimator: Id of the estimator.
        latent: Categories x variables.
        size: Members of the pack, P.
        step_seconds: Median seconds of a training step of the whole pack.
        evaluation_seconds: Median seconds of its evaluation of 10,000 images.
        peak_mib: Most memory allocated on the GPU, MiB; none on a CPU.
    """

    estimator: str
    latent: str
    size: int
    step_seconds: float
    evaluation_seconds: float
    peak_mib: float | None

    @property
    def epoch_seconds(self) -> float:
        """Seconds of an epoch of the whole pack, evaluation included."""
        return self.step_seconds * STEPS_PER_EPOCH + self.evaluation_seconds

    @property
    def rate(self) -> float:
        """Member-epochs per second."""
        return self.size / self.epoch_seconds


@dataclass(frozen=True)
class Projection:
    """How long a workload takes; packs and hours are those of the members that measurements cover."""

    workload: str
    cells: int
    members: int
    members_measured: int
    packs: int
    hours: float


@cache
def published_settings() -> dict[Setting, dict[str, str]]:
    """Return the params of Table 5 with its corrections, hence those behind the printed results."""
    # analysis.published does this too, and needs pandas.
    lines, fixes = (
        list(csv.DictReader((ROOT / "analysis" / "published" / name).read_text().splitlines()))
        for name in ("published_hyperparameters.csv", "hyperparameter_corrections.csv")
    )
    found = {Setting(line.pop("estimator"), line.pop("latent")): line for line in lines}
    for fix in fixes:
        found[Setting(fix["estimator"], fix["latent"])][fix["field"]] = fix["as_run"]
    return {key: {name: value for name, value in line.items() if value} for key, line in found.items()}


def make_cell(setting: Setting, **params: object) -> Cell:
    """Return the cell with the published params, but for those given."""
    categorical_dim, latent_dim = setting.latent.split("x")
    like = Setting(setting.estimator.removesuffix("_alg2"), setting.latent)
    return Cell.from_params(
        {
            "task": "mnist_vae",
            "dataset": "mnist",
            "estimator": setting.estimator,
            "categorical_dim": categorical_dim,
            "latent_dim": latent_dim,
            **published_settings()[like],
            "batch_size": BATCH_SIZE,
            "epochs": EPOCHS,
            **params,
        }
    )


def table2_cells() -> list[Cell]:
    """Return the cells of the printed results; the preset has three more, as Table 5 misprints them."""
    return [make_cell(setting) for setting in published_settings()]


def grid_cells() -> list[Cell]:
    """Return the cells of Appendix E: both grids, and the baselines at their published params."""
    cells = [make_cell(Setting(baseline, latent)) for baseline in BASELINES for latent in LATENTS]
    for latent in LATENTS:
        rao, cv = Setting("reinmax_rao", latent), Setting("reinmax_cv", latent)
        for optimizer, lr in itertools.product(("adam", "radam"), LEARNING_RATES):
            cells += [make_cell(rao, optimizer=optimizer, lr=lr, temperature=one) for one in TEMPERATURES]
        of_reinmax = published_settings()[Setting("reinmax", latent)]
        chosen = {name: of_reinmax[name] for name in ("optimizer", "lr")}
        for temperature, eta in itertools.product(TEMPERATURES, ETAS):
            cells.append(make_cell(cv, **chosen, temperature=temperature, eta=eta))
    return cells


def groups(cells: Sequence[Cell]) -> list[tuple[Setting, int]]:
    """Return how many members each group has, all seeds of all its cells, that may form one pack."""
    cells_of = Counter(
        (Setting(cell.estimator, cell.latent), shared_params(Member(cell, 0))) for cell in cells
    )
    return [(setting, count * NUM_SEEDS) for (setting, _), count in cells_of.items()]


def project(workload: str, cells: Sequence[Cell], measured: Sequence[Measurement]) -> Projection:
    """Return how long packs of these cells' members take, one pack after another."""
    members_measured, packs, seconds = 0, 0, 0.0
    for setting, members in groups(cells):
        options = [
            (math.ceil(members / one.size) * one.epoch_seconds * EPOCHS, math.ceil(members / one.size))
            for one in measured
            if Setting(one.estimator, one.latent) == setting and one.size <= members
        ]
        if options:
            group_seconds, group_packs = min(options)
            members_measured += members
            packs += group_packs
            seconds += group_seconds
    return Projection(
        workload, len(cells), len(cells) * NUM_SEEDS, members_measured, packs, seconds / 3600
    )


def noise(count: int) -> torch.Tensor:
    """Return random bytes that are on average as bright as MNIST, shape (count, 784)."""
    levels = torch.rand(count, NUM_PIXELS, generator=torch.Generator().manual_seed(0))
    return (levels**_NOISE_POWER * 256).to(torch.uint8)


def load_images(wanted: str | None, home: Path, count: int) -> tuple[torch.Tensor, torch.Tensor, str]:
    """Return training images, test images and what they are.

    Args:
        wanted: "mnist" or "noise"; none takes MNIST where it is there.
        home: The folder whose data folder may hold MNIST.
        count: How many training images.
    Raises:
        ValueError: If MNIST is wanted and cannot be read.
    """
    why_not = "as asked for"
    if wanted != "noise":
        try:
            from trainables import data  # fetches too, so it needs packages that may not be here
        except ImportError as error:
            why_not = f"to read MNIST takes all of catsweep's requirements: {error}"
        else:
            try:
                dataset = data.load("mnist", home / "data")
                train, test = images_from_numpy(dataset.train_images), images_from_numpy(dataset.test_images)
                return train[:count], test, "MNIST"
            except data.DataError:
                why_not = f"MNIST is not in {home / 'data'}"
    if wanted == "mnist":
        raise ValueError(why_not)
    images = noise(count + TEST_IMAGES)
    return images[:count], images[count:], f"noise ({why_not})"


def measure(
    setting: Setting, size: int, images: tuple[torch.Tensor, torch.Tensor], repeats: int, precision: str
) -> Measurement:
    """Time"""
