from __future__ import annotations

import json
import re
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
    drive(spec_of()).train_all({0: 100.0, 1: 104.0})
    Path("grid.yaml").write_text(SPEC_TEXT)
    return "tables", "grid.yaml", "--home", home.path


def test_the_table_shows_mean_and_spread_of_the_test_loss(
    words: tuple[object, ...], catsweep: Command
) -> None:
    answer = catsweep(*words)
    assert (answer.status, answer.err) == (0, "")
    # test_neg_elbo is 3 more than the value of the seed; the spread of 100 and 104 is sqrt(8).
    assert "105.00 ± 2.83" in answer.out


@pytest.mark.parametrize(
    ("options", "mean", "error"),
    [
        ([], 105.0, 8**0.5),
        (["--metric", "train_neg_elbo"], 102.0, 8**0.5),
        (["--spread", "sem"], 105.0, 2.0),
        (["--spread", "sem-population"], 105.0, 2**0.5),
    ],
)
def test_metric_and_spread_can_be_chosen(
    options: list[str], mean: float, error: float, words: tuple[object, ...], catsweep: Command
) -> None:
    answer = json.loads(catsweep(*words, *options, "--format", "json").out)
    (row,) = answer["rows"] if isinstance(answer, dict) else answer
    assert (row["n"], row["mean"], row["error"]) == (2, pytest.approx(mean), pytest.approx(error))


@pytest.mark.parametrize(
    ("output_format", "sign"),
    [
        ("text", "±"),
        ("markdown", "|"),
        ("latex", "\\toprule"),
        ("html", "<table "),
        ("csv", "estimator,latent,metric,n,mean"),
        ("json", "{"),
    ],
)
def test_there_are_six_formats(
    output_format: str, sign: str, words: tuple[object, ...], catsweep: Command
) -> None:
    answer = catsweep(*words, "--format", output_format)
    assert answer.status == 0
    assert sign in answer.out


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        (
            "--metric",
            "test_elbo",
            "unknown metric 'test_elbo'; allowed: train_neg_elbo, train_recon, train_kl, test_neg_elbo, "
            "test_recon, test_kl, epoch_seconds; did you mean 'test_neg_elbo'?",
        ),
        (
            "--format",
            "latx",
            "unknown format 'latx'; allowed: text, markdown, latex, html, csv, json; did you mean 'latex'?",
        ),
        (
            "--spread",
            "sems",
            "unknown spread 'sems'; allowed: std, sem, sem-population, ci; did you mean 'sem'?",
        ),
        (
            "--compare",
            "publishd",
            "unknown comparison 'publishd'; allowed: published, curves; did you mean 'published'?",
        ),
        ("--select", "bst", "unknown selection 'bst'; allowed: best; did you mean 'best'?"),
        (
            "--select-by",
            "test_neg_elbo",
            "unknown metric to select by 'test_neg_elbo'; allowed: train_neg_elbo, train_recon, train_kl; "
            "did you mean 'train_neg_elbo'?",
        ),
    ],
)
def test_an_unknown_name_is_answered_with_what_is_allowed(
    option: str, value: str, expected: str, catsweep: Command, home: Home
) -> None:
    answer = catsweep("tables", "quickstart", "--home", home.path, option, value)
    assert answer == Answer(2, "", f"error: {expected}\n")


def test_what_to_select_by_needs_a_selection(words: tuple[object, ...], catsweep: Command) -> None:
    answer = catsweep(*words, "--select-by", "train_kl")
    expected = "--select-by says by which metric cells are selected, and needs --select best"
    assert answer == Answer(2, "", f"error: {expected}\n")


def test_the_best_cell_of_a_grid_is_shown_with_what_it_was_chosen_from(
    words: tuple[object, ...], catsweep: Command
) -> None:
    answer = catsweep(*words, "--select", "best", "--select-by", "train_recon", "--test")
    assert (answer.status, answer.err) == (0, "")
    assert "105.00 ± 2.83" in answer.out
    assert "1 candidate, 1 with all 2 seeds." in answer.out
    assert "train reconstruction term (train_recon)" in answer.out
    assert "Tests against the best of each latent" in answer.out


def test_an_interval_is_shown_with_its_bounds(words: tuple[object, ...], catsweep: Command) -> None:
    answer = catsweep(*words, "--spread", "ci")
    assert (answer.status, answer.err) == (0, "")
    assert "105.00 [103.00, 107.00]" in answer.out
    assert "An interval of fewer than 5 runs is too narrow" in answer.out


@pytest.mark.parametrize("uri", ["foo://bar", "sqlite:///notes.db"])
def test_what_is_no_store_is_named(uri: str, catsweep: Command) -> None:
    Path("notes.db").write_text("not a database, but several lines of text\n" * 100)
    answer = catsweep("tables", "quickstart", "--tracking-uri", uri)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith(f"error: tracking store {uri} cannot be used: ")
    assert "Traceback" not in answer.err


def test_of_a_sweep_not_begun_there_is_a_table_of_what_is_missing(catsweep: Command, home: Home) -> None:
    answer = catsweep("tables", "quickstart", "--home", home.path)
    assert (answer.status, answer.err) == (0, "")
    assert "n = 0: no run counts yet." in answer.out


