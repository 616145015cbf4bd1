"""docs/reliability.md names tests that exist, and every test of this folder."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "reliability.md").read_text()
ABOUT_THE_TESTS = {"test_recorded.py", "test_reliability_page.py"}


def functions_of(path: Path) -> set[str]:
    return {f"{path.name}::{name}" for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)}


def test_every_test_on_the_page_exists() -> None:
    files = [*Path(__file__).parent.parent.rglob("test_*.py")]
    known = {path.name for path in files}.union(*map(functions_of, files))
    named = set(re.findall(r"`(test_\w+\.py(?:::test_\w+)?)`", PAGE))
    assert named
    assert named <= known


def test_every_test_of_this_folder_is_on_the_page() -> None:
    files = [path for path in Path(__file__).parent.glob("test_*.py") if path.name not in ABOUT_THE_TESTS]
    assert [name for name in set().union(*map(functions_of, files)) if f"`{name}`" not in PAGE] == []


def test_the_page_marks_what_the_quick_half_runs() -> None:
    for path in Path(__file__).parent.glob("test_*.py"):
        text = path.read_text()
        for name in functions_of(path):
            function = name.partition("::")[2]
            is_slow = "pytestmark = pytest.mark.slow" in text or bool(
                re.search(rf"@pytest\.mark\.slow.*\ndef {function}\(", text)
            )
            if f"`{name}`" in PAGE:
                assert (f"`{name}` *" in PAGE) != is_slow, name
