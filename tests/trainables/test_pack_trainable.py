"""A trial, told what Tune would tell it, with checkpoints that something has happened to."""

from __future__ import annotations

import errno
import os
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainables.members import dataset, member, stand_in
from trainables.pack import Pack
from trainables.pack_trainable import OUTCOME, PACK, PICTURES, PLACE, RECORDS, WARNINGS, PackTrainable
from trainables.tasks.mnist_vae import DiscreteVaeTrainer
from trainables.training.checkpoint import CheckpointFolder
from trainables.training.training_data import TrainingData
from trainables.training_code import OtherCodeError, own_code

EPOCHS = 3
DATASET = dataset(200, 100)
TRAIN, TEST = DATASET.train_images, DATASET.test_images


class Trial:
    """A trial of a pack, made as a worker makes it but without one."""

    def __init__(self, folder: Path, *seeds: int) -> None:
        self.folder = folder
        self.pack = Pack(tuple(member(seed, epochs=EPOCHS) for seed in seeds or (0, 1)))
        self._trainable = PackTrainable.__new__(PackTrainable)
        config = {
            "members": self.pack.to_params(),
            "checkpoint_folder": str(folder),
            "num_threads": 1,
            "device": "cpu",
            "code": own_code(),
        }
        self._trainable.setup({PACK: config}, DATASET)

    def train(self, epochs: int = EPOCHS) -> list[dict[str, Any]]:
        results = []
        while len(results) < epochs and not (results and results[-1]["done"]):
            results.append(self._trainable.step())
        return results

    @property
    def parameters(self) -> torch.Tensor:
        return self._trainable._trainer.model.parameters


