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
    return "figures", "grid.yaml", "--home", home.path, "--out", "out"


def test_the_files_written_are_printed(words: tuple[object, ...], catsweep: Command) -> None:
    answer = catsweep(*words)
    names = [f"small-{metric}-epoch.{suffix}" for metric in ("train_neg_elbo", "test_neg_elbo")
             for suffix in ("pdf", "svg", "png")]  # fmt: skip
    assert answer == Answer(0, "".join(f"out/{name}\n" for name in names), "")
    assert sorted(path.name for path in Path("out").iterdir()) == sorted(names)


def test_metric_axis_and_format_can_be_chosen(words: tuple[object, ...], catsweep: Command) -> None:
    answer = catsweep(*words, "--metric", "test_kl", "--against", "seconds", "--format", "svg,pdf")
    assert answer.out == "out/small-test_kl-seconds.svg\nout/small-test_kl-seconds.pdf\n"


def test_the_same_store_gives_the_same_bytes(words: tuple[object, ...], catsweep: Command) -> None:
    first = [Path(name).read_bytes() for name in catsweep(*words).out.split()]
    assert [Path(name).read_bytes() for name in catsweep(*words).out.split()] == first


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--metric", "test_elbo", "unknown metric 'test_elbo'; allowed: train_neg_elbo, "),
        ("--metric", "gradient_std", "unknown metric 'gradient_std'; allowed: train_neg_elbo, "),
        ("--format", "jpg", "unknown format 'jpg'; allowed: pdf, svg, png"),
        ("--against", "epochz", "unknown axis 'epochz'; allowed: epoch, seconds, "),
        ("--against", "eta", "against must be a hyperparameter with several values in this spec, got 'eta'"),
        ("--spread", "sems", "unknown spread 'sems'; allowed: std, sem, sem-population, ci"),
        ("--compare", "paper", "unknown comparison 'paper'; allowed: published, curves"),
    ],
)
def test_what_cannot_be_is_one_error_and_nothing_is_written(
    option: str, value: str, expected: str, catsweep: Command, home: Home
) -> None:
    answer = catsweep("figures", "quickstart", "--home", home.path, "--out", "out", option, value)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith(f"error: {expected}")
    assert not Path("out").exists()


def test_without_a_finished_member_there_is_one_error(catsweep: Command, home: Home) -> None:
    answer = catsweep("figures", "quickstart", "--home", home.path, "--out", "out")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err == (
        "error: nothing to show: none of the 14 members has finished with a train_neg_elbo at its last epoch "
        "(14 missing)\n"
    )
    assert not Path("out").exists()
