"""docs/extending.md: its code is run, and the starter is what it shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from estimators import REGISTRY
from estimators.checks.contract import check_contract
from estimators.own import declared_in
from estimators.registry import registered
from sweep.spec.file import load_spec
from sweep.spec.use import register_function
from tests.sweep.conftest import Answer, catsweep, own_folder
from trainables.own_data import OWN_DATA

__all__ = ["catsweep", "own_folder"]

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "extending.md").read_text()
CODE = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "@estimator" in block]
NOT_OF_USERS = {"empty batches"}
"""What a function of a few lines need not do, though these do."""


@pytest.fixture(autouse=True)
def only_what_ships() -> Iterator[None]:
    with registered():
        yield


@pytest.mark.parametrize("code", CODE, ids=("plain", "draw", "objective"))
def test_every_form_keeps_the_whole_contract(code: str) -> None:
    names: dict[str, object] = {}
    exec(code, names)
    ((name, function),) = declared_in(names).items()
    register_function(function, "1")
    assert [one for one in check_contract(REGISTRY[name]) if one.problem] == []


def _example(name: str, folder: Path) -> Path:
    (shown,) = (one for one in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if f"name: {name}\n" in one)
    (folder / f"{name}.yaml").write_text(shown)
    return folder / f"{name}.yaml"


def test_data_and_networks_are_as_the_page_says(tmp_path: Path) -> None:
    (code,) = (one for one in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "@dataset" in one)
    (tmp_path / "stripes.py").write_text(code)
    names: dict[str, Any] = {}
    exec(code, names)
    np.savez(tmp_path / "digits.npz", **names["stripes"]())
    path = _example("own-digits", tmp_path)
    cells = [one.cell for one in load_spec(path).requests()]
    assert [(one.params["dataset"], one.params["image_shape"]) for one in cells] == [("digits", "16x16")] * 2
    path.write_text(path.read_text().replace("{file: digits.npz}", "stripes") + "use: [stripes.py]\n")
    assert [one.cell.hash for one in load_spec(path).requests()] == [one.hash for one in cells]
    OWN_DATA.clear()
    assert len(load_spec(_example("own-networks", tmp_path)).requests()) == 4


def test_the_starter_runs_as_it_is(catsweep: Callable[..., Answer], own_folder: Path) -> None:
    answer = catsweep("init", "soft")
    assert (answer.status, answer.err) == (0, "")
    spec = load_spec(own_folder / "soft" / "spec.yaml")
    assert (spec.name, len(spec.requests())) == ("soft", 4)
    assert [one for one in check_contract(REGISTRY["soft_st"]) if one.problem] == []
    shown = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    stated = [line.partition("#")[0].rstrip() for line in shown[1].splitlines()]
    assert stated == (own_folder / "soft" / "spec.yaml").read_text().splitlines()


def test_a_folder_that_is_there_is_left_alone(catsweep: Callable[..., Answer], own_folder: Path) -> None:
    (own_folder / "soft").mkdir()
    answer = catsweep("init", "soft")
    assert (answer.status, answer.err) == (
        2, "error: folder soft cannot be made (File exists); choose another name\n"
    )  # fmt: skip
    assert list((own_folder / "soft").iterdir()) == []
    assert "name must consist of letters" in catsweep("init", "so ft").err