READING = ("tables grid.yaml", "figures grid.yaml --out out", "report grid.yaml")


@pytest.mark.parametrize("command", READING)
@pytest.mark.parametrize("options", ["--home typo", "--tracking-uri sqlite:///typo/mlflow.db"])
def test_a_store_that_is_not_there_is_mistyped_and_not_empty(
    command: str, options: str, catsweep: Command, own_folder: Path
) -> None:
    Path("grid.yaml").write_text(SPEC_TEXT)
    answer = catsweep(*command.split(), *options.split())
    assert (answer.status, answer.out) == (2, "")
    assert re.fullmatch(
        r"error: there is no tracking store at sqlite:///.*typo/mlflow\.db yet; catsweep run makes it, and "
        r"--home or --tracking-uri names another\n",
        answer.err,
    )
    assert [path.name for path in own_folder.iterdir()] == ["grid.yaml"]


COMMANDS = (*READING, "plan grid.yaml", "status grid.yaml", "run grid.yaml", "ui")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("name", "reason"), [("grid.yaml", "File exists"), ("a" * 300, "File name too long")]
)
def test_a_home_that_can_be_none_is_named(
    command: str, name: str, reason: str, catsweep: Command, own_folder: Path
) -> None:
    Path("grid.yaml").write_text(SPEC_TEXT)
    assert catsweep(*command.split(), "--home", name) == Answer(
        2,
        "",
        f"error: {own_folder}/{name} must be a folder that can be written ({reason}); choose another home "
        "with --home or CATSWEEP_HOME\n",
    )


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("uri", ["sqlite:///", "sqlite://", "sqlite:///:memory:", "sqlite:///folder"])
def test_an_address_of_no_file_is_named(command: str, uri: str, catsweep: Command) -> None:
    Path("grid.yaml").write_text(SPEC_TEXT)
    Path("folder").mkdir()
    expected = (
        f"tracking store {uri} cannot be used: it must name a file, such as sqlite:////folder/mlflow.db"
    )
    assert catsweep(*command.split(), "--tracking-uri", uri) == Answer(2, "", f"error: {expected}\n")


def test_measured_file_is_of_specs_that_judge_gradients_and_takes_no_other_option(
    words: tuple[object, ...], catsweep: Command
) -> None:
    measured = (*words, "--format", "measured")
    assert catsweep(*measured).err.startswith("error: the spec must be of the task gradient_quality")
    answer = catsweep(*measured, "--metric", "test_kl", "--spread", "sem", "--test")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err == (
        "error: --format measured has all measures with mean and std, and no --metric, --spread, --test\n"
    )


def test_several_sweeps_make_one_table(words: tuple[object, ...], catsweep: Command) -> None:
    Path("other.yaml").write_text(
        SPEC_TEXT.replace("small", "other")
        .replace("seeds: 2", "seeds: [1, 5]")
        .replace("st\n", "[st, gst]\n")
    )
    answer = catsweep("tables", "grid.yaml", "other.yaml", *words[2:], "--format", "json")
    rows = {row["estimator"]: row for row in json.loads(answer.out)}
    assert (rows["st"]["n"], rows["st"]["num_requested"], rows["gst"]["num_requested"]) == (2, 3, 2)


def test_sweeps_of_two_tasks_make_no_table(words: tuple[object, ...], catsweep: Command) -> None:
    answer = catsweep("tables", "grid.yaml", "catlog-figure1", *words[2:])
    assert answer.status == 2
    assert "must be of one task, and these are small of mnist_vae, catlog-figure1 of" in answer.err


def test_rows_columns_digits_and_their_order_can_be_chosen(
    words: tuple[object, ...], catsweep: Command
) -> None:
    Path("grid.yaml").write_text(
        SPEC_TEXT.replace("st\n", "[st, gst, reinmax]\n").replace("8x4", "[8x4, 4x24]")
    )
    text = catsweep(*words, "--estimators", "gst, st", "--latents", "4x24,8x4", "--digits", "0").out
    assert [line.split() for line in text.splitlines()[:4] if "---" not in line] == [
        ["estimator", "4x24", "8x4"],
        ["GST-1.0", "--", "--"],
        ["ST", "--", "105", "±", "3", "#1"],
    ]
    text = catsweep(*words, "--estimators", "gst,st", "--latents", "4x24,8x4", "--transpose").out
    assert [line.split() for line in text.splitlines()[:4] if "---" not in line] == [
        ["latent", "GST-1.0", "ST"],
        ["4x24", "--", "--"],
        ["8x4", "--", "105.00", "±", "2.83", "#1"],
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--transpose", "--compare", "curves"], "--compare has a line for each cell"),
        (["--digits", "1", "--format", "csv"], "at full precision, and no --transpose or --digits"),
        (["--digits", "1", "--format", "measured"], "no --digits"),
        (["--estimators", "rienmax"], "unknown estimator 'rienmax'; allowed: st"),
    ],
)
def test_what_does_not_go_together_is_an_error(
    options: list[str], said: str, words: tuple[object, ...], catsweep: Command
) -> None:
    answer = catsweep(*words, *options)
    assert (answer.status, answer.out) == (2, "")
    assert said in answer.err
