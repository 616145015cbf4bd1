import math
from collections import Counter

import pytest

from analysis.published import printed as published


def result(estimator, latent, metric):
    (found,) = [
        line
        for line in published.results()
        if (line.estimator, line.latent, line.metric) == (estimator, latent, metric)
    ]
    return found


def test_tables_are_whole():
    assert Counter(line.table for line in published.results()) == {
        "Table 1": 3,
        "Table 2": 42,
        "Table 3": 42,
        "Table 4": 7,
    }
    assert len(published.hyperparameters()) == 42
    assert len(published.corrections()) == 3
    assert len(published.training_curves()) == 6 * 9


def test_printed_error_becomes_a_sample_standard_error_with_the_seeds_there_were():
    ten, five = result("st", "8x4", "train_neg_elbo"), result("gumbel_rao", "16x12", "train_neg_elbo")
    assert (ten.value, ten.error, ten.num_seeds) == (136.40, 0.41, 10)
    assert ten.sample_sem == pytest.approx(0.41 * math.sqrt(10 / 9))
    assert (five.value, five.error, five.num_seeds) == (109.72, 6.83, 5)
    assert five.sample_sem == pytest.approx(6.83 * math.sqrt(5 / 4))
    assert result("gumbel_rao", "8x16", "test_neg_elbo").num_seeds == 5
    assert result("gumbel_rao", "8x4", "test_neg_elbo").num_seeds == 10


def test_number_without_an_error_has_none():
    assert math.isnan(result("st", "8x4", "epoch_seconds").error)
    assert {line.table for line in published.results() if not line.has_error} == {"Table 1", "Table 4"}
    assert all(math.isfinite(line.error) == line.has_error for line in published.results())


def test_every_table_says_after_which_epochs_its_numbers_are_and_what_of():
    assert {line.table: line.epochs for line in published.results()} == {
        "Table 1": 50,
        "Table 2": 160,
        "Table 3": 160,
        "Table 4": None,
    }
    bases = {line.table: line.basis for line in published.results()}
    assert bases["Table 1"].startswith("of one model")
    assert bases["Table 4"].startswith("in seconds on the authors' GPU")
    assert bases["Table 2"] == bases["Table 3"] == "over 10 seeds, 5 for Gumbel-Rao at 8x16 and 16x12"


def test_curves_end_at_the_printed_results():
    for point in published.training_curves():
        if point.epoch == published.EPOCHS:
            for metric in published.CURVE_METRICS:
                printed = result(point.estimator, "8x4", metric)
                assert point.mean[metric] == pytest.approx(printed.value, abs=0.0051)
                assert point.std[metric] / math.sqrt(10) == pytest.approx(printed.sample_sem, abs=0.0065)


def test_settings_as_run_are_table_5_with_its_corrections():
    assert published.settings_as_run("st", "8x4") == {
        "optimizer": "adam",
        "lr": "0.001",
        "temperature": "1.3",
        "batch_size": "100",
        "num_mc_samples": "100",
        "gap": "1.0",
        "precision": "float32",
    }
    assert published.settings_as_printed("st", "10x30")["lr"] == "0.0007"
    assert published.settings_as_run("st", "10x30")["lr"] == "0.007"
    assert published.settings_as_run("reinmax_cv", "4x24")["optimizer"] == "adam"
    assert published.settings_as_run("reinmax_cv", "10x30")["eta"] == "1.0"
    assert published.settings_as_run("reinmax_cv", "8x4")["eta"] == "1.5"
    assert published.settings_as_run("indecater", "8x4") == {}


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({}, "as published"),
        ({"lr": "7e-3", "batch_size": "100"}, "as published"),
        ({"lr": "0.0007"}, "as printed"),
        ({"lr": "0.001"}, ""),
        ({"epochs": 50}, ""),
        ({"dataset": "omniglot"}, ""),
        ({"task_version": "2"}, ""),
        ({"batch_size": "200"}, ""),
        ({"precision": "tf32"}, ""),
        ({"precision": "float32"}, "as published"),
        ({"estimator": "indecater"}, ""),
    ],
)
def test_provenance_tells_the_papers_own_cells_from_others(request_of, change, kind):
    settings = {"optimizer": "radam", "lr": "0.007", "temperature": "1.4", "epochs": 160, **change}
    estimator = settings.pop("estimator", "st")
    assert published.provenance(request_of(estimator, "10x30", **settings).cell) == kind


def test_monte_carlo_estimators_were_published_with_100_draws(request_of):
    settings = {"optimizer": "adam", "lr": "0.0005", "temperature": "1.0", "epochs": 160}
    few = request_of("reinmax_rao", "8x4", num_mc_samples=10, **settings).cell
    usual = request_of("reinmax_rao", "8x4", **settings).cell
    assert [published.provenance(cell) for cell in (few, usual)] == ["", "as published"]
