from __future__ import annotations

import os
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from pydantic import ValidationError

from analysis.figures.choice import Choice
from analysis.figures.files import write_files
from sweep.spec import limits
from sweep.spec.block import Block
from sweep.spec.file import load_spec, preset_names
from sweep.spec.sweep_spec import Spec
from tests.sweep.samples import BLOCK, spec_of
from trainables.atomic_file import write_atomically
from trainables.schema import Cell
from trainables.task_registry import TASKS


def params_of(*names: str, spec: Spec) -> list[tuple[str, ...]]:
    return [tuple(request.cell.params[name] for name in names) for request in spec.requests()]


def message(*blocks: dict[str, object], **changes: object) -> str:
    with pytest.raises(ValidationError) as caught:
        spec_of(*blocks, **changes)
    (problem,) = caught.value.errors()
    return str(problem.get("ctx", {}).get("error", problem["msg"]))


def test_lists_of_a_block_multiply_the_last_one_fastest() -> None:
    spec = spec_of({"estimator": ["st", "reinmax"], "lr": [0.001, 0.0005], "temperature": [0.5, 1.3]})
    assert params_of("estimator", "lr", "temperature", spec=spec) == [
        (estimator, lr, temperature)
        for estimator in ("st", "reinmax")
        for lr in ("0.001", "0.0005")
        for temperature in ("0.5", "1.3")
    ]


def test_blocks_join_in_their_order_and_a_cell_of_both_is_there_once() -> None:
    spec = spec_of({"lr": [0.003, 0.001]}, {"lr": [0.001, 0.002]})
    assert params_of("lr", spec=spec) == [("0.003",), ("0.001",), ("0.002",)]


def test_a_number_in_two_forms_is_one_cell() -> None:
    spec = spec_of({"lr": ["5e-4", 0.0005, "0.00050"], "temperature": [1, 1.0, "1"]})
    assert params_of("lr", "temperature", spec=spec) == [("0.0005", "1.0")]


def test_hyperparameters_left_out_are_stated_at_their_defaults() -> None:
    names = ["st", "gst", "gumbel_rao", "reinmax_cv", "reinmax_rk2", "rloo"]
    spec = spec_of({"estimator": names})
    own = ("temperature", "eta", "beta", "num_mc_samples", "gap", "num_samples")
    stated = [
        {name: request.cell.params[name] for name in own if name in request.cell.params}
        for request in spec.requests()
    ]
    assert stated == [
        {"temperature": "1.0"},
        {"temperature": "1.0", "gap": "1.0"},
        {"temperature": "1.0", "num_mc_samples": "100"},
        {"temperature": "1.0", "eta": "1.0", "num_mc_samples": "100"},
        {"beta": "0.5"},
        {"num_samples": "2"},
    ]


def test_a_stated_default_and_one_left_out_are_the_same_cell() -> None:
    left_out, stated = (
        spec_of({"estimator": "gst"}),
        spec_of({"estimator": "gst", "gap": 1, "temperature": 1}),
    )
    assert left_out.requests() == stated.requests()


def test_a_cell_has_every_param_of_the_spec() -> None:
    (request,) = spec_of({"optimizer": "radam"}, epochs=7, batch_size=50, dataset="omniglot").requests()
    assert request.cell == Cell.from_params(
        {
            "task": "mnist_vae",
            "task_version": 1,
            "dataset": "omniglot",
            "estimator": "st",
            "categorical_dim": 8,
            "latent_dim": 4,
            "optimizer": "radam",
            "lr": 0.0005,
            "temperature": 1,
            "batch_size": 50,
            "epochs": 7,
        }
    )


@pytest.mark.parametrize(("given", "seeds"), [(3, (0, 1, 2)), (1, (0,)), ([3], (3,)), ([7, 2], (7, 2))])
def test_seeds_are_a_count_from_0_or_a_list(given: object, seeds: tuple[int, ...]) -> None:
    assert [request.seeds for request in spec_of(seeds=given).requests()] == [seeds]


