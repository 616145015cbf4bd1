from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from sweep.spec.file import SpecError, load_spec
from sweep.spec.sweep_spec import Search
from tests.sweep.samples import SPEC_TEXT, spec_of

OPTUNA = "search:\n  kind: optuna\n  trials: 3\n"
TRAINING_METRICS = "train_neg_elbo, train_recon, train_kl, test_neg_elbo, test_recon, test_kl"
WHERE = "where search.kind is optuna"
ASHA = "  early_stopping:\n    kind: asha\n"


def message(added: str, epochs: int = 20) -> str:
    Path("grid.yaml").write_text(SPEC_TEXT.replace("epochs: 2", f"epochs: {epochs}") + added)
    with pytest.raises(SpecError) as caught:
        load_spec("grid.yaml")
    return str(caught.value)


def test_a_search_is_read_with_its_defaults() -> None:
    Path("grid.yaml").write_text(SPEC_TEXT + OPTUNA)
    search = load_spec("grid.yaml").search
    assert not search.is_grid
    assert search == Search(
        kind="optuna", sampler="tpe", trials=3, metric="train_neg_elbo", seed=0, concurrency=None
    )
    assert search.early_stopping is None


def test_early_stopping_is_read_with_its_default() -> None:
    Path("grid.yaml").write_text(
        SPEC_TEXT.replace("epochs: 2", "epochs: 20") + OPTUNA + ASHA + "    grace_epochs: 10\n"
    )
    stopping = load_spec("grid.yaml").search.early_stopping
    assert stopping is not None
    assert (stopping.kind, stopping.grace_epochs, stopping.reduction_factor) == ("asha", 10, 3)


def test_a_spec_without_a_search_is_a_grid() -> None:
    assert spec_of().search.is_grid
    assert spec_of().search.num_trials == 0


@pytest.mark.parametrize("metric", ["train_kl", "test_neg_elbo", "test_recon"])
def test_every_metric_in_nats_may_be_searched_for(metric: str) -> None:
    spec = spec_of(search={"kind": "optuna", "trials": 1, "metric": metric})
    assert spec.search.metric == metric


@pytest.mark.parametrize(
    ("added", "line", "expected"),
    [
        ("search: {kind: optna}\n", 8, "kind must be one of grid, optuna, got 'optna'; nearest: optuna"),
        ("search: {kind: optuna}\n", 8, f"trials must be an integer >= 1 {WHERE}, got None"),
        (OPTUNA.replace("3", "0"), 10, "trials must be an integer >= 1, got 0"),
        (OPTUNA.replace("3", "many"), 10, "trials must be an integer >= 1, got 'many'"),
        (OPTUNA + "  sampler: tp\n", 11, "sampler must be one of tpe, random, got 'tp'; nearest: tpe"),
        (
            OPTUNA + "  metric: train_elbo\n", 11,
            f"metric must be one of {TRAINING_METRICS}, got 'train_elbo'; nearest: train_neg_elbo",
        ),
        (
            OPTUNA + "  metric: epoch_seconds\n", 11,
            f"metric must be one of {TRAINING_METRICS}, got 'epoch_seconds'; nearest: test_recon",
        ),
        (OPTUNA + "  seed: -1\n", 11, "seed must be an integer >= 0, got -1"),
        (OPTUNA + "  concurrency: 0\n", 11, "concurrency must be an integer >= 1, got 0"),
        (OPTUNA + "  samplers: tpe\n", 11, "unknown key 'samplers'; nearest: sampler"),
        (OPTUNA + ASHA, 11, "grace_epochs must be given"),
        (OPTUNA + ASHA + "    grace_epochs: 0\n", 13, "grace_epochs must be an integer >= 1, got 0"),
        (
            OPTUNA + ASHA + "    grace_epochs: 20\n", 13,
            "early_stopping.grace_epochs must be less than epochs, 20, got 20",
        ),
        (
            OPTUNA + ASHA + "    grace_epochs: 5\n    reduction_factor: 1\n", 14,
            "reduction_factor must be an integer >= 2, got 1",
        ),
        (
            OPTUNA + ASHA.replace("asha", "hyperband") + "    grace_epochs: 5\n", 12,
            "kind must be one of asha, got 'hyperband'; allowed: asha",
        ),
        (OPTUNA + ASHA + "    grace_epoch: 5\n    grace_epochs: 5\n", 13,
         "unknown key 'grace_epoch'; nearest: grace_epochs"),
        ("search: {trials: 3}\n", 8, "trials must be left out where search.kind is grid, got 3"),
        (
            "search:\n  kind: grid\n  early_stopping: {kind: asha, grace_epochs: 3}\n", 10,
            "early_stopping must be left out where search.kind is grid, "
            "got {'kind': 'asha', 'grace_epochs': 3}",
        ),
        (
            OPTUNA + "resources:\n  cpus: 1\n  members_per_pack: 2\n", 13,
            f"members_per_pack must be auto {WHERE}: the seeds of a cell are one pack, got 2",
        ),
    ],
)  # fmt: skip
def test_a_problem_names_the_line_the_rule_and_the_nearest_name(added: str, line: int, expected: str) -> None:
    assert message(added) == f"grid.yaml, line {line}: {expected}"


def test_members_per_pack_may_be_auto() -> None:
    spec = spec_of(search={"kind": "optuna", "trials": 1}, resources={"members_per_pack": "auto"})
    assert spec.resources.members_per_pack is None


def test_grace_epochs_are_not_compared_with_epochs_that_are_wrong_themselves() -> None:
    stopping = {"kind": "asha", "grace_epochs": 3}
    with pytest.raises(ValidationError) as caught:
        spec_of(epochs=0, search={"kind": "optuna", "trials": 1, "early_stopping": stopping})
    assert [error["loc"] for error in caught.value.errors()] == [("epochs",)]
