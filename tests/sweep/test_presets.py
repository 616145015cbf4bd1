"""The presets against the published reference numbers and the grids that the paper's Appendix E lists."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable

import pytest

from analysis.names import PAPER_LATENTS
from analysis.published import printed as published
from sweep.spec.file import load_spec, preset_names
from trainables.schema import Cell

TEMPERATURES = ("0.1", "0.3", "0.5", "0.7", "1.0", "1.1", "1.2", "1.3", "1.4", "1.5")
LEARNING_RATES = ("0.001", "0.0007", "0.0005", "0.0003")
ETAS = ("0.1", "0.3", "0.5", "0.7", "1.0", "1.5", "2.0")
MEMBERS = {
    "quickstart": (7, 14),
    "table2-8x4": (7, 70),
    "table2": (45, 450),
    "grid-reinmax-rao": (480, 4800),
    "grid-reinmax-cv": (420, 4200),
    "search-reinmax-8x4": (576, 1152),
    "paper": (930, 9300),
    "table1": (3, 9),
    "table4": (7, 21),
    "figure1": (8, 80),
    "figure2": (87, 435),
    "gradient-quality-8x4": (17, 51),
    "catlog-figure1": (12, 60),
    "catlog-figure1-smoke": (12, 12),
    "catlog-figure2": (4, 40),
    "catlog-figure2-smoke": (4, 8),
    "catlog-figure3-fashion": (5, 25),
    "catlog-figure3-fashion-smoke": (3, 3),
    "catlog-figure3-mnist": (5, 25),
    "catlog-figure3-mnist-smoke": (3, 3),
    "catlog-figure3-omniglot": (5, 25),
    "catlog-figure3-omniglot-smoke": (3, 3),
    "catlog-figure4": (16, 80),
    "catlog-figure4-smoke": (4, 4),
}

HASHES = {
    "catlog-figure1": ("65922abb9665a623", "ed9f40d38add3c82"),
    "catlog-figure1-smoke": ("6da542ad57b13325", "5df53d28e5e63e5b"),
    "catlog-figure2": ("262d867ac25e313a", "29fda58d877f45e0"),
    "catlog-figure2-smoke": ("f23474af28ea5971", "2b383e2afbc8e6dd"),
    "catlog-figure3-fashion": ("811fa7939e1d845c", "347a81495db28bd2"),
    "catlog-figure3-fashion-smoke": ("0a9ba59f6a517c89", "67521bd7f179c895"),
    "catlog-figure3-mnist": ("75a9858d342b5de3", "56bfa81ce6ab18c8"),
    "catlog-figure3-mnist-smoke": ("de75656b2c3f8dfc", "618660ff09e30858"),
    "catlog-figure3-omniglot": ("f162c28ab626ae39", "171bc3d33963026e"),
    "catlog-figure3-omniglot-smoke": ("94ecd6dd26e856fe", "32ccc542faa6322c"),
    "catlog-figure4": ("51cbd16b7c065ef4", "49553cf1d542effd"),
    "catlog-figure4-smoke": ("9b1760d0321b2c70", "a7d4081e939488b0"),
    "figure1": ("d57c83fe29b713ca", "a2911403c449f402"),
    "figure2": ("232a2d9bf6f12251", "85a793b712333aac"),
    "gradient-quality-8x4": ("de36534b56f93f34", "dd59a383e12a9865"),
    "grid-reinmax-cv": ("221913ad8c54013d", "c0202ab05848265b"),
    "grid-reinmax-rao": ("ac4a55af4d0a4c23", "f959ebb05aefb1ec"),
    "paper": ("332f30a6e38395d8", "167f97800fe45330"),
    "quickstart": ("ab6ae3fe3c32d066", "2a23c0b34dbf29ee"),
    "search-reinmax-8x4": ("63c8147965377fcc", "bbae049bb6fb2d14"),
    "table1": ("c9d41d435484822a", "c91108ae9a4203d0"),
    "table2": ("69bf46fb87392f6c", "d1d2821f07719086"),
    "table2-8x4": ("608b8e9f9986f123", "7cc61b62d48c7ce3"),
    "table4": ("501a10f876c94c15", "67c741bda106f80f"),
}
"""Digests of the hashes of a preset's cells and of its members, as f532fa4 has them; `paper` came after it.