def test_an_ordinary_cell_wins_over_the_same_cell_with_a_note() -> None:
    noted, plain = {"note": "as printed", "lr": [0.001, 0.002]}, {"lr": 0.001}
    for blocks in ((noted, plain), (plain, noted)):
        notes = {request.cell.params["lr"]: request.cell.note for request in spec_of(*blocks).requests()}
        assert notes == {"0.001": "", "0.002": "as printed"}


def test_resources_default_to_one_core_and_to_gpus_where_there_are_any() -> None:
    resources = spec_of().resources
    assert (resources.cpus, resources.gpus, resources.members_per_pack) == (1, (None,), None)
    assert (resources.is_open, resources.share) == (True, 0.0)
    assert spec_of(resources={"gpus": "auto"}).resources == resources
    assert spec_of(resources={"gpus": ["auto", 0]}).resources.gpus == (None, 0.0)
    assert [kind.share for kind in spec_of(resources={"gpus": [0.5, 0]}).resources.kinds] == [0.5, 0.0]
    assert spec_of(resources={"members_per_pack": "auto"}).resources.members_per_pack is None
    assert spec_of(resources={"members_per_pack": 5, "gpus": "0.25"}).resources.members_per_pack == 5


def test_pack_size_is_measured_only_on_a_gpu_and_only_where_left_open() -> None:
    assert not spec_of().resources.is_pack_size_measured
    assert not spec_of(resources={"gpus": 1, "members_per_pack": 5}).resources.is_pack_size_measured
    assert spec_of(resources={"gpus": 0.5}).resources.is_pack_size_measured


def test_precision_is_a_param_of_its_own_only_where_it_is_not_the_default() -> None:
    plain, rounded = spec_of(), spec_of(precision="tf32", resources={"gpus": 1})
    stated = spec_of(precision="float32")
    assert "precision" not in plain.requests()[0].cell.params
    assert stated.requests() == plain.requests()
    assert rounded.requests()[0].cell.params["precision"] == "tf32"
    assert rounded.requests()[0].cell.hash != plain.requests()[0].cell.hash


@pytest.mark.parametrize("value", [0, -0.1, "fast", True, None, [], {}, float("nan"), float("inf"), 10**400])
def test_a_learning_rate_is_a_positive_number(value: object) -> None:
    assert message({"lr": [value]}).startswith("lr must be ")


@pytest.mark.parametrize("value", ["8by4", "8x", "x4", "8x4x2", "0x4", "08x4", "8 x 4", "8X4", 84, True])
def test_a_latent_is_categories_x_variables(value: object) -> None:
    rule = "latent must be categories x variables, such as 8x4"
    assert message({"latent": value}) == f"{rule}, got {value!r}"


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("1x1", "latent must have at least 2 categories, got '1x1'"),
        ("1x30", "latent must have at least 2 categories, got '1x30'"),
        ("1000001x4", "latent must have at most 1,000,000 categories, got '1000001x4'"),
        ("8x10000000", "latent must have at most 1,000,000 variables, got '8x10000000'"),
        (
            f"8x{'9' * 5000}",
            f"latent must have at most 1,000,000 variables, got '8x{57 * '9'}... (5004 characters)",
        ),
    ],
)
def test_a_latent_has_more_than_one_state_and_no_more_than_can_be(value: str, rule: str) -> None:
    assert message({"latent": value}) == rule


def test_a_latent_of_too_many_states_is_refused_where_they_are_enumerated() -> None:
    rule = "latent must have at most 16384 states for exact, which enumerates them, and {} has {}, got {!r}"
    for latent, states in (("4x24", "4^24"), ("2x15", "2^15"), ("64x1000000", "64^1000000")):
        block = {"estimator": ["st", "exact"], "latent": ["8x4", latent]}
        assert message(block) == rule.format(latent, states, latent)
    spec_of({"estimator": ["st", "exact"], "latent": ["8x4", "2x14", "16384x1"]})
    spec_of({"estimator": "indecater", "latent": "64x1000000"})


