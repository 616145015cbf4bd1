from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.home import Home
from tests.sweep.conftest import Answer
from tests.sweep.samples import SPEC_TEXT, Driver, spec_of

Command = Callable[..., Answer]


@pytest.fixture
def words(home: Home, drive: Callable[..., Driver]) -> tuple[object, ...]:
    """The command for a cell of two finished seeds."""
    driver = drive(spec_of())
    driver.train_all({0: 100.0, 1: 104.0})
    driver.settle()
    Path("grid.yaml").write_text(SPEC_TEXT)
    return "report", "grid.yaml", "--home", home.path


def test_the_page_is_written_and_its_path_printed(
    words: tuple[object, ...], catsweep: Command, home: Home
) -> None:
    assert catsweep(*words, "--out", "page.html") == Answer(0, "page.html\n", "")
    page = Path("page.html").read_text()
    # test_neg_elbo is 3 more than the value of the seed; the spread of 100 and 104 is sqrt(8).
    assert "105.00 ± 2.83" in page
    assert "102.00 ± 2.83" in page
    assert "catsweep run grid.yaml" in page
    assert home.shown_uri in page
    assert "The spec has changed" not in page
    assert "git checkout" not in page  # the sweep was run with a code that is no commit
    assert SPEC_TEXT.strip() in page


def test_a_page_of_that_name_is_replaced(words: tuple[object, ...], catsweep: Command) -> None:
    Path("report.html").write_text("old")
    assert catsweep(*words) == Answer(0, "report.html\n", "")
    assert Path("report.html").read_text().startswith("<!DOCTYPE html>")


def test_a_spec_that_was_changed_since_is_said_to_be(words: tuple[object, ...], catsweep: Command) -> None:
    Path("grid.yaml").write_text(SPEC_TEXT.replace("seeds: 2", "seeds: 3"))
    catsweep(*words)
    page = Path("report.html").read_text()
    assert "The spec has changed" in page
    assert "2 of 3; 1 missing" in page


@pytest.mark.parametrize("out", ["folder", "none/report.html"])
def test_where_no_file_can_be_nothing_is_written(out: str, catsweep: Command, own_folder: Path) -> None:
    Path("folder").mkdir()
    answer = catsweep("report", "quickstart", "--out", out)
    expected = f"error: out must be a file in a folder that exists, got {out}\n"
    assert answer == Answer(2, "", expected)
    assert [path.name for path in own_folder.rglob("*")] == ["folder"]


def test_of_a_sweep_not_begun_there_is_a_page_of_what_is_missing(catsweep: Command, home: Home) -> None:
    assert catsweep("report", "quickstart", "--home", home.path) == Answer(0, "report.html\n", "")
    assert "of 14 members in 7 cells" in Path("report.html").read_text()


def test_a_name_too_long_for_a_file_is_one_error(catsweep: Command, home: Home) -> None:
    answer = catsweep("report", "quickstart", "--home", home.path, "--out", "a" * 300)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.endswith(f"got {'a' * 300}: File name too long\n")
