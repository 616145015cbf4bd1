from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from sweep.execution.cell_runs import cell_name, cell_values
from tests.sweep.samples import Driver, metrics_of, record, spec_of
from trainables.task_registry import TASKS

TRAINING_METRICS = TASKS["mnist_vae"].metrics


def test_means_and_deviations_are_those_of_the_seeds() -> None:
    metrics = cell_values([metrics_of(value) for value in (100.0, 104.0, 102.0)])
    expected = {"num_seeds": 3.0}
    for offset, name in enumerate(TRAINING_METRICS):
        expected |= {f"{name}_mean": 102.0 + offset, f"{name}_std": 2.0}  # ddof=1: sqrt((4 + 4 + 0) / 2)
    assert metrics == pytest.approx(expected)


def test_one_seed_has_a_mean_and_no_deviation() -> None:
    values = cell_values([metrics_of(100.0)])
    assert set(values) == {"num_seeds", *(f"{name}_mean" for name in TRAINING_METRICS)}
    assert (values["num_seeds"], values["test_neg_elbo_mean"]) == (1, 103.0)


def test_no_seed_has_neither() -> None:
    assert cell_values([]) == {"num_seeds": 0}


def test_a_metric_that_a_run_lacks_is_averaged_over_the_others() -> None:
    values = cell_values([{"test_neg_elbo": 100.0}, metrics_of(100.0)])
    assert values["test_neg_elbo_mean"] == pytest.approx((100 + 103) / 2)
    assert values["train_neg_elbo_mean"] == 100.0
    assert "train_neg_elbo_std" not in values


def test_a_cell_is_named_by_what_tells_it_from_others() -> None:
    blocks = ({"temperature": 1.3}, {"estimator": "reinmax_cv", "optimizer": "radam", "eta": 1.5})
    assert [cell_name(request.cell) for request in spec_of(*blocks).requests()] == [
        "st 8x4 adam lr=0.0005 τ=1.3",
        "reinmax_cv 8x4 radam lr=0.0005 τ=1.0 η=1.5",
    ]


def test_the_store_holds_the_means_of_what_has_finished(drive: Callable[..., Driver]) -> None:
    driver = drive(spec_of(seeds=3))
    driver.train_all({0: 100.0, 1: 104.0, 2: 102.0})
    (run,) = driver.runs("tags.`catsweep.kind` = 'cell'")
    assert run.data.metrics == pytest.approx(
        {"num_seeds": 3}
        | {f"{name}_mean": 102.0 + offset for offset, name in enumerate(TRAINING_METRICS)}
        | dict.fromkeys((f"{name}_std" for name in TRAINING_METRICS), 2.0)
    )


def test_the_last_means_are_the_ones_shown_where_the_clock_jumps_back(
    drive: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = drive(spec_of(seeds=2))
    times = iter((2_000_000_000_000, 1_900_000_000_000))
    for value, pack in zip((100.0, 104.0), driver.plan.packs, strict=True):
        now = next(times)
        monkeypatch.setattr("sweep.execution.tracking._now_ms", lambda now=now: now)
        driver.train(pack, record(1, value), record(2, value))
        driver.tracker.flush()
    (run,) = driver.runs("tags.`catsweep.kind` = 'cell'")
    assert (run.data.metrics["num_seeds"], run.data.metrics["test_kl_mean"]) == (2, 107.0)


def test_means_grow_with_every_pack_that_finishes(drive: Callable[..., Driver]) -> None:
    driver = drive(spec_of(seeds=2))
    history = "select value from metrics where key = 'num_seeds' order by timestamp, value"
    for count, pack in enumerate(driver.plan.packs, start=1):
        driver.train(pack, record(1, 110.0), record(2, 100.0))
        driver.tracker.flush()
        assert driver.rows(history) == [(float(one),) for one in range(1, count + 1)]
    assert count == 2


def test_members_that_diverged_are_missing_in_the_means(drive: Callable[..., Driver]) -> None:
    driver = drive(spec_of(seeds=3))
    driver.train_all({0: 100.0, 1: None, 2: 102.0})
    for again in (driver, drive(spec_of(seeds=3))):
        (run,) = again.runs("tags.`catsweep.kind` = 'cell'")
        assert run.data.metrics["num_seeds"] == 2
        assert run.data.metrics["train_neg_elbo_mean"] == 101.0
        assert run.data.metrics["train_neg_elbo_std"] == pytest.approx(math.sqrt(2))


def test_finished_members_of_another_sweep_are_in_the_means(drive: Callable[..., Driver]) -> None:
    drive(spec_of(name="first", seeds=2)).train_all({0: 100.0, 1: 104.0})
    second = drive(spec_of(name="second", seeds=3))
    (run,) = second.runs("tags.`catsweep.kind` = 'cell'")
    assert (run.data.metrics["num_seeds"], run.data.metrics["test_neg_elbo_mean"]) == (2, 105.0)
    second.train_all({2: 102.0})
    (run,) = second.runs("tags.`catsweep.kind` = 'cell'")
    assert (run.data.metrics["num_seeds"], run.data.metrics["test_neg_elbo_mean"]) == (3, 105.0)


def test_with_fewer_seeds_what_is_undefined_gives_way_and_nothing_is_written_twice(
    drive: Callable[..., Driver],
) -> None:
    drive(spec_of(seeds=2)).train_all({0: 100.0, 1: 104.0})
    for _ in range(2):
        driver = drive(spec_of(seeds=1))
        (run,) = driver.runs("tags.`catsweep.kind` = 'cell'")
        assert (run.data.metrics["num_seeds"], run.data.metrics["train_neg_elbo_mean"]) == (1, 100.0)
        assert math.isnan(run.data.metrics["train_neg_elbo_std"])
        assert driver.rows("select count(*) from metrics where key = 'num_seeds'") == [(2,)]


def test_a_cell_has_one_run_however_often_the_sweep_is_opened(drive: Callable[..., Driver]) -> None:
    spec = spec_of({"lr": [0.001, 0.002, 0.003]})
    ids = []
    for _ in range(2):
        driver = drive(spec)
        driver.train_all({0: 100.0, 1: 104.0})
        ids.append(sorted(run.info.run_id for run in driver.runs("tags.`catsweep.kind` = 'cell'")))
    assert ids[0] == ids[1]
    assert len(ids[0]) == 3


def test_a_cell_has_a_run_from_its_first_member_on(drive: Callable[..., Driver]) -> None:
    driver = drive(spec_of())
    query = "tags.`catsweep.kind` = 'cell'"
    assert driver.runs(query) == []
    driver.tracker.start(driver.plan.packs[0])
    assert [run.data.params for run in driver.runs(query)] == [driver.plan.requests[0].cell.params]


def test_what_is_no_number_counts_in_no_mean() -> None:
    values = cell_values(
        [{"gradient_variance": math.inf}, {"gradient_variance": 2.0}, {"gradient_variance": math.nan}]
    )
    assert values == {"num_seeds": 3, "gradient_variance_mean": 2.0}


def test_a_name_holds_what_is_at_no_default() -> None:
    spec = spec_of({"estimator": "reinmax_rao", "num_mc_samples": [100, 7]}, {"encoder": [64]}, batch_size=50)
    names = [cell_name(request.cell) for request in spec.requests()]
    assert names == [
        "reinmax_rao 8x4 adam lr=0.0005 τ=1.0 batch_size=50",
        "reinmax_rao 8x4 adam lr=0.0005 τ=1.0 K=7 batch_size=50",
        "st 8x4 adam lr=0.0005 τ=1.0 batch_size=50 encoder=64",
    ]
