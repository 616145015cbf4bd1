"""Tables of the task gradient_quality: what is best, how it is shown, and what it is compared with."""

import pytest

from analysis import render, table
from analysis.runs.frame import runs_frame

JUDGING = {
    "task": "gradient_quality",
    "epochs": 50,
    "temperature": "1.3",
    "trained_with": "reinmax",
    "trained_temperature": "1.3",
    "measured_epochs": "50",
    "num_draws": "1024",
}


@pytest.fixture
def judged(record):
    """Return a function that makes a table of one metric from each estimator's value for two seeds."""

    def make(metric, values, compare=None, **changes):
        records = [
            record(estimator, "8x4", seed, value + seed / 1000, metric=metric, **{**JUDGING, **changes})
            for estimator, value in values.items()
            for seed in range(2)
        ]
        return table(runs_frame(records, [metric]), metric=metric, compare=compare)

    return make


def ranks(frame):
    return dict(zip(frame["estimator"], frame["rank"], strict=True))


@pytest.mark.parametrize("metric", ["gradient_cosine", "gradient_cosine_batch"])
def test_the_highest_cosine_is_the_best(judged, metric):
    frame = judged(metric, {"st": 0.9, "reinmax": 0.99, "gst": 0.5})
    assert ranks(frame) == {"reinmax": 1, "st": 2, "gst": 3}
    text = render(frame)
    assert "highest is best" in text
    assert "0.9905 ± 0.0007 #1" in text


@pytest.mark.parametrize("name", ["markdown", "latex"])
def test_every_format_says_what_is_best(judged, name):
    assert "highest is best" in render(judged("gradient_cosine", {"st": 0.9}), name)
    assert "lowest is best" in render(judged("gradient_std", {"st": 0.9}), name)


def test_the_smallest_spread_is_the_best(judged):
    assert ranks(judged("gradient_relative_std", {"st": 2.0, "reinmax": 3.0})) == {"st": 1, "reinmax": 2}


@pytest.mark.parametrize(
    "change",
    [
        {"trained_with": "st"},
        {"trained_temperature": "0.5"},
        {"lr": "0.1"},
        {"optimizer": "radam"},
        {"num_draws": "9"},
        {"batch_size": "50"},
    ],
)
def test_estimators_judged_in_different_trainings_are_not_ranked_together(change, record):
    records = [
        record(name, "8x4", 0, value, metric="gradient_std", **{**JUDGING, **changes})
        for name, value, changes in (("st", 2.0, {}), ("gst", 3.0, change), ("reinmax", 1.0, change))
    ]
    frame = table(runs_frame(records, ["gradient_std"]), metric="gradient_std")
    ranks = dict(zip(frame["estimator"], frame["rank"].fillna(0), strict=True))
    assert ranks == {"st": 0, "gst": 2, "reinmax": 1}


@pytest.mark.parametrize("metric", ["gradient_std", "gradient_relative_std"])
def test_the_spread_is_compared_with_table_1(judged, metric):
    frame = judged(metric, {"reinmax": 7.0, "st": 2.8}, "published")
    printed = dict(zip(frame["estimator"], frame["published"], strict=True))
    assert printed == {"reinmax": 7.4, "st": 2.733}
    text = render(frame)
    assert "epochs, ours after" not in text
    assert "other hyperparameters" not in text


def test_other_epochs_or_temperatures_than_those_of_table_1_are_said(judged):
    text = render(judged("gradient_std", {"reinmax": 7.0}, "published", epochs=3, temperature="1.0"))
    assert "The published values are after 50 epochs, ours after 3" in text
    assert "other hyperparameters than ours of ReinMax 8x4" in text


def test_losses_of_the_judged_model_are_compared_with_nothing(judged):
    frame = judged("test_neg_elbo", {"reinmax": 130.0}, "published")
    assert frame["published"].isna().all()


def test_a_ratio_is_in_no_unit(judged):
    text = render(judged("gradient_cosine_batch", {"st": 0.9}))
    assert "of the batch (gradient_cosine_batch) on mnist, after 50 epochs." in text


def test_numbers_of_table_1_are_said_to_be_of_one_model_and_without_an_error(judged):
    text = render(judged("gradient_std", {"reinmax": 7.0}, "published", epochs=3))
    assert "Published: Beyond ReinMax, Table 1, as printed, of one model; the paper prints no ±" in text
    assert "seeds, 5 for" not in text
    assert "standard error" not in text
    assert "Without ± there is no z." in text


def test_table_of_which_nothing_is_published_says_so(judged):
    text = render(judged("test_neg_elbo", {"reinmax": 130.0}, "published"))
    assert "Published: the printed tables of Beyond ReinMax have no number for these cells." in text
    assert "seeds, 5 for" not in text


def test_a_task_without_epochs_of_its_own_says_nothing_of_them(record):
    shared = {"task": "synthetic_gradient", "epochs": 1, "num_draws": "100"}
    records = [
        record(estimator, "3x12", 0, value, metric="cosine_variance", num_samples=count, **shared)
        for estimator, count, value in (("indecater", "1", 1.25e-25), ("rloo", "1000", 6e-6))
    ]
    text = render(table(runs_frame(records, ["cosine_variance"]), metric="cosine_variance"))
    (line,) = [line for line in text.splitlines() if "(cosine_variance)" in line]
    assert line == "Variance of the cosine with the exact gradient (cosine_variance) on mnist."
    assert "RLOO N 1000     6.0e-06 #2\nIndeCateR N 1   1.2e-25 #1\n" in text