def epochs_in(result: dict[str, Any]) -> list[int]:
    return [record["epoch"] for record in result[RECORDS]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> torch.Tensor:
    """The parameters after a training to which nothing happens."""
    trial = Trial(tmp_path_factory.mktemp("whole"))
    results = trial.train()
    assert [epochs_in(result) for result in results] == [[1], [2], [3]]
    assert [result[WARNINGS] for result in results] == [[], [], []]
    return trial.parameters.clone()


@pytest.fixture(scope="module")
def after_two_epochs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two") / "pack"
    Trial(folder).train(2)
    return folder


@pytest.fixture
def interrupted(after_two_epochs: Path, tmp_path: Path) -> list[Path]:
    """The checkpoints of a pack of which two epochs are done, the newest last."""
    shutil.copytree(after_two_epochs, tmp_path / "pack")
    return sorted((tmp_path / "pack").glob("epoch-*.pt"))


def change(path: Path, **parts: Any) -> None:
    """Write a whole, sealed checkpoint with other parts; None leaves a part out."""
    content = torch.load(path, weights_only=True)
    state = {key: value for key, value in {**content, **parts}.items() if value is not None}
    CheckpointFolder(path.parent / "changed").save(state, state.get("epoch", 1))
    (changed,) = (path.parent / "changed").iterdir()
    changed.replace(path)
    changed.parent.rmdir()


def test_interrupted_training_goes_on_and_reports_all_again(
    interrupted: list[Path], whole: torch.Tensor
) -> None:
    trial = Trial(interrupted[0].parent)
    (last,) = trial.train()
    assert (epochs_in(last), last[WARNINGS]) == ([1, 2, 3], [])
    assert torch.equal(trial.parameters, whole)


def test_the_last_result_has_the_pictures_also_where_only_the_report_was_missing(tmp_path: Path) -> None:
    """A driver that was killed after the last checkpoint has told the store of neither."""
    first, *others, last = Trial(tmp_path / "pack").train()
    assert [PICTURES in result for result in (first, *others)] == [False, False]
    (again,) = Trial(tmp_path / "pack").train()
    assert again["done"]
    assert again[PICTURES] == last[PICTURES]
    assert [png[:4] for png in last[PICTURES]] == [b"\x89PNG"] * 2


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def of_other_members(path: Path) -> None:
    change(path, members=["0123456789abcdef", "fedcba9876543210"])


OTHER_LAYOUTS: dict[str, dict[str, Any]] = {
    "without members": {"members": None},
    "without optimizer": {"optimizer": None},
    "without history": {"history": None},
    "history of another version": {"history": [{"epoch": 1}]},
    "history of other members": {
        "history": [{"epoch": 1, "timestamp_ms": 1, "metrics": [None], "diverged": [1]}] * 2
    },
    "history too short": {"history": []},
    "optimizer of another version": {"optimizer": {"first_moment": torch.zeros(3)}},
    "parameters of another network": {"parameters": torch.zeros(2, 1)},
    "generators of another device": {"noise_generators": [torch.zeros(16, dtype=torch.uint8)] * 2},
    "one generator": {"order_generators": []},
    "more than there is": {"scheduler": {"lr": 0.1}},
}
DAMAGES: dict[str, Callable[[Path], None]] = {
    "cut off": cut_off,
    "of other members": of_other_members,
    **{name: lambda path, parts=parts: change(path, **parts) for name, parts in OTHER_LAYOUTS.items()},
}


@pytest.mark.parametrize("spoil", DAMAGES.values(), ids=DAMAGES)
def test_training_goes_on_from_the_checkpoint_before_and_says_so_once(
    spoil: Callable[[Path], None], interrupted: list[Path], whole: torch.Tensor
) -> None:
    newest = interrupted[-1]
    spoil(newest)
    trial = Trial(newest.parent)
    second, third = trial.train()
    assert [epochs_in(second), epochs_in(third)] == [[1, 2], [3]]
    (line,) = second[WARNINGS]
    assert line.startswith(f"checkpoint {newest} cannot be used (")
    assert line.endswith("; the one before is used")
    assert third[WARNINGS] == []
    assert torch.equal(trial.parameters, whole)


@pytest.mark.parametrize("spoil", [cut_off, DAMAGES["optimizer of another version"]])
def test_where_no_checkpoint_can_be_used_training_starts_anew_from_untouched_parameters(
    spoil: Callable[[Path], None], interrupted: list[Path], whole: torch.Tensor
) -> None:
    for path in interrupted:
        spoil(path)
    trial = Trial(interrupted[0].parent)
    results = trial.train()
    assert [epochs_in(result) for result in results] == [[1], [2], [3]]
    assert [len(result[WARNINGS]) for result in results] == [2, 0, 0]
    assert torch.equal(trial.parameters, whole)


@pytest.mark.parametrize("parts", OTHER_LAYOUTS.values(), ids=OTHER_LAYOUTS)
def test_of_a_state_that_is_refused_nothing_is_taken_over(parts: dict[str, Any]) -> None:
    pack = Pack((member(0), member(1)))
    given = TrainingData.of(DATASET)
    trained, other = DiscreteVaeTrainer(pack, given), DiscreteVaeTrainer(pack, given)
    trained.run_epoch()
    state = {key: value for key, value in {**trained.state_dict(), **parts}.items() if value is not None}
    before = other.model.parameters.clone()
    with pytest.raises(ValueError):
        other.load_state_dict(state)
    assert torch.equal(other.model.parameters, before)
    assert (other.epoch, other.history) == (0, [])


def test_a_pack_whose_checkpoints_the_disk_refuses_finishes_and_reports_everything(
    tmp_path: Path, whole: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    trial = Trial(tmp_path / "pack")
    results = trial.train()
    assert [epochs_in(result) for result in results] == [[1], [2], [3]]
    assert [len(result[WARNINGS]) for result in results] == [1, 0, 0]
    assert "cannot be written (No space left on device)" in results[0][WARNINGS][0]
    assert results[-1]["done"]
    assert list((tmp_path / "pack").iterdir()) == []
    assert torch.equal(trial.parameters, whole)


def test_a_process_with_other_code_than_its_driver_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial(tmp_path)
    monkeypatch.setattr("trainables.training_code.own_code", lambda: "other")
    with pytest.raises(
        OtherCodeError, match="in every process that trains, as it is for the driver; got other"
    ):
        Trial.__init__(trial, tmp_path)


def test_a_pack_is_gone_before_the_next_one_in_its_process_takes_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial, lives_on = Trial(tmp_path / "one"), []
    last = weakref.ref(trial._trainable._trainer)

    def make(pack: Pack, data: TrainingData, device: str) -> DiscreteVaeTrainer:
        lives_on.append(last() is not None)
        return DiscreteVaeTrainer(pack, data, device)

    stand_in(monkeypatch, "mnist_vae", make)
    config = {"members": Pack((member(5),)).to_params(), "checkpoint_folder": str(tmp_path / "other")}
    process = {"num_threads": 1, "gpus": 0.0, "device": "cpu", "code": own_code()}
    trial._trainable.reset_config({PACK: {**config, **process}})
    assert lives_on == [False]


def test_the_next_pack_in_a_process_reports_all_of_its_own_epochs(tmp_path: Path) -> None:
    trial = Trial(tmp_path / "one")
    trial.train(2)
    config = {"members": Pack((member(5),)).to_params(), "checkpoint_folder": str(tmp_path / "other")}
    config["code"] = own_code()
    trial._trainable.reset_config({PACK: {**config, "num_threads": 1, "gpus": 0.0, "device": "cpu"}})
    first, *_ = trial.train(1)
    assert epochs_in(first) == [1]
    assert [len(record["metrics"]) for record in first[RECORDS]] == [1]


def test_the_last_checkpoint_says_what_the_last_result_does(tmp_path: Path) -> None:
    states: list[Any] = []
    trial = Trial(tmp_path / "pack")
    results = []
    for _ in range(EPOCHS):
        results += trial.train(1)
        states.append(CheckpointFolder(tmp_path / "pack").resume(lambda state: state))
    assert [OUTCOME in state for state in states] == [False] * (EPOCHS - 1) + [True]
    outcome = states[-1][OUTCOME]
    assert outcome["pictures"] == results[-1][PICTURES]
    assert (outcome[PLACE], outcome["dataset_content"]) == (results[0][PLACE], DATASET.content)
    (again,) = Trial(tmp_path / "pack").train(1)
    assert (epochs_in(again), again["done"]) == ([1, 2, 3], True)
    assert again[PICTURES] == results[-1][PICTURES]
