from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sweep.cluster.calibrate import calibrate
from sweep.home import Home, HomeError
from sweep.planning import calibration
from sweep.planning.calibration import kind_of, read_calibration
from sweep.planning.plan import Plan, make_plan
from sweep.spec.sweep_spec import Resources
from tests.sweep.samples import spec_of
from trainables.data import ImageDataset
from trainables.tasks.mnist_addition import MnistAdditionTrainer
from trainables.training.epochs import EpochSeconds

ONE_CORE = Resources()


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return Home.resolve(tmp_path / "home")


def plan_of(place: Home, *blocks: dict[str, object]) -> Plan:
    return make_plan(spec_of(*blocks), {}, place)


def noise(num_train: int) -> ImageDataset:
    images = np.random.default_rng(0).integers(0, 256, (num_train + 50, 784), dtype=np.uint8)
    labels = np.zeros(num_train + 50, dtype=np.uint8)
    return ImageDataset("mnist", images[:-50], labels[:-50], images[-50:], labels[-50:])


def test_a_kind_does_not_depend_on_what_costs_nothing(place: Home) -> None:
    kinds = {
        kind_of(member, 1)
        for changes in (
            {"lr": [0.1, 0.2], "temperature": [0.5, 1.0]},
            {"estimator": "reinmax"},
            {"latent": "4x24"},
            {"optimizer": "radam"},
        )
        for member in plan_of(place, changes).members
    }
    assert len(kinds) == 4


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The estimators of the packs that were measured; each takes 5 s an epoch."""
    estimators: list[str] = []

    def measure(members: list[dict[str, str]], dataset: object, resources: object) -> float:
        estimators.append(members[0]["estimator"])
        return 5.0

    monkeypatch.setattr("sweep.cluster.calibrate.seconds_per_epoch", measure)
    return estimators


def test_every_kind_is_measured_once_and_kept(place: Home, measured: list[str]) -> None:
    plan = plan_of(place, {"estimator": ["st", "reinmax"]})
    for _ in range(2):
        calibrate(plan.packs, noise(100), place, ONE_CORE)
    assert sorted(measured) == ["reinmax", "st"]
    kept = read_calibration(place)
    assert [dict(one) for one in kept.values()] == [{"this machine": 5.0}] * 2
    assert all(kind.endswith(" pack_size=1 cpus=1 gpus=0") for kind in kept)


def test_more_threads_and_other_places_are_measured_apart(place: Home, measured: list[str]) -> None:
    packs = plan_of(place).packs
    calibrate(packs, noise(100), place, ONE_CORE)
    calibrate(packs, noise(100), place, Resources(cpus=2))
    calibrate(packs, noise(100), place, ONE_CORE, where="the Ray cluster at auto")
    assert len(measured) == 3
    assert sorted(map(sorted, read_calibration(place).values())) == [
        ["the Ray cluster at auto", "this machine"],
        ["this machine"],
    ]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"kind": 5.0}', '{"kind": {"here": "fast"}}', '{"kind": null}', "5", "[" * 100_000],
)
def test_a_calibration_of_garbage_or_of_another_version_counts_as_none(text: str, place: Home) -> None:
    place.make_folders()
    place.calibration.write_text(text)
    assert read_calibration(place) == {}


@pytest.mark.parametrize("seconds", ["NaN", "Infinity", "-1"])
def test_seconds_that_no_epoch_takes_do_not_count(seconds: str, place: Home) -> None:
    place.make_folders()
    place.calibration.write_text(f'{{"kind": {{"here": {seconds}, "there": 5.0}}}}')
    assert read_calibration(place) == {"kind": {"there": 5.0}}


def test_a_measurement_that_the_home_does_not_take_is_one_line(place: Home, measured: list[str]) -> None:
    place.calibration.mkdir(parents=True)
    packs = make_plan(spec_of(), {}, place).packs
    with pytest.raises(HomeError, match=r"calibration.json cannot be written \(Is a directory\)"):
        calibrate(packs, noise(100), place, ONE_CORE)


def test_a_measurement_stands_for_the_whole_dataset(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "trainables.training.vae_trainer.VaeTrainer.time_epoch", lambda self: EpochSeconds(2.0, 0.5)
    )
    monkeypatch.setattr(calibration, "_WARM_UP_STEPS", 1)
    members = plan_of(place).packs[0].to_params()
    # 20 steps took 2 s, of 25 in an epoch; all of the 50 test images took 0.5 s.
    seconds = calibration.seconds_per_epoch(members, noise(2500), ONE_CORE)
    assert seconds == pytest.approx(25 * 2 / 20 + 0.5)


def test_steps_are_really_timed(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_WARM_UP_STEPS", "_TIMED_STEPS"):
        monkeypatch.setattr(calibration, name, 1)
    calibrate(plan_of(place).packs, noise(200), place, ONE_CORE)
    ((seconds,),) = (measured.values() for measured in read_calibration(place).values())
    assert 0.0001 < seconds < 60


def test_a_step_with_many_images_an_example_has_them_all(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def time_epoch(trainer: MnistAdditionTrainer) -> EpochSeconds:
        seen.append(len(trainer.data.images[0]))
        return EpochSeconds(2.0, 0.5)

    monkeypatch.setattr(MnistAdditionTrainer, "time_epoch", time_epoch)
    spec = spec_of({"estimator": "rloo", "latent": "10x40"}, task="mnist_addition")
    members = make_plan(spec, {}, place).packs[0].to_params()
    # 20 steps of 10 examples of 40 images took 2 s, of 50 in an epoch.
    seconds = calibration.seconds_per_epoch(members, noise(20_000), ONE_CORE)
    assert (seen, seconds) == ([1200, 8000], pytest.approx(50 * 2 / 20 + 0.5))


@pytest.mark.slow
def test_a_cluster_measures_on_a_node_of_its_own(place: Home) -> None:
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        where = f"the Ray cluster at {nodes.address}"
        calibrate(plan_of(place).packs, noise(200), place, ONE_CORE, nodes.address, where)
    finally:
        nodes.shutdown()
    (measured,) = json.loads(place.calibration.read_text()).values()
    assert list(measured) == [where]
    assert 0.0001 < measured[where] < 600
