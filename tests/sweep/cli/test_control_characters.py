"""No control character of a stranger's reaches the terminal, whichever command prints it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.home import Home
from tests.sweep.conftest import Answer
from tests.sweep.samples import SPEC_TEXT, Driver, rows, spec_of

Command = Callable[..., Answer]

HOSTILE = "\x1b[2J\x9b31m\x7f\u202e\r"
SHOWN = "\\u001b[2J\\u009b31m\\u007f\\u202e\\u000d"
CONTROL = "\x1b\x9b\x7f\u202e\r"
COMMANDS = {
    "run": "run {spec} --home {file}",
    "dry run": "run {spec} --home {home} --dry-run",
    "plan": "plan {spec} --home {home}",
    "plan of no file": "plan {missing} --home {home}",
    "plan of no preset": "plan {name} --home {home}",
    "status": "status {spec} --home {home}",
    "status as JSON": "status {spec} --home {home} --json",
    "status without a store": "status {spec} --home {none}",
    "tables": "tables {spec} --home {none}",
    "figures": "figures {spec} --home {home} --out {out}",
    "report": "report {spec} --home {home} --out {out}",
    "report nowhere": "report {spec} --home {home} --out {out}/none",
    "ui": "ui --home {none}",
    "doctor": "doctor --home {home}",
    "data fetch": "data fetch mnist --home {home} --from {none}",
    "data fetch of what": "data fetch {name} --home {home}",
    "data verify": "data verify mnist --home {home}",
    "no command": "{name}",
    "no option": "plan --{name}",
    "too many arguments": "plan {spec} {name}",
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, empty_store_file: Path) -> dict[str, str]:
    """A spec, and a home with a failed member, whose names and errors are hostile."""
    folder = tmp_path_factory.mktemp("hostile") / HOSTILE
    folder.mkdir()
    spec, home, file = folder / "grid.yaml", Home.resolve(folder / "home"), folder / "file"
    spec.write_text(SPEC_TEXT)
    file.write_text("")
    home.make_folders()
    (home.path / "mlflow.db").write_bytes(empty_store_file.read_bytes())
    driver = Driver(spec_of(), home)
    pack = driver.plan.packs[0]
    driver.tracker.start(pack)
    driver.tracker.fail(pack, f"Traceback\nRuntimeError: {HOSTILE}")
    driver.settle()
    (folder_of_pack,) = list(home.checkpoints.glob(f"{pack.hash}"))
    (folder_of_pack / "pack.json").write_text("[")  # which is logged as damaged
    names = {"spec": spec, "home": home.path, "file": file, "none": folder / "none", "out": folder / "out"}
    return {
        "name": HOSTILE,
        "missing": f"{folder}/none.yaml",
        **{key: str(one) for key, one in names.items()},
    }


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_what_a_command_prints_has_none(command: str, places: dict[str, str], catsweep: Command) -> None:
    answer = catsweep(*(word.format(**places) for word in command.split()))
    said = answer.out + answer.err
    assert said
    assert [character for character in CONTROL if character in said] == []
    assert "Traceback" not in answer.err


def test_errors_of_members_and_paths_are_told_with_escapes(places: dict[str, str], catsweep: Command) -> None:
    words = ("status", places["spec"], "--home", places["home"])
    assert "seed 0: RuntimeError: \\u001b[2J\\u009b31m\\u007f\\u202e" in catsweep(*words).out
    (cell,) = json.loads(catsweep(*words, "--json").out)["cells"]
    assert cell["errors"][0].startswith("seed 0: RuntimeError: \\u001b[2J")
    assert SHOWN in catsweep("plan", places["missing"]).err


def test_an_error_written_by_a_stranger_is_told_with_escapes(
    places: dict[str, str], catsweep: Command, home: Home
) -> None:
    driver = Driver(spec_of(), home)
    driver.tracker.start(driver.plan.packs[0])
    driver.tracker.fail(driver.plan.packs[0], "RuntimeError: plain")
    driver.settle()
    with sqlite3.connect(str(home.sqlite_path)) as store:
        store.execute("UPDATE tags SET value = ? WHERE key = 'catsweep.error'", (f"Error: {HOSTILE}",))
    assert rows(home, "SELECT value FROM tags WHERE key = 'catsweep.error'") == [(f"Error: {HOSTILE}",)]
    out = catsweep("status", places["spec"], "--home", home.path).out
    assert "seed 0: Error: \\u001b[2J\\u009b31m\\u007f\\u202e" in out
    assert "\x1b" not in out
