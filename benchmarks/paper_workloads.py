"""What Beyond ReinMax trained, its Table 2 and its grids, and how long that takes in packs on one device.

The presets say the same in YAML. This needs the standard library only, for machines that have little else.
"""

from __future__ import annotations

import csv
import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from trainables.pack import Pack, shared_params
from trainables.schema import Cell, Member

EPOCHS, NUM_SEEDS, BATCH_SIZE = 160, 10, 100
BASELINES = ("stgs", "gumbel_rao", "st", "gst", "reinmax")
ESTIMATORS = (*BASELINES, "reinmax_rao", "reinmax_cv")
LATENTS = ("8x4", "4x24", "8x16", "16x12", "64x8", "10x30")
TEMPERATURES = (0.1, 0.3, 0.5, 0.7, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5)
LEARNING_RATES = (0.001, 0.0007, 0.0005, 0.0003)
ETAS = (0.1, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0)
_PUBLISHED = Path(__file__).resolve().parent.parent / "analysis" / "published"


@dataclass(frozen=True)
class Setting:
    """What the seconds of an epoch depend on most: estimator and latent, categories x variables."""

    estimator: str
    latent: str

    def __str__(self) -> str:
        return f"{self.estimator} {self.latent}"


@dataclass(frozen=True)
class Group:
    """Members, all seeds of some cells, that may train in one pack."""

    setting: Setting
    num_members: int


@dataclass(frozen=True)
class Projection:
    """How long a workload takes; packs and hours are those of the members whose setting is measured."""

    workload: str
    cells: int
    members: int
    members_measured: int
    packs: int
    hours: float


@cache
def published_params() -> dict[Setting, dict[str, str]]:
    """Return Table 5 with its corrections, hence the params behind the printed results."""
    # analysis.published.printed does this too, but its package imports pandas.
    lines, corrections = (
        list(csv.DictReader((_PUBLISHED / name).read_text(encoding="utf-8").splitlines()))
        for name in ("published_hyperparameters.csv", "hyperparameter_corrections.csv")
    )
    found = {
        Setting(line.pop("estimator"), line.pop("latent")): {
            name: text for name, text in line.items() if text
        }
        for line in lines
    }
    for fix in corrections:
        found[Setting(fix["estimator"], fix["latent"])][fix["field"]] = fix["as_run"]
    return found


def make_cell(setting: Setting, **params: object) -> Cell:
    """Return the cell with the published params (ReinMax-CV's for both its forms), but for those given.

    An estimator that has none trains with ReinMax's optimiser and learning rate.
    """
    published = published_params().get(Setting(setting.estimator.removesuffix("_alg2"), setting.latent))
    if published is None:
        of_reinmax = published_params()[Setting("reinmax", setting.latent)]
        published = {name: of_reinmax[name] for name in ("optimizer", "lr")}
    categorical_dim, latent_dim = setting.latent.split("x")
    return Cell.from_params(
        {
            "task": "mnist_vae",
            "dataset": "mnist",
            **published,
            "estimator": setting.estimator,
            "categorical_dim": categorical_dim,
            "latent_dim": latent_dim,
            "batch_size": BATCH_SIZE,
            "epochs": EPOCHS,
            **params,
        }
    )


def make_pack(setting: Setting, num_members: int = 1, **params: object) -> Pack:
    """Return a pack of members of `make_cell`'s cell, with the seeds 0, 1 and so on."""
    cell = make_cell(setting, **params)
    return Pack(tuple(Member(cell, seed) for seed in range(num_members)))


def table2_cells() -> list[Cell]:
    """Return the cells behind the printed results; preset table2 has three more, which Table 5 misprints."""
    return [make_cell(setting) for setting in published_params()]


def grid_cells() -> list[Cell]:
    """Return the cells of both grids of Appendix E, and the baselines with their published params."""
    cells = [make_cell(Setting(estimator, latent)) for estimator in BASELINES for latent in LATENTS]
    for latent in LATENTS:
        rao, cv = Setting("reinmax_rao", latent), Setting("reinmax_cv", latent)
        for optimizer, lr, temperature in itertools.product(("adam", "radam"), LEARNING_RATES, TEMPERATURES):
            cells.append(make_cell(rao, optimizer=optimizer, lr=lr, temperature=temperature))
        of_reinmax = published_params()[Setting("reinmax", latent)]
        chosen = {name: of_reinmax[name] for name in ("optimizer", "lr")}
        for temperature, eta in itertools.product(TEMPERATURES, ETAS):
            cells.append(make_cell(cv, **chosen, temperature=temperature, eta=eta))
    return cells


def groups(cells: Sequence[Cell]) -> list[Group]:
    """Return the groups of members that may form one pack, in the order of their first cells."""
    cells_of = Counter(
        (Setting(cell.estimator, cell.latent), shared_params(Member(cell, seed=0))) for cell in cells
    )
    return [Group(setting, count * NUM_SEEDS) for (setting, _), count in cells_of.items()]


def project(
    workload: str, cells: Sequence[Cell], epoch_seconds: Mapping[Setting, Mapping[int, float]]
) -> Projection:
    """Return how long the members of some cells take, one pack after another.

    Every group takes the measured size, not above its own number of members, with which it is done first.
    Its last pack, which may be smaller, is charged as a full one.

    Args:
        workload: What to call it.
        cells: The cells; each has ten seeds.
        epoch_seconds: Seconds of an epoch of a whole pack, by its setting and its size.
    """
    covered, packs, seconds = 0, 0, 0.0
    for group in groups(cells):
        options = []
        for size, pack_seconds in epoch_seconds.get(group.setting, {}).items():
            if size <= group.num_members:
                num_packs = math.ceil(group.num_members / size)
                options.append((num_packs * pack_seconds, num_packs))
        if options:
            group_seconds, group_packs = min(options)
            covered += group.num_members
            packs += group_packs
            seconds += group_seconds * EPOCHS
    return Projection(workload, len(cells), len(cells) * NUM_SEEDS, covered, packs, seconds / 3600)
