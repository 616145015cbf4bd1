"""Sweeps of very many cells: sums in place of a line for each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.cli.groups import in_few_groups
from sweep.home import Home
from sweep.runner import Outcome
from sweep.spec.limits import MAX_LINES, first_of
from tests.sweep.conftest import Answer
from tests.sweep.samples import SPEC_TEXT, Driver, spec_of

Command = Callable[..., Answer]
LRS = [round(0.001 + index * 1e-6, 9) for index in range(MAX_LINES + 1)]
LATENTS = [f"8x{variables}" for variables in range(1, MAX_LINES + 2)]


@pytest.fixture
def many_lrs() -> None:
    """A spec of a line more than are shown, all of one latent."""
    Path("grid.yaml").write_text(SPEC_TEXT.replace("0.0005", str(LRS)))


@pytest.fixture
def many_latents() -> None:
    """A spec of a line more than are shown, each of a latent of its own."""
    Path("grid.yaml").write_text(SPEC_TEXT.replace("8x4", f"[{', '.join(LATENTS)}]"))


def test_the_finest_label_that_makes_few_groups_is_taken() -> None:
    words = ["ab", "ac", "b"]
    assert in_few_groups(words, str, lambda word: word[0], most=3) == {"ab": ["ab"], "ac": ["ac"], "b": ["b"]}
    assert in_few_groups(words, str, lambda word: word[0], most=2) == {"a": ["ab", "ac"], "b": ["b"]}
    assert in_few_groups(words, str, lambda word: word[0], most=1) == {"a": ["ab", "ac"], "b": ["b"]}


def test_the_rest_of_many_lines_is_counted() -> None:
    assert first_of(["a", "b", "c"], 2, "more") == ["a", "b", "1 more"]
    assert first_of(["a", "b"], 2, "more") == ["a", "b"]


@pytest.mark.usefixtures("many_lrs")
def test_status_sums_cells_of_one_latent(catsweep: Command) -> None:
    answer = catsweep("status", "grid.yaml")
    lines = [" ".join(line.split()) for line in answer.out.splitlines()]
    assert answer.status == 0
    assert lines[:4] == [
        "cell done diverged running failed missing",
        "st 8x4 (1,001 cells) 0 0 0 0 2002",
        "all 0 0 0 0 2002",
        "sums of 1,001 cells; --json has each",
    ]
    assert len(lines) == 6  # and two of the estimate
    assert len(json.loads(catsweep("status", "grid.yaml", "--json").out)["cells"]) == 1001


@pytest.mark.usefixtures("many_latents")
def test_status_and_plan_sum_latents_of_one_estimator(catsweep: Command) -> None:
    assert "st (1,001 cells)" in catsweep("status", "grid.yaml").out
    lines = [line.split() for line in catsweep("plan", "grid.yaml").out.splitlines()]
    assert lines[2] == ["st", "all", "1001", "2002", "0"]
    assert len(lines) == 6  # with what the packs get, and two of the estimate


@pytest.mark.usefixtures("many_lrs")
def test_a_run_of_very_many_cells_ends_without_a_table(
    catsweep: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.api.execute", lambda *words, **options: Outcome(2002, 0, is_interrupted=False))
    answer = catsweep("run", "grid.yaml")
    assert (answer.status, answer.out) == (
        0, "1,001 cells, too many for a table here; `catsweep tables` prints one\n"
    )  # fmt: skip


def test_of_many_failures_the_first_are_shown(
    catsweep: Command, home: Home, drive: Callable[..., Driver]
) -> None:
    driver = drive(spec_of(seeds=23))
    for pack in driver.plan.packs:
        driver.tracker.start(pack)
        driver.tracker.fail(pack, "Traceback ...\nRuntimeError: no memory")
    driver.settle()
    Path("grid.yaml").write_text(SPEC_TEXT.replace("seeds: 2", "seeds: 23"))
    out = catsweep("status", "grid.yaml", "--home", home.path).out
    assert out.count("failed: st 8x4") == 20
    assert "\n3 more have failed; --json has them all\n" in out
