"""Tables in LaTeX fit the pages of `article`, in one column and in two."""

import re
import shutil
import subprocess

import pytest

from analysis import render, table
from analysis.runs.frame import runs_frame
from tests.analysis.test_table_2 import requests_and_values

TRAIN = "train_neg_elbo"
ARTICLES = [
    r"\documentclass{article}",
    r"\documentclass[twocolumn]{article}",
    r"\documentclass[a4paper,twocolumn]{article}",
]


@pytest.fixture
def table_2(record):
    """Return a function that makes the paper's Table 2, with the cells beside it."""

    def make(num_seeds=10, **options):
        requests, records = [], []
        for request, values in requests_and_values():
            cell = request.cell
            params = {name: value for name, value in cell.params.items() if name not in _PLACE}
            requests.append(request)
            records += [
                record(cell.estimator, cell.latent, seed, value, metric=TRAIN, **params)
                for seed, value in zip(range(num_seeds), values, strict=False)
            ]
        return table(runs_frame(records, [TRAIN]), requests, metric=TRAIN, **options)

    return make


_PLACE = ("estimator", "categorical_dim", "latent_dim")


@pytest.fixture
def grid(record):
    """A table of many settings at one latent, in a row each."""
    params = [
        {"optimizer": optimizer, "lr": lr, "temperature": temperature}
        for optimizer in ("adam", "radam")
        for lr in ("0.001", "0.0007", "0.0005")
        for temperature in map(str, range(1, 11))
    ]
    records = [
        record("reinmax_rao", latent, seed, 100.0 + seed, metric=TRAIN, **one)
        for latent in ("8x4", "4x24", "8x16", "16x12", "64x8")
        for one in params
        for seed in (0, 1)
    ]
    return lambda **options: table(runs_frame(records, [TRAIN]), metric=TRAIN, **options)


def log_of(text, article, folder):
    """Compile a document with a table, and return LaTeX's log."""
    document = rf"{article}\usepackage{{booktabs}}\begin{{document}}Before.{text}After.\end{{document}}"
    (folder / "table.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-3000:]
    return (folder / "table.log").read_text(encoding="utf-8", errors="replace")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("article", ARTICLES)
@pytest.mark.parametrize(
    ("which", "options"),
    [
        ("table_2", {}),
        ("table_2", {"spread": "ci", "num_seeds": 3}),
        ("table_2", {"compare": "published"}),
        ("table_2", {"select": "best", "select_by": TRAIN, "test": True, "compare": "curves"}),
        ("grid", {}),
        ("grid", {"select": "best", "select_by": TRAIN, "test": True}),
        ("grid", {"compare": "published"}),
    ],
)
def test_nothing_is_wider_or_taller_than_the_page(article, which, options, request, tmp_path):
    text = render(request.getfixturevalue(which)(**options), "latex")
    log = log_of(text, article, tmp_path)
    assert re.findall(r"Overfull.*|.*too large.*|.*multiply defined.*|.*unprocessed.*", log) == []


def test_latents_that_do_not_fit_beside_each_other_stand_below_each_other(table_2):
    text = render(table_2(), "latex")
    assert text.count(r"\begin{table*}") == 1
    headers = re.findall(r"estimator & (.*) \\\\", text)
    assert headers == [
        r"$8\times4$ & $4\times24$ & $8\times16$",
        r"$16\times12$ & $64\times8$ & $10\times30$",
    ]
    first, second = text.split(r"\toprule")[1:]
    assert ("ST (as printed" in first, "ST (as printed" in second) == (False, True)


def test_what_fits_in_a_column_stays_in_it(record):
    runs = runs_frame([record("st", seed=seed) for seed in (0, 1)], ["test_neg_elbo"])
    text = render(table(runs), "latex")
    assert r"\begin{table}" in text
    assert r"\label{tab:test-neg-elbo}" in text


def test_what_is_too_tall_is_continued_with_a_label_of_its_own(grid):
    text = render(grid(), "latex")
    labels = re.findall(r"\\label\{(.*)\}", text)
    assert labels == [
        "tab:train-neg-elbo",
        *(f"tab:train-neg-elbo-{part}" for part in range(2, len(labels) + 1)),
    ]
    assert len(labels) > 2
    assert text.count("(continued).}") == len(labels) - 1
    assert len(re.findall(r"ReinMax-Rao adam", text)) == len(re.findall("ReinMax-Rao radam", text)) >= 30


def test_tables_of_one_document_have_labels_of_their_own(table_2):
    text = render(table_2(select="best", select_by=TRAIN, test=True), "latex")
    assert re.findall(r"\\label\{(.*)\}", text)[-1].startswith("tab:train-neg-elbo-tests-against")
    assert r"\label{tab:train-neg-elbo-published}" in render(table_2(compare="published"), "latex")


def test_shapes_are_set_as_papers_print_them_and_one_run_has_no_spread(record):
    runs = runs_frame([record("st"), record("gst", "10x30")], ["test_neg_elbo"])
    text = render(table(runs), "latex")
    assert r"$8\times4$ & $10\times30$" in text
    assert re.search(r"\dx\d", text) is None
    assert r"\textbf{100.00}" in text
    assert r"$\pm$ --" not in text
