import json
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from analysis import load_runs, render, table
from analysis.runs.frame import runs_frame
from trainables import schema

METRIC = "test_neg_elbo"


def expected(name):
    return (Path(__file__).parents[1] / "expected" / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def small_store(open_store):
    """A store with complete, partial, running, diverged and noted cells."""
    store = open_store()
    for seed, offset in enumerate([-1.0, 1.0]):
        store.add("st", "8x4", seed, [200.0, 137.0 + offset])
        store.add("gst", "8x4", seed, [200.0, 129.5 + offset / 2])
        store.add("st", "4x24", seed, [200.0, 113.0 + offset / 4])
        store.add("st", "4x24", seed, [200.0, 90.0 + offset], lr="0.0007")
    store.add("reinmax", "8x4", 0, [200.0, 127.25])
    store.add("reinmax", "8x4", 1, [200.0], tags={schema.TAG_DIVERGED: "2"})
    store.add("gst", "4x24", 0, [200.0], status="RUNNING")
    return store


@pytest.fixture
def small_table(small_store, request_of):
    requests = [request_of(name, latent) for name in ("st", "gst", "reinmax") for latent in ("8x4", "4x24")]
    printed = request_of("st", "4x24", lr="0.0007", note="as printed in Table 5")
    return table(load_runs(small_store.uri), [*requests, printed])


def test_text_without_a_terminal_writes_ranks_as_marks(small_table):
    assert render(small_table) == expected("small.txt")


def test_markdown_marks_ranks_and_lists_the_notes(small_table):
    assert render(small_table, "markdown") == expected("small.md")


def test_latex_uses_booktabs_and_shows_missing_as_a_dash(small_table):
    assert render(small_table, "latex") == expected("small.tex")


def test_csv_has_one_line_per_cell_at_full_precision(small_table):
    assert render(small_table, "csv") == expected("small.csv")


def test_html_marks_ranks_and_escapes_what_it_shows(small_table):
    assert render(small_table, "html") == expected("small.html")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize(
    "options",
    [{}, {"compare": "published"}, {"spread": "ci"}, {"select": "best", "test": True}],
)
def test_latex_compiles(small_store, request_of, tmp_path, options):
    runs = load_runs(small_store.uri).drop(columns=["train_neg_elbo", "train_neg_elbo_step"])
    runs = runs.rename(columns=lambda name: name.replace(METRIC, "train_neg_elbo"))
    strange = request_of("50%_of{a}\\b$&#~^<τ>", "8x4", note="η, β & more")
    requests = [request_of("st"), request_of("st", lr="0.1"), request_of("reinmax"), strange]
    text = render(table(runs, requests, metric="train_neg_elbo", **options), "latex")
    packages = r"\documentclass{article}\usepackage{booktabs}"
    document = rf"{packages}\begin{{document}}{text}\end{{document}}"
    (tmp_path / "table.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-3000:]


def test_json_holds_the_rows_with_null_for_what_is_undefined(small_table):
    rows = json.loads(render(small_table, "json"))
    assert [list(row) for row in rows] == [list(small_table)] * 7
    assert rows[0]["error"] == 2**0.5
    assert rows[3] == {
        "estimator": "gst",
        "latent": "4x24",
        "metric": METRIC,
        "n": 0,
        "mean": None,
        "error": None,
        "error_kind": "std",
        "rank": None,
        "status": "0 of 2; 1 running, 1 missing",
        "note": "",
        "num_requested": 2,
        "epochs": 2,
        "cell": small_table.loc[3, "cell"],
        "label": "GST-1.0",
        **dict.fromkeys(list(small_table)[14:-1]),
        "optimizer": "adam",
        "lr": 0.0005,
        "temperature": 1.0,
        "gap": 1.0,
        "batch_size": 100,
        "seeds": {},
    }
    assert rows[0]["seeds"] == {"0": 136.0, "1": 138.0}


def test_terminal_shows_ranks_bold_underlined_and_italic(small_table):
    text = render(small_table, terminal=True)
    assert "\x1b[1m127.25 (n=1)\x1b[0m" in text
    assert "\x1b[4m129.50 ± 0.71 (n=2)\x1b[0m" in text
    assert "\x1b[3m137.00 ± 1.41 (n=2)\x1b[0m" in text
    assert "bold best, underlined second, italic third" in text
    assert "#" not in text


def test_narrow_terminal_loses_no_digit(small_table):
    text = "".join(render(small_table, terminal=True, width=30).split("Test negative")[0].split())
    assert "ReinMax" in text
    assert "…" not in text


def test_equal_n_is_stated_once(record):
    runs = runs_frame([record(name, seed=seed) for name in ("st", "gst") for seed in (0, 1)], [METRIC])
    text = render(table(runs))
    assert "n = 2 runs (seeds) in every cell with a mean." in text
    assert "Every cell is complete." in text
    assert "(n=" not in text


def test_table_without_any_run_says_so(request_of):
    lines = render(table(runs_frame([], [METRIC]), [request_of("st"), request_of("gst")])).splitlines()
    assert [line.split() for line in lines[2:4]] == [["ST", "--"], ["GST-1.0", "--"]]
    assert "n = 0: no run counts yet." in lines
    assert "Missing: ST 8x4; GST-1.0 8x4." in lines


@pytest.mark.parametrize(
    ("spread", "line"),
    [
        ("std", "± is the sample standard deviation (ddof=1)."),
        (
            "sem",
            "± is the standard error of the mean "
            "(sample standard deviation, ddof=1, divided by the square root of n).",
        ),
        (
            "sem-population",
            "± is the population standard error "
            "(population standard deviation, ddof=0, divided by the square root of n).",
        ),
    ],
)
def test_every_spread_is_named_in_the_table(record, spread, line):
    runs = runs_frame([record(seed=0), record(seed=1)], [METRIC])
    assert line in render(table(runs, spread=spread)).splitlines()


def test_differing_epochs_duplicates_and_skipped_runs_are_stated(record):
    records = [
        record("st"),
        record("st"),
        record("gst"),
        record("reinmax", epochs=160),
        record("mine", tags={schema.TAG_SCHEMA_VERSION: "2"}),
    ]
    lines = render(table(runs_frame(records, [METRIC]))).splitlines()
    start = "Test negative ELBO (test_neg_elbo) on mnist, in nats per image, after 2 epochs"
    assert f"{start} (but 160 for ReinMax 8x4)." in lines
    assert "1 member has several finished runs; the latest counts." in lines
    assert "Runs of the store that are left out: schema version 2 (1)." in lines


def test_comparison_stands_side_by_side_and_says_what_it_is_worth(small_store, request_of):
    requests = [request_of("st"), request_of("reinmax"), request_of("gst", "4x24")]
    frame = table(load_runs(small_store.uri), requests, compare="published")
    assert render(frame) == expected("compared.txt")


def test_settings_of_the_paper_for_160_epochs_need_no_warning(record):
    settings = {"optimizer": "adam", "lr": "0.001", "temperature": "1.3", "epochs": 160}
    runs = runs_frame([record("st", seed=seed, **settings) for seed in (0, 1)], [METRIC])
    text = render(table(runs, compare="published"))
    assert "Published: Beyond ReinMax as printed" in text
    assert "z is no test" not in text
    assert "other hyperparameters" not in text


def test_seconds_of_table_4_are_said_to_be_of_the_authors_gpu_and_without_an_error(record):
    runs = runs_frame([record(metric="epoch_seconds", value=3.5)], ["epoch_seconds"])
    text = render(table(runs, metric="epoch_seconds", compare="published"))
    assert "Table 4, as printed, in seconds on the authors' GPU; the paper prints no ±. Without ±" in text
    assert "seeds, 5 for" not in text
    assert "after 160" not in text


def test_curves_say_what_their_spread_is(record):
    runs = runs_frame([record("st", seed=seed) for seed in (0, 1)], [METRIC])
    text = render(table(runs, compare="curves"))
    assert "training curves at 8x4" in text
    assert "sample standard deviation (ddof=1) over 10 seeds" in text
    assert "z is no test" not in text


def test_seconds_are_named_as_seconds(record):
    runs = runs_frame([record(metric="epoch_seconds", value=3.5)], ["epoch_seconds"])
    text = render(table(runs, metric="epoch_seconds"))
    assert "Time per epoch (epoch_seconds) on mnist, in seconds, after 2 epochs." in text


def test_empty_table_renders_in_every_format(record):
    frame = table(runs_frame([], [METRIC]))
    assert render(frame, "json") == "[]\n"
    assert render(frame, "csv").splitlines() == [",".join(frame.drop(columns="seeds"))]
    for format_ in ("text", "markdown", "latex", "html"):
        assert "No cell is asked for and none is in the store." in render(frame, format_)


def test_one_table_shows_one_metric(record):
    frame = table(runs_frame([record()], [METRIC]))
    both = pd.concat([frame, frame.assign(metric="train_neg_elbo")])
    with pytest.raises(ValueError, match="one table shows one metric, got test_neg_elbo, train_neg_elbo"):
        render(both)


def test_unknown_format_names_the_nearest():
    message = "unknown format 'latx'; allowed: text, markdown, latex, html, csv, json; did you mean 'latex'"
    with pytest.raises(ValueError, match=message):
        render(pd.DataFrame(), "latx")
