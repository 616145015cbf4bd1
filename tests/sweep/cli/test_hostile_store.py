"""Stores that others write to: whatever stands in them, who reads them gets an answer or one line."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.home import Home
from tests.sweep.conftest import Answer
from tests.sweep.samples import SPEC_TEXT, Driver, spec_of
from trainables import schema
from trainables.task_registry import TASKS

Command = Callable[..., Answer]

COMMANDS = ("plan", "status", "tables")
TEXTS = (
    "",
    " ",
    "\n",
    "x",
    "-1",
    "0",
    "9" * 5000,
    "1e999999999",
    "nan",
    "-inf",
    "²",
    "１２",
    "1,x",
    "\x00",
    "NULL",
)
TAGS = tuple(value for name, value in vars(schema).items() if name.startswith("TAG_"))
NUMBERS = (1e308, -1e308, float("inf"), 0, -1)
COLUMNS = {
    "tags": "key, value",
    "params": "key, value",
    "latest_metrics": "key, value, timestamp, step, is_nan",
}


@pytest.fixture
def trained(home: Home, drive: Callable[..., Driver]) -> Home:
    """A home with two members that have finished, of a spec of three."""
    drive(spec_of()).train_all({0: 100.0, 1: 104.0})
    Path("grid.yaml").write_text(SPEC_TEXT.replace("seeds: 2", "seeds: 3"))
    return home


def plant(home: Home, table: str, column: str, key: str, values: tuple[object, ...]) -> None:
    """Add runs like the first member's, one for each value, which stands in one place of the run."""
    assert home.sqlite_path is not None
    with sqlite3.connect(home.sqlite_path) as store:
        (template,) = store.execute(
            "SELECT min(run_uuid) FROM tags WHERE key = 'catsweep.kind' AND value = 'member'"
        ).fetchone()
        for number, value in enumerate(values):
            run_id = f"{table}-{column}-{key}-{number}"
            names = [row[1] for row in store.execute("PRAGMA table_info(runs)") if row[1] != "run_uuid"]
            copied = f"INSERT INTO runs (run_uuid, {', '.join(names)}) SELECT ?, {', '.join(names)} FROM runs"
            store.execute(f"{copied} WHERE run_uuid = ?", (run_id, template))
            for other, columns in COLUMNS.items():
                insert = f"INSERT INTO {other} (run_uuid, {columns}) SELECT ?, {columns} FROM {other}"
                store.execute(f"{insert} WHERE run_uuid = ?", (run_id, template))
            if table == "runs":
                store.execute(f"UPDATE runs SET {column} = ? WHERE run_uuid = ?", (value, run_id))
                continue
            where = "WHERE run_uuid = ? AND key = ?"
            if not store.execute(f"UPDATE {table} SET {column} = ? {where}", (value, run_id, key)).rowcount:
                insert = f"INSERT INTO {table} (run_uuid, key, value) VALUES (?, ?, ?)"
                store.execute(insert, (run_id, key, value))


def test_whatever_text_a_tag_or_a_param_holds_the_store_is_read(trained: Home, catsweep: Command) -> None:
    for tag in TAGS:
        plant(trained, "tags", "value", tag, TEXTS)
    for param in schema.MEMBER_PARAMS:
        plant(trained, "params", "value", param, TEXTS)
    for metric in TASKS["mnist_vae"].metrics:
        plant(trained, "latest_metrics", "value", metric, NUMBERS)
        plant(trained, "latest_metrics", "step", metric, (-1, 2**62))
    for command in COMMANDS:
        answer = catsweep(command, "grid.yaml", "--home", trained.path)
        assert answer.status == 0, answer.err
        assert "nan core-hours" not in answer.out


@pytest.mark.parametrize(
    ("table", "column", "key", "value"),
    [
        ("tags", "value", schema.TAG_PACK_SIZE, b"\xff"),
        ("tags", "value", schema.TAG_DIVERGED, None),
        ("params", "value", "epochs", b"\xff"),
        ("latest_metrics", "value", "test_neg_elbo", "much"),
        ("latest_metrics", "step", "test_neg_elbo", "late"),
        ("runs", "start_time", "", "early"),
        ("runs", "end_time", "", 1.5),
    ],
)
def test_a_value_of_a_type_that_mlflow_does_not_write_is_one_line(
    table: str, column: str, key: str, value: object, trained: Home, catsweep: Command
) -> None:
    plant(trained, table, column, key, (value,))
    for command in COMMANDS:
        answer = catsweep(command, "grid.yaml", "--home", trained.path)
        assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1), answer
        assert answer.err.startswith("error: ")


@pytest.mark.parametrize("command", [*COMMANDS, "run"])
def test_a_store_that_is_a_folder_is_one_line(command: str, catsweep: Command, home: Home) -> None:
    Path("grid.yaml").write_text(SPEC_TEXT)
    assert home.sqlite_path is not None
    home.sqlite_path.unlink()
    home.sqlite_path.mkdir()
    answer = catsweep(command, "grid.yaml", "--home", home.path)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "mlflow.db cannot be used: it must name a file" in answer.err
