import math
import warnings

import pytest

from analysis import render, table
from analysis.runs.frame import runs_frame
from analysis.statistics.significance import holm, probability_of_improvement, welch_p
from trainables import schema

METRIC = "test_neg_elbo"


@pytest.fixture
def tested(record):
    """Return a function that tests cells, given as values by estimator, and gives rows by estimator."""

    def make(values, metric=METRIC, **options):
        records = [
            record(name, "8x4", seed, value, metric=metric)
            for name, cell in values.items()
            for seed, value in enumerate(cell)
        ]
        frame = table(runs_frame(records, [metric]), metric=metric, test=True, **options)
        return {row["estimator"]: row for row in frame.to_dict("records")}

    return make


def test_welch_is_the_t_test_without_equal_variances():
    # means 2 and 5, variances 1 and 4, n = 3 each: t = -3 / sqrt(5/3) = -2.3238; the degrees of freedom are
    # (5/3)^2 / (17/18) = 50/17, which gives p = 0.1046; Student's own test, with 4, would give 0.0807
    assert welch_p([1.0, 2.0, 3.0], [3.0, 5.0, 7.0]) == pytest.approx(0.1046, abs=5e-4)


@pytest.mark.parametrize(("a", "b"), [([1.0], [1.0, 2.0]), ([], [1.0, 2.0]), ([3.0, 3.0], [1.0, 1.0])])
def test_welch_is_undefined_without_a_spread(a, b):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(welch_p(a, b))


def test_one_side_without_spread_can_be_tested():
    # t = -3 / sqrt(1/3) = -5.196 with 2 degrees of freedom: p = 0.0351
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert welch_p([1.0, 2.0, 3.0], [5.0, 5.0, 5.0]) == pytest.approx(0.0351, abs=5e-5)


def test_holm_steps_down_from_the_smallest():
    # 4 * 0.01, then 3 * 0.015 = 0.045, then 2 * 0.04 = 0.08, then 0.05 raised to the one before
    assert holm([0.04, 0.01, 0.05, 0.015]) == pytest.approx([0.08, 0.04, 0.08, 0.045])


def test_holm_stops_at_one_and_keeps_ties_equal():
    assert holm([0.6, 0.6, 0.6]) == [1.0, 1.0, 1.0]
    assert holm([]) == []


def test_holm_does_not_count_what_is_undefined():
    corrected = holm([0.02, math.nan, 0.03])
    assert corrected[::2] == pytest.approx([0.04, 0.04])
    assert math.isnan(corrected[1])


@pytest.mark.parametrize(
    ("a", "b", "share"),
    [
        ([1.0, 2.0], [3.0, 4.0], 1.0),
        ([3.0, 4.0], [1.0, 2.0], 0.0),
        ([1.0, 3.0], [2.0, 3.0], 2.5 / 4),
        ([2.0, 2.0], [2.0, 2.0], 0.5),
        ([1.0], [2.0], 1.0),
    ],
)
def test_probability_of_improvement_counts_pairs_and_half_the_ties(a, b, share):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert probability_of_improvement(a, b) == share
        assert probability_of_improvement(a, b, higher_is_better=True) == 1 - share


def test_probability_of_improvement_needs_a_value_on_both_sides():
    assert math.isnan(probability_of_improvement([], [1.0]))


def test_cells_are_tested_against_the_best_of_their_column(tested):
    rows = tested({"st": [5.0, 6.0, 7.0], "gst": [1.0, 2.0, 3.0], "reinmax": [2.0, 3.0, 4.0]})
    best = rows["gst"]
    assert {row["best"] for row in rows.values()} == {best["cell"]}
    assert all(math.isnan(best[name]) for name in ("to_best", "p_welch", "p_holm", "p_better"))
    assert (rows["st"]["to_best"], rows["reinmax"]["to_best"]) == (4.0, 1.0)
    assert rows["st"]["p_welch"] == pytest.approx(welch_p([5, 6, 7], [1, 2, 3]))
    assert rows["st"]["p_holm"] == pytest.approx(2 * rows["st"]["p_welch"])
    assert rows["reinmax"]["p_holm"] == rows["reinmax"]["p_welch"]
    assert rows["reinmax"]["p_better"] == pytest.approx(2 / 9)


