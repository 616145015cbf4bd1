import math

import pytest

from analysis import render, table
from analysis.published import printed as published
from analysis.published.comparison import fair_comparison
from analysis.runs.frame import runs_frame

METRIC = "test_neg_elbo"


@pytest.fixture
def compared(record):
    """Return a function that compares one cell, seeds 0, 1, .., and gives its row."""

    def make(estimator, latent, values, *, compare="published", metric=METRIC, spread="std", **params):
        records = [
            record(estimator, latent, seed, value, metric=metric, **params)
            for seed, value in enumerate(values)
        ]
        frame = table(runs_frame(records, [metric]), metric=metric, spread=spread, compare=compare)
        return frame.to_dict("records")[0]

    return make


@pytest.mark.parametrize("spread", ["std", "sem-population"])
def test_z_comes_from_sample_standard_errors_whatever_is_shown(compared, spread):
    # printed 137.01 ± 0.45 (population, n=10): sample sem 0.45 * sqrt(10/9) = 0.474342;
    # ours 137.0 and 139.0: mean 138.0, sample std 1.414214, sem 1.0; z = 0.99 / sqrt(1 + 0.225)
    row = compared("st", "8x4", [137.0, 139.0], spread=spread)
    assert (row["published"], row["published_error"]) == (137.01, 0.45)
    assert row["difference"] == pytest.approx(0.99)
    assert row["z"] == pytest.approx(0.99 / math.sqrt(1.225))


def test_cell_with_five_published_seeds_is_converted_with_five(compared):
    # printed 111.28 ± 6.70, n=5: squared sample sem 44.89 * 5/4 = 56.1125; ours: sem 1.0
    row = compared("gumbel_rao", "16x12", [110.0, 112.0])
    assert row["z"] == pytest.approx(-0.28 / math.sqrt(57.1125))


def test_one_run_has_a_difference_and_no_z(compared):
    row = compared("st", "8x4", [138.01])
    assert row["difference"] == pytest.approx(1.0)
    assert math.isnan(row["z"])


def test_published_value_without_an_error_gives_no_z(compared):
    row = compared("st", "8x4", [4.0, 5.0], metric="epoch_seconds")
    assert (row["published"], row["difference"]) == (3.79, pytest.approx(0.71))
    assert math.isnan(row["published_error"])
    assert math.isnan(row["z"])


@pytest.mark.parametrize(
    ("estimator", "latent", "params"),
    [
        ("mine", "8x4", {}),
        ("st", "9x9", {}),
        ("st", "8x4", {"dataset": "omniglot"}),
        ("st", "8x4", {"task": "other"}),
    ],
)
def test_nothing_is_compared_where_nothing_is_published(compared, estimator, latent, params):
    row = compared(estimator, latent, [1.0, 2.0], **params)
    assert all(math.isnan(row[name]) for name in ("published", "published_error", "difference", "z"))


def test_curve_is_read_at_the_runs_own_number_of_epochs(compared):
    # published at epoch 2: 158.034, sample std 19.875 over 10; ours 159.034: sem 1.0
    row = compared("st", "8x4", [158.034, 160.034], compare="curves")
    assert (row["published"], row["published_error"]) == (158.034, 19.875)
    assert row["difference"] == pytest.approx(1.0)
    assert row["z"] == pytest.approx(1.0 / math.sqrt(1 + 19.875**2 / 10))


@pytest.mark.parametrize(("latent", "epochs"), [("8x4", 4), ("4x24", 2)])
def test_curve_gives_nothing_at_an_epoch_or_latent_it_does_not_have(compared, latent, epochs):
    row = compared("st", latent, [1.0, 2.0], compare="curves", epochs=epochs)
    assert math.isnan(row["published"])


def test_metric_of_which_nothing_is_published_is_refused(compared):
    message = (
        "unknown metric to compare with the authors' training curves at 8x4: 'epoch_seconds'; allowed: train"
    )
    with pytest.raises(ValueError, match=message):
        compared("st", "8x4", [1.0], metric="epoch_seconds", compare="curves")


@pytest.fixture
def as_published(request_of):
    """Return a function that makes a cell with the settings behind its printed result, changed as asked."""

    def make(estimator="st", latent="8x4", epochs=160, **changes):
        settings = {**published.settings_as_run(estimator, latent), **changes}
        note = settings.pop("note", "")
        return request_of(estimator, latent, epochs=epochs, note=note, **settings).cell

    return make


def test_whole_table_is_compared_where_settings_and_epochs_are_those_published(as_published):
    first = fair_comparison
    assert first([as_published(), as_published("reinmax", "4x24")], METRIC) == "published"
    assert first([as_published(epochs=3), as_published("gst", epochs=100)], METRIC) == "curves"
    assert first([as_published(epochs=4)], METRIC) is None
    assert first([as_published("st", "4x24", epochs=3)], METRIC) is None
    for changes in ({"lr": "0.5"}, {"batch_size": "50"}, {"precision": "tf32"}):
        assert first([as_published(), as_published("gst", **changes)], METRIC) is None
        assert first([as_published(epochs=3, **changes)], METRIC) is None


def test_cells_of_which_nothing_is_published_and_those_beside_the_table_do_not_matter(as_published):
    mine, noted = as_published("mine", lr="0.5", optimizer="adam"), as_published(lr="0.5", note="mine")
    assert fair_comparison([mine, as_published(), noted], METRIC) == "published"
    assert fair_comparison([mine, noted], METRIC) is None
    assert fair_comparison([as_published("reinmax_cv", epochs=3), as_published(epochs=3)], METRIC) == "curves"
    assert fair_comparison([as_published()], "train_recon") is None


def test_cells_without_a_published_number_are_named_below_the_table(record):
    runs = runs_frame([record("st"), record("reinmax_cv")], [METRIC])
    text = render(table(runs, compare="curves"))
    assert "Nothing is published of ReinMax-CV 8x4." in text
    assert "authors' runs" in text.splitlines()[0]
