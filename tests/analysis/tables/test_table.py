import math

import pandas as pd
import pytest

from analysis import render, table
from analysis.runs.frame import runs_frame
from trainables import schema

METRIC = "test_neg_elbo"
COLUMNS = [
    "estimator", "latent", "metric", "n", "mean", "error", "error_kind", "rank", "status", "note",
    "num_requested", "epochs", "cell", "label", "optimizer", "lr", "temperature", "eta", "beta",
    "num_mc_samples", "gap", "num_samples", "temperature_decay", "temperature_floor", "batch_size", "seeds",
]  # fmt: skip


@pytest.fixture
def rows(record):
    """Return a function that makes the table of some records, as a list of rows."""

    def make(records, requests=None, **options):
        return table(runs_frame(records, [METRIC]), requests, **options).to_dict("records")

    return make


def test_columns_stand_in_the_promised_order(record):
    frame = table(runs_frame([record()], [METRIC]))
    assert list(frame) == COLUMNS
    compared = table(runs_frame([record()], [METRIC]), compare="published")
    assert list(compared) == [*COLUMNS, "published", "published_error", "difference", "z", "erratum"]


def test_row_holds_the_statistics_of_its_seeds(record, rows, request_of):
    request = request_of("st", "8x4", [0, 1, 2])
    (row,) = rows([record(seed=seed, value=value) for seed, value in enumerate([100, 101, 105])], [request])
    assert row == {
        "estimator": "st",
        "latent": "8x4",
        "metric": METRIC,
        "n": 3,
        "mean": 102.0,
        "error": pytest.approx(math.sqrt(14 / 2)),
        "error_kind": "std",
        "rank": 1,
        "status": "complete",
        "note": "",
        "num_requested": 3,
        "epochs": 2,
        "cell": request.cell.hash,
        "label": "ST",
        **dict.fromkeys(COLUMNS[14:-1], ""),
        "optimizer": "adam",
        "lr": "0.0005",
        "temperature": "1.0",
        "batch_size": "100",
        "seeds": {0: 100.0, 1: 101.0, 2: 105.0},
    }


@pytest.mark.parametrize(("spread", "error"), [("sem", 1.0), ("sem-population", math.sqrt(0.5))])
def test_spread_is_the_one_asked_for(record, rows, spread, error):
    (row,) = rows([record(seed=0, value=100), record(seed=1, value=102)], spread=spread)
    assert (row["error"], row["error_kind"]) == (pytest.approx(error), spread)


def test_only_the_requested_seeds_count(record, rows, request_of):
    records = [record(seed=seed, value=100 + seed) for seed in range(5)]
    (row,) = rows(records, [request_of(seeds=[1, 3])])
    assert (row["n"], row["mean"], row["num_requested"]) == (2, 102.0, 2)


def test_members_that_do_not_count_are_left_out_and_named(record, rows, request_of):
    records = [
        record(seed=0, value=100),
        record(seed=1, value=1, tags={schema.TAG_DIVERGED: "2"}),
        record(seed=2, value=1, status="FAILED"),
        record(seed=3, value=1, status="RUNNING"),
        record(seed=4, value=1, step=1),
    ]
    (row,) = rows(records, [request_of(seeds=range(6))])
    assert (row["n"], row["mean"]) == (1, 100.0)
    assert row["status"] == "1 of 6; 1 running, 1 failed, 1 diverged, 1 incomplete, 1 missing"
    assert math.isnan(row["error"])


def test_missing_cell_is_shown_without_a_number(record, rows, request_of):
    shown = rows([record()], [request_of("gst"), request_of("st", seeds=[0])])
    assert [(row["estimator"], row["n"], row["status"]) for row in shown] == [
        ("gst", 0, "missing"),
        ("st", 1, "complete"),
    ]
    assert math.isnan(shown[0]["mean"])
    assert pd.isna(shown[0]["rank"])


def test_ranks_are_within_a_latent_and_ties_share_one(record, rows):
    values = {"st": 3.0, "gst": 1.0, "reinmax": 1.0, "reinmax_rao": 2.0}
    records = [record(name, "8x4", value=value) for name, value in values.items()]
    shown = rows([*records, record("st", "4x24", value=50.0)])
    ranks = {(row["estimator"], row["latent"]): row["rank"] for row in shown}
    assert ranks == {
        ("gst", "8x4"): 1,
        ("reinmax", "8x4"): 1,
        ("reinmax_rao", "8x4"): 3,
        ("st", "8x4"): 4,
        ("st", "4x24"): 1,
    }


def test_a_metric_that_is_each_estimators_own_ranks_and_tests_nobody(record):
    shape = {"metric": "train_loss", "task": "mnist_addition", "num_samples": 10}
    records = [
        record(name, "10x4", seed, value, **shape)
        for name, values in (("rloo", (3.0, 4.0)), ("indecater", (1.0, 2.0)))
        for seed, value in enumerate(values)
    ]
    frame = table(runs_frame(records, ["train_loss"]), metric="train_loss", test=True)
    assert frame["rank"].isna().all()
    assert frame["p_welch"].isna().all()
    text = render(frame, "text")
    assert "Each cell's value of this metric is of a quantity of its own" in text
    assert "#1" not in text


