"""docs/spec.md names every key of a spec, and what each task takes as the task has it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sweep.spec.block import Block, SpecModel
from sweep.spec.sweep_spec import EarlyStopping, Measure, Resources, Search, Spec
from trainables.task import OPTIONAL, REQUIRED, Keys, Task
from trainables.task_registry import TASKS

PAGE = (Path(__file__).parents[2] / "docs" / "spec.md").read_text()


def _cell(keys: Keys) -> str:
    return ", ".join(f"`{key}`{_default(value)}" for key, value in keys.items())


def _networks(task: Task) -> Keys:
    """Return the keys of the networks with what a task has where a block states nothing."""
    own = task.architecture
    if own is None:
        return {}
    widths = {name: ", ".join(map(str, getattr(own, name))) for name in ("encoder", "decoder")}
    return {**widths, "activation": own.activation}


def _default(value: object) -> str:
    if value is REQUIRED:
        return ""
    if isinstance(value, dict):
        return " (as in the last column)"
    if value is OPTIONAL:
        return " (none)"
    return f" ({value[0] if isinstance(value, list) else value})"


def _keys_in(heading: str) -> list[str]:
    """Return what the first column of a section's table names."""
    section = PAGE.partition(f"{heading}\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return [key for row in rows for key in re.findall("`(.+?)`", row)]


@pytest.mark.parametrize(
    ("heading", "model"), [("# The keys of a spec", Spec), ("## A block of the grid", Block)]
)
def test_page_has_a_row_for_every_key_and_no_other(heading: str, model: type[SpecModel]) -> None:
    assert sorted(_keys_in(heading)) == sorted(model.keys())


def test_page_has_a_row_for_every_key_of_a_part() -> None:
    parts = {"search": Search, "resources": Resources}
    keys = [f"{name}.{key}" for name, part in parts.items() for key in part.model_fields]
    assert sorted(_keys_in("## `search` and `resources`")) == sorted(keys)
    (row,) = [line for line in PAGE.splitlines() if line.startswith("| `search.early_stopping`")]
    assert [key for key in EarlyStopping.model_fields if f"`{key}`" not in row] == []


def test_every_key_of_a_measure_is_some_task_s() -> None:
    assert {key for task in TASKS.values() for key in task.measure_keys} == set(Measure.model_fields)


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_page_has_the_defaults_of_every_task(task: Task) -> None:
    of_block = {**task.block_keys, **_networks(task)}
    cells = " | ".join((f"`{task.name}`", *map(_cell, (task.keys, of_block, task.measure_keys))))
    assert " ".join(f"| {cells} |".split()) in " ".join(PAGE.split())