def test_of_two_that_share_the_first_rank_the_first_is_the_best(tested):
    rows = tested({"st": [1.0, 3.0], "gst": [1.0, 3.0], "reinmax": [8.0, 9.0]})
    assert {row["rank"] for row in rows.values()} == {1, 3}
    assert rows["gst"]["best"] == rows["st"]["cell"]
    assert (rows["gst"]["p_welch"], rows["gst"]["p_better"]) == (1.0, 0.5)


def test_one_run_has_no_p_and_none_has_no_test(tested):
    rows = tested({"st": [1.0], "gst": [2.0, 3.0], "reinmax": [math.nan]})
    assert math.isnan(rows["gst"]["p_welch"])
    assert rows["gst"]["p_better"] == 0.0
    assert rows["reinmax"]["status"] == "0 of 1; 1 diverged"
    assert rows["reinmax"]["best"] == ""


def test_the_highest_cosine_is_the_best_and_better_is_higher(tested):
    rows = tested({"st": [0.8, 0.9], "gst": [0.1, 0.85]}, metric="gradient_cosine")
    assert rows["gst"]["best"] == rows["st"]["cell"]
    assert rows["gst"]["p_better"] == 0.25


def test_noted_cells_and_other_columns_are_not_in_the_family(record, request_of):
    records = [
        record(name, latent, seed, value + seed, lr=lr)
        for name, latent, value, lr in (
            ("st", "8x4", 1.0, "0.0005"),
            ("gst", "8x4", 2.0, "0.0005"),
            ("st", "8x4", 0.0, "0.0007"),
            ("gst", "4x24", 0.5, "0.0005"),
        )
        for seed in range(3)
    ]
    seeds = range(3)
    requests = [
        request_of("st", seeds=seeds),
        request_of("gst", seeds=seeds),
        request_of("st", seeds=seeds, lr="0.0007", note="as printed"),
        request_of("gst", "4x24", seeds=seeds),
    ]
    frame = table(runs_frame(records, [METRIC]), requests, test=True)
    assert frame["best"].tolist() == [frame["cell"][0]] * 2 + ["", frame["cell"][3]]
    assert frame["p_holm"].tolist()[1] == frame["p_welch"].tolist()[1]


def test_tests_stand_below_the_table_and_say_what_they_are_worth(record):
    records = [
        record(name, "8x4", seed, value + seed)
        for name, value in (("st", 1.0), ("gst", 1.5), ("reinmax", 50.0))
        for seed in range(4)
    ]
    text = render(table(runs_frame(records, [METRIC]), test=True))
    below = text.split("Tests against the best of each latent\n\n")[1].splitlines()
    assert [line.split() for line in below[:1] + below[2:5]] == [
        ["estimator", "latent", "n", "difference", "p", "p", "(Holm)", "P(better)"],
        ["ST", "8x4", "4", "best", "--", "--", "--"],
        ["GST-1.0", "8x4", "4", "+0.50", "0.604", "0.604", "0.38"],
        ["ReinMax", "8x4", "4", "+49.00", "<0.001", "<0.001", "0.00"],
    ]
    assert "The best was picked by these same runs, which makes p too small." in text


def test_members_of_another_schema_version_are_not_tested(record):
    old = record("gst", "8x4", 0, 0.0, tags={schema.TAG_SCHEMA_VERSION: "0"})
    frame = table(runs_frame([record("st", "8x4", 0, 1.0), old], [METRIC]), test=True)
    assert frame["estimator"].tolist() == ["st"]
    assert frame.attrs["skipped"] == {"schema version 0": 1}
