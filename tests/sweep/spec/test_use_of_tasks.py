"""A task of a user's, docs/examples/counting.py: from a spec to a table, and on from a checkpoint."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import sweep
from sweep.spec.file import SpecError, load_spec
from sweep.spec.use import UseError, register_task
from tests.sweep.conftest import Answer
from tests.trainables.members import through_bytes, values_of
from trainables.pack import Pack
from trainables.schema import Member
from trainables.task_registry import SHIPPED, TASKS, unregister
from trainables.training.trainer import Trainer

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples"
CELLS = (
    "ReinMax τ 0.7",
    "ReinMax τ 1.0",
    "Gumbel-Rao τ 0.7",
    "Gumbel-Rao τ 1.0",
    "RLOO",
    "IndeCateR",
    "Exact",
)


@pytest.fixture(autouse=True)
def only_what_ships() -> Iterator[None]:
    yield
    for name in set(TASKS) - set(SHIPPED):
        unregister(name)


@pytest.fixture
def spec(own_folder: Path) -> Path:
    """The example in a folder of its own."""
    for path in EXAMPLE.iterdir():
        shutil.copy(path, own_folder)
    return own_folder / "counting.yaml"


def changed(path: Path, old: str, new: str) -> Path:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return path


def trainer_of(*members: Member) -> Trainer:
    return TASKS["counting"].trainer(Pack(members), None, "cpu")


def test_a_small_task_is_a_small_file() -> None:
    assert len((EXAMPLE / "counting.py").read_text().splitlines()) < 120


def test_a_sweep_of_it_ends_in_a_table(spec: Path, catsweep: Callable[..., Answer]) -> None:
    changed(spec, "seeds: 3", "seeds: 2")
    frame = sweep.run(spec, home="home")
    assert (len(frame), set(frame["num_done"])) == (7, {2})
    answer = catsweep("tables", spec, "--home", "home", "--metric", "counting_loss")
    assert answer.status == 0
    rows = [line for line in answer.out.splitlines() if "±" in line and line.startswith(CELLS)]
    assert len(rows) == 7
    assert "Expected squared error of the sum (counting_loss), after 3 epochs." in answer.out
    assert "catsweep" not in catsweep("figures", spec, "--home", "home", "--out", "figures").err
    assert {path.suffix for path in Path("figures").iterdir()} >= {".png"}


def test_every_family_learns_it_and_goes_on_from_a_checkpoint_bit_for_bit(spec: Path) -> None:
    for request in load_spec(spec).requests():
        members = request.members[:2]
        whole, resumed = trainer_of(*members), trainer_of(*members)
        first = whole.run_epoch().metrics[0] or {}
        resumed.load_state_dict(through_bytes(whole.state_dict()))
        last = values_of(whole.run_epoch())
        assert values_of(resumed.run_epoch()) == last
        assert torch.equal(whole.parameters, resumed.parameters)
        assert last["counting_loss"] < 0.8 * first["counting_loss"], request.cell.estimator


def test_temperatures_of_a_pack_are_their_members_own(spec: Path) -> None:
    cold, warm = (request.members[0] for request in load_spec(spec).requests()[:2])
    assert (cold.params["temperature"], warm.params["temperature"]) == ("0.7", "1.0")
    together = trainer_of(cold, warm).run_epoch()
    for index, one in enumerate((cold, warm)):
        alone = values_of(trainer_of(one).run_epoch())
        assert values_of(together, index) == pytest.approx(alone, rel=1e-4)


def test_other_code_is_another_task_version(spec: Path) -> None:
    def version() -> str:
        return load_spec(spec).requests()[0].cell.params["task_version"]

    before = version()
    assert version() == before != "1"
    changed(spec.parent / "counting.py", "SYMBOLS_OF_A_CLASS = 5", "SYMBOLS_OF_A_CLASS = 6")
    assert version() != before
    changed(
        spec.parent / "counting.py",
        '    headline="symbol_accuracy",',
        '    version=2, headline="symbol_accuracy",',
    )
    assert version() == "2"


def test_a_task_that_breaks_a_rule_is_one_line(spec: Path) -> None:
    changed(spec.parent / "counting.py", '    "counting",', '    "mnist_vae",')
    with pytest.raises(
        SpecError, match="line 2: use: task mnist_vae ships with catsweep; yours must have anoth"
    ):
        load_spec(spec)
    changed(spec.parent / "counting.py", 'headline="symbol_accuracy"', 'headline="accuracy"')
    with pytest.raises(
        SpecError, match=r"use: counting\.py cannot be loaded: .*must log what it shows, accuracy to"
    ):
        load_spec(spec)
    with pytest.raises(UseError, match="ships with catsweep"):
        register_task(TASKS["mnist_vae"])