def test_cells_of_other_lengths_data_or_precision_are_not_ranked_against_each_other(record, rows):
    changes = [{}, {"epochs": 160}, {"dataset": "omniglot"}, {"precision": "tf32"}]
    records = [record(value=value, **change) for value, change in enumerate(changes)]
    assert [row["rank"] for row in rows(records)] == [None] * 4


def test_a_cell_that_none_can_be_compared_with_is_not_the_best(record):
    records = [record("indecater", value=191, epochs=99), record("rloo", value=128), record("st", value=117)]
    frame = table(runs_frame(records, [METRIC]), metric=METRIC, test=True)
    ranks = dict(zip(frame["estimator"], frame["rank"].fillna(0), strict=True))
    assert ranks == {"indecater": 0, "rloo": 2, "st": 1}
    text = render(frame, "text")
    assert "Cells of one latent that differ in epochs are not ranked against each other." in text
    assert [line.split()[0] for line in text.splitlines() if "117.00 #1" in line] == ["ST"]


def test_precision_that_is_stated_is_the_default_s_equal(record, rows):
    records = [record("st", value=1), record("gst", value=2, precision="float32")]
    assert [row["rank"] for row in rows(records)] == [1, 2]


def test_noted_cell_is_shown_and_never_ranked(record, rows, request_of):
    records = [record(value=5, lr="0.007"), record(value=1, lr="0.0007"), record("gst", value=6)]
    requests = [
        request_of(seeds=[0], lr="0.007"),
        request_of(seeds=[0], lr="0.0007", note="as printed in Table 5"),
        request_of("gst", seeds=[0]),
    ]
    shown = rows(records, requests)
    assert [(row["label"], row["mean"]) for row in shown] == [
        ("ST", 5.0),
        ("ST (as printed in Table 5)", 1.0),
        ("GST-1.0", 6.0),
    ]
    assert [row["rank"] for row in shown if not row["note"]] == [1, 2]
    assert pd.isna(shown[1]["rank"])


def test_note_of_the_runs_serves_where_nothing_is_requested(record, rows):
    tags = {schema.TAG_NOTE: "as printed in Table 5"}
    shown = rows([record(value=1, lr="0.0007", tags=tags), record(value=5, lr="0.007")])
    assert [row["label"] for row in shown] == ["ST", "ST (as printed in Table 5)"]


def test_everything_in_the_frame_comes_in_the_papers_order(record, rows):
    names = [("mine", "8x4"), ("reinmax", "4x24"), ("reinmax", "8x4"), ("stgs", "10x30"), ("reinmax", "3x3")]
    shown = rows([record(name, latent) for name, latent in names])
    assert [(row["estimator"], row["latent"]) for row in shown] == [
        ("stgs", "10x30"),
        ("reinmax", "8x4"),
        ("reinmax", "4x24"),
        ("reinmax", "3x3"),
        ("mine", "8x4"),
    ]


def test_runs_of_other_spellings_are_one_cell(record, rows):
    records = [
        record("reinmax_cv", seed=0, lr="7e-4", eta="1"),
        record("reinmax_cv", seed=1, lr="0.00070", num_mc_samples="100"),
    ]
    (row,) = rows(records)
    assert (row["n"], row["status"]) == (2, "complete")


def test_cell_requested_twice_is_one_row_with_the_seeds_of_both(record, rows, request_of):
    requests = [request_of(seeds=[0, 1]), request_of(seeds=[1, 2], temperature="1.0")]
    (row,) = rows([record(seed=seed) for seed in range(3)], requests)
    assert (row["n"], row["num_requested"]) == (3, 3)


def test_duplicates_count_once_and_are_reported(record):
    runs = runs_frame([record(value=1.0), record(value=3.0), record(seed=1, value=5.0)], [METRIC])
    frame = table(runs)
    assert frame[["n", "mean"]].values.tolist() == [[2, 4.0]]
    assert frame.attrs["num_duplicated"] == 1


def test_empty_store_shows_what_was_requested_as_missing(rows, request_of):
    (row,) = rows([], [request_of()])
    assert (row["n"], row["status"]) == (0, "missing")
    assert rows([]) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"metric": "test_neg_elb"},
            "unknown metric 'test_neg_elb'; allowed: test_neg_elbo; did you mean 'test_neg_elbo'\\?",
        ),
        ({"spread": "variance"}, "unknown spread 'variance'; allowed: std, sem, sem-population"),
        ({"compare": "paper"}, "unknown comparison 'paper'; allowed: published, curves"),
    ],
)
def test_unknown_names_are_refused(record, options, message):
    with pytest.raises(ValueError, match=message):
        table(runs_frame([record()], [METRIC]), **options)
