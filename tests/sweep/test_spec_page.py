"""docs/spec.md names every key of a spec, and what each task takes as the task has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.spec import EarlyStopping, Measure, Resources, Search, Spec
from sweep.spec_block import Block, SpecModel
from trainables.task import OPTIONAL, REQUIRED, Keys, Task
from trainables.tasks import TASKS

PAGE = (Path(__file__).parents[2] / "docs" / "spec.md").read_text()


def _cell(keys: Keys) -> str:
    return ", ".join(f"`{key}`{_default(value)}" for key, value in keys.items())


def _default(value: object) -> str:
    if value is REQUIRED:
        return ""
    if isinstance(value, dict):
        return " (as in the last column)"
    if value is OPTIONAL:
        return " (none)"
    return f" ({value[0] if isinstance(value, list) else value})"


@pytest.mark.parametrize("model", [Spec, Block, Measure, EarlyStopping])
def test_page_names_every_key(model: type[SpecModel]) -> None:
    assert [key for key in model.model_fields if f"`{key}`" not in PAGE] == []


@pytest.mark.parametrize(("name", "model"), [("search", Search), ("resources", Resources)])
def test_page_names_every_key_of_a_part(name: str, model: type[SpecModel]) -> None:
    assert [key for key in model.model_fields if f"`{name}.{key}`" not in PAGE] == []


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_page_has_the_defaults_of_every_task(task: Task) -> None:
    cells = " | ".join((f"`{task.name}`", *map(_cell, (task.keys, task.block_keys, task.measure_keys))))
    assert " ".join(f"| {cells} |".split()) in " ".join(PAGE.split())
