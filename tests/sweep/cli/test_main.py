from __future__ import annotations

import gc
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from sweep.cli import console_script
from tests.sweep.conftest import Answer

COMMANDS = (
    "run", "plan", "status", "tables", "figures", "report",
    "init", "check", "export", "import", "delete", "stop",
    "slurm", "ui", "doctor", "data fetch", "data verify",
)  # fmt: skip
Command = Callable[..., Answer]


def test_the_help_names_every_command(catsweep: Command) -> None:
    answer = catsweep("--help")
    assert answer.status == 0
    words = answer.out.split()
    assert {name.split()[0] for name in COMMANDS} <= set(words)


def test_the_version_is_told(catsweep: Command) -> None:
    answer = catsweep("--version")
    assert (answer.status, answer.err) == (0, "")
    version = metadata.version("catsweep")
    assert re.fullmatch(rf"catsweep {re.escape(version)}( \(.+\))?\n", answer.out)


def test_there_is_no_command_without_a_test_of_its_help() -> None:
    from sweep.cli.data import app as data
    from sweep.cli.main import app

    names = {command.name for command in app.registered_commands}
    names |= {f"data {command.callback.__name__}" for command in data.registered_commands if command.callback}
    assert names == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str, catsweep: Command) -> None:
    answer = catsweep(*command.split(), "--help")
    assert (answer.status, answer.err) == (0, "")
    assert f"Example: catsweep {command} " in " ".join(answer.out.split()) + " "


@pytest.mark.parametrize("words", [[], ["data"]])
def test_without_a_command_there_is_help(words: list[str], catsweep: Command) -> None:
    answer = catsweep(*words)
    assert answer.status == 2
    assert "COMMAND [ARGS]..." in answer.out + answer.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["rum"], "No such command 'rum'"),
        (["run"], "Missing argument 'SPEC'"),
        (["plan", "quickstart", "--jsno"], "No such option: --jsno"),
        (["ui", "--port", "99999999"], "Invalid value for '--port'"),
    ],
)
def test_a_wrong_command_line_is_refused(words: list[str], expected: str, catsweep: Command) -> None:
    answer = catsweep(*words)
    assert (answer.status, answer.out) == (2, "")
    assert expected in answer.err


def test_an_interrupted_command_says_so_by_its_status(
    catsweep: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*words: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sweep.api.placed_plan", interrupt)
    assert catsweep("plan", "quickstart").status == 130


def test_an_error_of_ours_is_not_hidden(catsweep: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*words: object, **options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("sweep.api.placed_plan", fail)
    with pytest.raises(ZeroDivisionError):
        catsweep("plan", "quickstart")


def test_the_installed_command_is_this_one() -> None:
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="catsweep")
    assert script.load() is console_script


def test_only_a_process_that_ends_with_the_command_gives_up_collecting_garbage(
    catsweep: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = gc.get_freeze_count()
    assert catsweep("--help").status == 0
    assert gc.get_freeze_count() == before
    monkeypatch.setattr(sys, "argv", ["catsweep", "--help"])
    try:
        with pytest.raises(SystemExit):
            console_script()
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()


def test_a_process_of_its_own_ends_with_one_message_and_no_traceback(own_folder: Path) -> None:
    program = Path(sys.executable).with_name("catsweep")
    answer = subprocess.run([program, "plan", "quikstart"], capture_output=True, text=True, timeout=120)
    assert (answer.returncode, answer.stdout, answer.stderr) == (
        2,
        "",
        "error: spec must be a YAML file or a preset, got 'quikstart'; nearest: quickstart\n",
    )
    assert list(own_folder.iterdir()) == []