Stores hold these: no change of specs, params or tasks may change one."""

FIGURE_3 = [("mnist", "mnist"), ("fashion", "fashion_mnist"), ("omniglot", "omniglot")]
JUDGING = {"table1", "figure1", "gradient-quality-8x4"}
MODELS = {
    **{f"catlog-figure3-{name}": ("bernoulli_vae", data, 100) for name, data in FIGURE_3},
    **{f"catlog-figure3-{name}-smoke": ("bernoulli_vae", data, 100) for name, data in FIGURE_3},
    "catlog-figure4": ("mnist_addition", "mnist", 10),
    "catlog-figure4-smoke": ("mnist_addition", "mnist", 10),
}
"""Task, data set and batch size."""
SYNTHETIC = {
    "catlog-figure1": "synthetic_gradient",
    "catlog-figure1-smoke": "synthetic_gradient",
    "catlog-figure2": "synthetic_optimisation",
    "catlog-figure2-smoke": "synthetic_optimisation",
}


def cells(preset: str) -> list[Cell]:
    return [request.cell for request in load_spec(preset).requests()]


def hashes(preset: str) -> set[str]:
    return {member.hash for request in load_spec(preset).requests() for member in request.members}


def digest(several: Iterable[str]) -> str:
    return hashlib.sha256(" ".join(several).encode()).hexdigest()[:16]


def settings(cell: Cell, *names: str) -> tuple[str, ...]:
    params = {**cell.params, "latent": cell.latent}
    return tuple(params[name] for name in names)


def table_5(*, with_corrections: bool) -> dict[tuple[str, str], tuple[str, str, str, str]]:
    """Return optimiser, lr, τ and η of Table 5, read line by line from the reference files."""
    table = {
        (line.estimator, line.latent): {
            "optimizer": line.optimizer,
            "lr": line.lr,
            "temperature": line.temperature,
            "eta": line.eta,
        }
        for line in published.hyperparameters()
    }
    for fix in published.corrections() if with_corrections else ():
        assert table[fix.estimator, fix.latent][fix.field] == fix.printed
        table[fix.estimator, fix.latent][fix.field] = fix.as_run
    return {key: tuple(values.values()) for key, values in table.items()}  # type: ignore[misc]


def stated(cell: Cell) -> tuple[str, str, str, str]:
    params = cell.params
    return params["optimizer"], params["lr"], params["temperature"], params.get("eta", "")


def test_every_preset_is_tested_here() -> None:
    assert preset_names() == sorted(MEMBERS)


@pytest.mark.parametrize("preset", preset_names())
def test_a_preset_has_its_name_its_cells_and_its_members(preset: str) -> None:
    spec = load_spec(preset)
    data = (None, None) if preset in SYNTHETIC else ("mnist", 100)
    task = SYNTHETIC.get(preset, "gradient_quality" if preset in JUDGING else "mnist_vae")
    assert spec.name == preset
    assert (spec.task, spec.dataset, spec.batch_size) == MODELS.get(preset, (task, *data))
    assert (len(spec.requests()), len(hashes(preset))) == MEMBERS[preset]


@pytest.mark.parametrize("preset", preset_names())
def test_cells_and_members_of_a_preset_are_those_that_stores_hold(preset: str) -> None:
    requests = load_spec(preset).requests()
    members = (member.hash for request in requests for member in request.members)
    assert (digest(request.cell.hash for request in requests), digest(members)) == HASHES[preset]


def test_quickstart_is_the_8x4_column_with_2_seeds_and_3_epochs() -> None:
    spec = load_spec("quickstart")
    assert (spec.epochs, spec.seeds) == (3, (0, 1))
    table = table_5(with_corrections=True)
    assert {cell.estimator: stated(cell) for cell in cells("quickstart")} == {
        estimator: values for (estimator, latent), values in table.items() if latent == "8x4"
    }


def test_table2_runs_every_cell_of_the_printed_results_and_the_three_that_are_misprinted() -> None:
    kinds = Counter(published.provenance(cell) for cell in cells("table2"))
    assert kinds == {"as published": 42, "as printed": 3}


def test_every_hyperparameter_of_table2_is_the_published_one_with_its_corrections() -> None:
    ordinary = {(cell.estimator, cell.latent): stated(cell) for cell in cells("table2") if not cell.note}
    assert ordinary == table_5(with_corrections=True)


def test_the_noted_cells_of_table2_are_those_that_table_5_prints_otherwise() -> None:
    printed, as_run = table_5(with_corrections=False), table_5(with_corrections=True)
    noted = {(cell.estimator, cell.latent): stated(cell) for cell in cells("table2") if cell.note}
    assert noted == {key: values for key, values in printed.items() if values != as_run[key]}
    assert {cell.note for cell in cells("table2")} == {"", "as printed in Table 5"}


@pytest.mark.parametrize("preset", ["table2", "table2-8x4", "grid-reinmax-rao", "grid-reinmax-cv"])
def test_presets_of_the_paper_have_its_epochs_seeds_and_shared_settings(preset: str) -> None:
    spec = load_spec(preset)
    assert (spec.epochs, spec.seeds) == (published.EPOCHS, tuple(range(10)))
    for cell in cells(preset):
        assert cell.params.get("num_mc_samples", "100") == "100"
        assert cell.params.get("gap", "1.0") == "1.0"


def test_members_of_the_8x4_column_are_members_of_the_whole_table() -> None:
    assert hashes("table2-8x4") < hashes("table2")
    of_8x4 = {(cell.estimator, cell.latent) for cell in cells("table2-8x4")}
    assert of_8x4 == {key for key in table_5(with_corrections=True) if key[1] == "8x4"}


def test_the_grid_of_reinmax_rao_is_that_of_appendix_e() -> None:
    keys = ("estimator", "latent", "optimizer", "lr", "temperature")
    found = [settings(cell, *keys) for cell in cells("grid-reinmax-rao")]
    wanted = itertools.product(
        ["reinmax_rao"], PAPER_LATENTS, ["adam", "radam"], LEARNING_RATES, TEMPERATURES
    )
    assert sorted(found) == sorted(wanted)


def test_the_grid_of_reinmax_cv_has_the_optimiser_and_lr_of_reinmax() -> None:
    keys = ("estimator", "latent", "optimizer", "lr", "temperature", "eta")
    found = [settings(cell, *keys) for cell in cells("grid-reinmax-cv")]
    of_reinmax = {
        line.latent: (line.optimizer, line.lr)
        for line in published.hyperparameters()
        if line.estimator == "reinmax"
    }
    assert set(of_reinmax) == set(PAPER_LATENTS)
    wanted = [
        ("reinmax_cv", latent, *of_reinmax[latent], temperature, eta)
        for latent, temperature, eta in itertools.product(PAPER_LATENTS, TEMPERATURES, ETAS)
    ]
    assert sorted(found) == sorted(wanted)


def test_paper_is_the_two_grids_and_the_baselines_of_the_printed_results() -> None:
    baselines = {"stgs", "gumbel_rao", "st", "gst", "reinmax"}
    printed = {cell.hash for cell in cells("table2") if cell.estimator in baselines and not cell.note}
    grids = {cell.hash for name in ("grid-reinmax-rao", "grid-reinmax-cv") for cell in cells(name)}
    assert len(printed) == 30
    assert {cell.hash for cell in cells("paper")} == printed | grids


def test_the_cells_that_were_selected_lie_in_the_grids_they_were_selected_from() -> None:
    table = table_5(with_corrections=True)
    for latent in PAPER_LATENTS:
        optimizer, lr, temperature, _ = table["reinmax_rao", latent]
        assert optimizer in ("adam", "radam")
        assert lr in LEARNING_RATES
        assert temperature in TEMPERATURES
        assert table["reinmax_cv", latent][3] in ETAS


@pytest.mark.parametrize("preset", ["catlog-figure1", "catlog-figure1-smoke"])
def test_catlog_figure1_gives_indecater_one_sample_and_the_others_a_thousand(preset: str) -> None:
    budgets = {(cell.estimator, cell.latent, cell.params["num_samples"]) for cell in cells(preset)}
    assert budgets == {
        (estimator, latent, count)
        for latent in ("3x12", "10x6", "100x3")
        for estimator, count in (
            ("indecater", "1"),
            ("reinforce", "1000"),
            ("rloo", "1000"),
            ("stgs", "1000"),
        )
    }
    assert {cell.params.get("temperature") for cell in cells(preset)} == {None, "1.0"}


@pytest.mark.parametrize(("preset", "iterations"), [("catlog-figure2", 2000), ("catlog-figure2-smoke", 200)])
def test_catlog_figure2_has_the_paper_s_budgets_learning_rates_and_temperatures(
    preset: str, iterations: int
) -> None:
    own = ("estimator", "latent", "num_samples", "lr", "optimizer")
    assert [settings(cell, *own) for cell in cells(preset)] == [
        ("indecater", "2x200", "2", "5.0", "rmsprop"),
        ("rloo", "2x200", "800", "5.0", "rmsprop"),
        ("rloo", "2x200", "2", "1.0", "rmsprop"),
        ("stgs", "2x200", "800", "0.01", "rmsprop"),
    ]
    annealed = cells(preset)[-1].params
    assert (annealed["temperature"], annealed["temperature_decay"]) == ("0.1", "0.05")
    assert int(annealed["epochs"]) * int(annealed["iterations_per_epoch"]) == iterations
    assert annealed["iterations_per_epoch"] == "20"


BUDGETS = [
    ("indecater", "2x200", "2", "0.0001", "adam", "100"),
    ("rloo", "2x200", "2", "0.0001", "adam", "100"),
    ("rloo", "2x200", "800", "0.0001", "adam", "100"),
    ("stgs", "2x200", "2", "0.0001", "adam", "100"),
    ("stgs", "2x200", "800", "0.0001", "adam", "100"),
]


@pytest.mark.parametrize(("name", "dataset"), FIGURE_3)
def test_catlog_figure3_has_the_paper_s_budgets_on_each_data_set(name: str, dataset: str) -> None:
    own = ("estimator", "latent", "num_samples", "lr", "optimizer", "batch_size")
    preset = cells(f"catlog-figure3-{name}")
    assert sorted(settings(cell, *own) for cell in preset) == sorted(BUDGETS)
    assert {cell.params["dataset"] for cell in preset} == {dataset}
    annealed = [cell for cell in preset if "temperature" in cell.params]
    assert {cell.estimator for cell in annealed} == {"stgs"}
    schedule = ("temperature", "temperature_decay", "temperature_floor")
    assert {settings(cell, *schedule) for cell in annealed} == {("1.0", "0.01", "0.1")}


@pytest.mark.parametrize(("name", "dataset"), FIGURE_3)
def test_catlog_figure3_smoke_has_the_small_budgets_and_trains_them_longer(name: str, dataset: str) -> None:
    own = ("estimator", "latent", "num_samples", "lr", "optimizer", "batch_size")
    preset = cells(f"catlog-figure3-{name}-smoke")
    assert [settings(cell, *own) for cell in preset] == [one for one in BUDGETS if one[2] == "2"]
    epochs = {cell.estimator: int(cell.params["epochs"]) for cell in preset}
    assert epochs["rloo"] == epochs["stgs"] == 25 * epochs["indecater"]
    assert {cell.params["dataset"] for cell in preset} == {dataset}


def test_catlog_figure4_gives_rloo_f_as_many_evaluations_as_indecater_has() -> None:
    found = {
        settings(cell, "estimator", "latent", "num_samples", "lr", "batch_size")
        for cell in cells("catlog-figure4")
    }
    wanted = set()
    for num_digits in (4, 8, 12, 16):
        for estimator, num_samples in (
            ("indecater", 10),
            ("indecater_per_variable", 10),
            ("rloo", 10),
            ("rloo", 10 * num_digits * 10),
        ):
            wanted.add((estimator, f"10x{num_digits}", str(num_samples), "0.001", "10"))
    assert found == wanted
