from __future__ import annotations

import ast
import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live
from rich.table import Table

from trainables.terminal import VisibleHandler, echo, make_console
from trainables.visible_text import visible

ROOT = Path(__file__).parents[2]
HOSTILE = "a\x1b[31mred\x1b[2J\x9b2J\x7f\u202e"
SHOWN = "a\\u001b[31mred\\u001b[2J\\u009b2J\\u007f\\u202e"


def test_control_characters_are_escapes_and_lines_and_tabs_stay() -> None:
    assert visible(HOSTILE) == SHOWN
    assert visible("one\ttwo\nthree ± τ é 漢 🎲") == "one\ttwo\nthree ± τ é 漢 🎲"
    assert visible("a\rb\x00\ud800\u2028") == "a\\u000db\\u0000\\ud800\\u2028"
    assert visible(SHOWN) == SHOWN


def test_an_echo_goes_where_it_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    echo(HOSTILE)
    echo(Path(HOSTILE), err=True, nl=False)
    assert tuple(capsys.readouterr()) == (f"{SHOWN}\n", SHOWN)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_console_has_its_own_styles_and_no_other(
    is_terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    if is_terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    console = make_console()
    table = Table("heading")
    table.add_row(HOSTILE)
    console.print(HOSTILE, style="bold")
    console.print(table)
    console.print("[bold]:smile:")
    out = capsys.readouterr().out
    assert ("\x1b[1m" in out) == is_terminal
    assert "\x1b[31m" not in out
    assert "\x1b[2J" not in out
    assert SHOWN in out
    assert out.count("a\\u001b[31m") == 2  # a table's columns are as wide as what it was given
    assert out.endswith("[bold]:smile:\n")


def test_a_live_picture_shows_them_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with Live(
        console=make_console(stderr=True, soft_wrap=False), get_renderable=lambda: HOSTILE, screen=False
    ):
        pass
    err = capsys.readouterr().err
    assert SHOWN in err
    assert "\x1b[31m" not in err


def test_the_plain_console_would_let_them_through() -> None:
    stream = io.StringIO()
    Console(file=stream).print(HOSTILE, soft_wrap=True)
    assert "\x1b[31m" in stream.getvalue()


def test_what_is_logged_is_visible(capsys: pytest.CaptureFixture[str]) -> None:
    record = logging.LogRecord("sweep", logging.WARNING, "file", 1, "folder %s", (HOSTILE,), None)
    VisibleHandler().emit(record)
    assert capsys.readouterr().err == f"folder {SHOWN}\n"


def _calls_that_print(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in ("print", "Console", "sys.stdout.write", "sys.stderr.write") or name.endswith(
                (".echo", ".secho")
            ):
                yield f"{path.relative_to(ROOT)}: {name}"


def test_nothing_is_printed_elsewhere() -> None:
    files = [path for package in ("sweep", "trainables") for path in (ROOT / package).rglob("*.py")]
    found = [call for path in files for call in _calls_that_print(path)]
    assert found == ["trainables/terminal.py: print"]