@pytest.mark.parametrize("name", ["disarm", "arm", "arms"])
def test_other_than_two_categories_are_refused_where_variables_are_binary(name: str) -> None:
    rule = f"latent must have 2 categories for {name}, such as 2x4, got '8x4'"
    assert message({"estimator": ["rloo", name], "latent": ["2x8", "8x4"]}) == rule
    spec_of({"estimator": name, "latent": "2x200"})


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"temperature": 0}, "temperature must be > 0, got 0"),
        ({"temperature": -1}, "temperature must be > 0, got -1"),
        ({"temperature": "hot"}, "temperature must be a number, got 'hot'"),
        ({"temperature": float("nan")}, "temperature must be finite, got nan"),
        ({"temperature": ".inf"}, "temperature must be a number, got '.inf'"),
        ({"temperature": float("inf")}, "temperature must be finite, got inf"),
        ({"lr": 10**400}, "lr must be a number, got 1" + 59 * "0" + "... (401 characters)"),
        ({"lr": float("inf")}, "lr must be finite, got inf"),
        (
            {"estimator": "gumbel_rao", "num_mc_samples": 10**23},
            f"num_mc_samples must be at most 1,000,000, got {10**23}",
        ),
        ({"estimator": "rloo", "num_samples": 2**63}, f"num_samples must be at most 1,000,000, got {2**63}"),
        ({"estimator": "reinmax_cv", "eta": "inf"}, "eta must be finite, got 'inf'"),
        ({"estimator": "gst", "gap": -0.1}, "gap must be >= 0, got -0.1"),
        (
            {"estimator": "gumbel_rao", "num_mc_samples": 2.5},
            "num_mc_samples must be an integer >= 1, got 2.5",
        ),
        ({"estimator": "reinmax_rk2", "beta": "nan"}, "beta must be finite, got 'nan'"),
        ({"estimator": "rloo", "num_samples": 0}, "num_samples must be an integer >= 1, got 0"),
        (
            {"estimator": ["reinforce", "rloo"], "num_samples": [2, 1]},
            "num_samples must be an integer >= 2 for rloo, got 1.0",
        ),
        ({"gap": 1.0}, "gap must be left out: st takes only temperature, got [1.0]"),
        (
            {"estimator": "exact", "latent": "2x4", "temperature": 1},
            "temperature must be left out: exact takes none, got [1.0]",
        ),
        (
            {"estimator": ["reinmax_rao", "reinmax"], "num_mc_samples": 10},
            "num_mc_samples must be left out: reinmax takes only temperature, got [10.0]",
        ),
    ],
)
def test_a_hyperparameter_keeps_the_rule_of_its_estimator(block: dict[str, object], expected: str) -> None:
    assert message(block) == expected


def test_eta_may_be_negative_where_there_is_one() -> None:
    (request,) = spec_of({"estimator": "reinmax_cv", "eta": -0.5}).requests()
    assert request.cell.params["eta"] == "-0.5"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"seeds": [0, 1, 1, 0]}, "seeds must differ, but 0, 1 occurs twice, got [0, 1, 1, 0]"),
        ({"seeds": 0}, "seeds must be a count >= 1 or a list of seeds, got 0"),
        ({"seeds": []}, "seeds must be a count >= 1 or a list of seeds, got []"),
        ({"seeds": True}, "seeds must be a count >= 1 or a list of seeds, got True"),
        ({"seeds": [0, -1]}, "a seed must be an integer from 0 to 2^63 - 1, got -1"),
        ({"seeds": [0, 1.0]}, "a seed must be an integer from 0 to 2^63 - 1, got 1.0"),
        ({"seeds": [2**63]}, f"a seed must be an integer from 0 to 2^63 - 1, got {2**63}"),
        ({"seeds": 100_001}, "seeds must be at most 100,000, got 100001"),
        ({"seeds": 10**5000}, "seeds must be at most 100,000, got more than 4300 digits"),
        ({"epochs": 10**23}, f"epochs must be at most 1,000,000, got {10**23}"),
        (
            {"batch_size": 60_001},
            "batch_size must be at most 60,000, as many images as mnist has to train on, got 60001",
        ),
        (
            {"batch_size": 19_281, "dataset": "omniglot"},
            "batch_size must be at most 19,280, as many images as omniglot has to train on, got 19281",
        ),
        (
            {"batch_size": "9" * 5000},
            f"batch_size must be at most 1,000,000, got '{59 * '9'}... (5002 characters)",
        ),
        ({"resources": {"cpus": 10**23}}, f"cpus must be at most 1,000,000, got {10**23}"),
        ({"resources": {"gpus": float("inf")}}, "gpus must be finite, got inf"),
        ({"name": "a" * 129}, f"name must have at most 128 characters, not 129, got {'a' * 129!r}"),
        ({"epochs": 0}, "epochs must be an integer >= 1, got 0"),
        ({"epochs": "3"}, "epochs must be an integer >= 1, got '3'"),
        ({"batch_size": 2.5}, "batch_size must be an integer >= 1, got 2.5"),
        ({"name": "a b"}, "name must consist of letters, digits, '.', '_' and '-', got 'a b'"),
        ({"name": "../up"}, "name must consist of letters, digits, '.', '_' and '-', got '../up'"),
        ({"task": "mnist"}, f"task must be one of {', '.join(TASKS)}, got 'mnist'"),
        ({"resources": {"cpus": 0}}, "cpus must be an integer >= 1, got 0"),
        ({"resources": {"gpus": -1}}, "gpus must be >= 0, got -1"),
        ({"resources": {"gpus": []}}, "gpus must not be an empty list, got []"),
        (
            {"resources": {"gpus": ["auto", "auto"]}},
            "gpus must be a list without repetitions, got ['auto', 'auto']",
        ),
        (
            {"precision": "tf32", "resources": {"gpus": 0}},
            "precision must be float32 where resources.gpus is 0, got 'tf32'",
        ),
        ({"precision": "bf16"}, "precision must be one of float32, tf32, got 'bf16'"),
        ({"resources": {"members_per_pack": 0}}, "members_per_pack must be an integer >= 1, got 0"),
    ],
)
def test_a_bad_value_is_named_with_its_rule(change: dict[str, object], expected: str) -> None:
    assert message(**change) == expected


def test_a_spec_cannot_be_changed() -> None:
    spec = spec_of()
    with pytest.raises(ValidationError):
        spec.epochs = 3  # type: ignore[misc]
    assert BLOCK["lr"] == spec.grid[0].lr[0]


EVERY_COUNT = {
    "epochs": {"epochs": 2**63},
    "iterations_per_epoch": {"task": "synthetic_optimisation", "iterations_per_epoch": 2**63},
    "draws": {"task": "bernoulli_vae", "measure": {"draws": 2**63}},
    "num_samples": {"grid": [{**BLOCK, "num_samples": 2**63}]},
    "num_mc_samples": {"grid": [{**BLOCK, "estimator": "reinmax_rao", "num_mc_samples": 2**63}]},
    "cpus": {"resources": {"cpus": 2**63}},
    "members_per_pack": {"resources": {"members_per_pack": 2**63}},
    "trials": {"search": {"kind": "optuna", "trials": 2**63}},
    "concurrency": {"search": {"kind": "optuna", "trials": 1, "concurrency": 2**63}},
    "reduction_factor": {
        "search": {
            "kind": "optuna",
            "trials": 1,
            "early_stopping": {"kind": "asha", "grace_epochs": 1, "reduction_factor": 2**63},
        }
    },
    "grace_epochs": {
        "search": {"kind": "optuna", "trials": 1, "early_stopping": {"kind": "asha", "grace_epochs": 2**63}}
    },
}


@pytest.mark.parametrize(("name", "change"), EVERY_COUNT.items(), ids=EVERY_COUNT)
def test_no_count_is_larger_than_a_million(name: str, change: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        Spec.model_validate({"name": "small", "epochs": 2, "seeds": 2, "grid": [BLOCK], **change})
    assert f"{name} must be at most 1,000,000, got {2**63}" in str(caught.value)


def test_a_seed_of_a_sampler_may_be_any_that_a_generator_takes() -> None:
    search = {"kind": "optuna", "trials": 1, "seed": 2**63 - 1}
    assert spec_of(search=search).search.seed == 2**63 - 1
    assert message(search={**search, "seed": 2**63}).startswith(
        "seed must be at most 9,223,372,036,854,775,807"
    )


def test_many_seeds_are_checked_for_repetitions_in_no_time() -> None:
    assert len(spec_of(seeds=list(range(50_000))).seeds) == 50_000  # one by one it would be billions of steps


def test_members_are_counted_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Block, "settings", lambda *words: pytest.fail("cells were made"))
    lrs, temperatures = [1e-3 + index * 1e-6 for index in range(1000)], [1 + index for index in range(1000)]
    assert message({"lr": lrs, "temperature": temperatures}, seeds=3) == (
        "grid must have at most 100,000 cells and ask for as many members, not 1,000,000 cells and 3,000,000 "
        "members; split it into several specs, which may share a home"
    )
    search = {"kind": "optuna", "trials": 2}
    assert (
        spec_of({"lr": lrs, "temperature": temperatures[:100]}, seeds=3, search=search).num_cells == 100_000
    )


@pytest.mark.parametrize("preset", preset_names())
def test_cells_are_counted_as_they_are_made(preset: str) -> None:
    spec = load_spec(preset)
    cells = [cell for block in spec.grid for cell in spec.cells_of(block)]
    assert spec.num_cells == len(cells)


def test_a_batch_of_sums_takes_an_image_for_each_digit() -> None:
    block = {"estimator": "rloo", "latent": ["10x4", "10x7"]}
    rule = "batch_size must be at most 8,571, as many examples of 7 images as mnist has to train on, got 8572"
    assert message(block, task="mnist_addition", batch_size=8572) == rule
    spec_of(block, task="mnist_addition", batch_size=8571)


def test_epochs_to_measure_after_fit_into_a_param_which_mlflow_would_cut() -> None:
    judged = {"task": "gradient_quality", "epochs": 1448}
    measured = list(range(1, 1449))
    assert message(**judged, measure={"epochs": measured}).startswith(
        "epochs to measure after must take at most 6,000 characters, joined by commas, and these 1,448 take "
        "6,132; measure after fewer, got [1, 2, 3, "
    )
    (request,) = spec_of(**judged, measure={"epochs": measured[50:]}).requests()
    assert 5900 < len(request.cell.params["measured_epochs"]) <= limits.MAX_PARAM_LENGTH


def test_limits_are_those_of_mlflow() -> None:
    from mlflow.store.tracking.dbmodels.models import SqlExperiment
    from mlflow.utils import validation

    assert validation.MAX_PARAM_VAL_LENGTH == limits.MAX_PARAM_LENGTH
    assert validation.MAX_TAG_VAL_LENGTH == limits.MAX_NOTE_LENGTH
    length = SqlExperiment.__table__.c.name.type.length
    assert length >= limits.MAX_NAME_LENGTH


def test_what_is_named_after_a_sweep_fits_into_a_file_system(tmp_path: Path) -> None:
    name = "a" * limits.MAX_NAME_LENGTH
    metrics = TASKS["gradient_quality"].metrics
    pair = sorted(metrics, key=len)[-2:]
    longest = Choice(tuple(pair), ("temperature_decay", "temperature_floor")).name
    write_files({f"{name}-{longest}": Figure()}, tmp_path, ["pdf"])
    write_atomically(tmp_path / f"{name}-{longest}.pdf", b"")
    assert max(len(path.name.encode()) for path in tmp_path.rglob("*")) <= os.pathconf(
        tmp_path, "PC_NAME_MAX"
    )


@pytest.mark.parametrize("character", ["\x1b", "\x00", "\x9b", "\u202e", "\ud800"])
def test_a_note_has_no_control_characters_and_fits_into_a_tag(character: str) -> None:
    assert (
        message({"note": f"a{character}b"})
        == f"note must be without control characters, got {f'a{character}b'!r}"
    )
    assert message({"note": "a" * 8001}).startswith(
        "note must have at most 8,000 characters, not 8,001, got 'aaa"
    )
