from dataclasses import replace

import pytest

from analysis.tables.labels import row_labels
from trainables.schema import CELL_PARAMS, PARAMS, Kind


@pytest.fixture
def cell(request_of):
    return lambda *args, **params: request_of(*args, **params).cell


def test_estimators_are_named_as_in_the_paper(cell):
    names = {
        "stgs": "Gumbel",
        "gumbel_rao": "Gumbel-Rao",
        "st": "ST",
        "gst": "GST-1.0",
        "reinmax": "ReinMax",
        "reinmax_rao": "ReinMax-Rao",
        "reinmax_cv": "ReinMax-CV",
        "reinmax_cv_alg2": "ReinMax-CV (Alg. 2)",
        "mine": "mine",
    }
    assert row_labels([cell(estimator) for estimator in names]) == list(names.values())


def test_gst_is_named_by_its_gap(cell):
    cells = [cell("gst", gap="0.5"), cell("gst", gap="2.0"), cell("gst", "4x24")]
    assert row_labels(cells) == ["GST-0.5", "GST-2.0", "GST-1.0"]


def test_different_settings_at_different_latents_need_no_longer_label(cell):
    assert row_labels([cell("st", "8x4", lr="0.001"), cell("st", "4x24", optimizer="radam")]) == ["ST", "ST"]


def test_one_label_is_the_same_settings_at_every_latent(cell):
    cells = [
        cell("st", "8x4", lr="0.001", temperature="0.5"),
        cell("st", "8x4", lr="0.001", temperature="1.0"),
        cell("st", "4x24", lr="0.0005", temperature="0.5"),
        cell("st", "4x24", lr="0.001", temperature="1.0"),
        cell("st", "8x16", lr="0.001", temperature="1.0"),
    ]
    assert row_labels(cells) == [
        "ST lr 0.001 τ 0.5",
        "ST lr 0.001 τ 1.0",
        "ST lr 0.0005 τ 0.5",
        "ST lr 0.001 τ 1.0",
        "ST lr 0.001 τ 1.0",
    ]


def test_grid_adds_the_params_that_vary_at_any_latent(cell):
    cells = [
        cell("reinmax_rao", "8x4", temperature="0.3"),
        cell("reinmax_rao", "8x4", temperature="0.5"),
        cell("reinmax_rao", "4x24", optimizer="adam"),
        cell("reinmax_rao", "4x24", optimizer="radam"),
        cell("reinmax_rao", "8x16"),
        cell("st", "8x4"),
    ]
    assert row_labels(cells) == [
        "ReinMax-Rao adam τ 0.3",
        "ReinMax-Rao adam τ 0.5",
        "ReinMax-Rao adam τ 1.0",
        "ReinMax-Rao radam τ 1.0",
        "ReinMax-Rao adam τ 1.0",
        "ST",
    ]


def test_a_default_that_is_stated_does_not_vary_against_one_that_is_not(cell):
    cells = [cell("reinmax_cv", eta="1.0", lr="0.001"), cell("reinmax_cv", lr="0.0005")]
    assert row_labels(cells) == ["ReinMax-CV lr 0.001", "ReinMax-CV lr 0.0005"]


def test_other_data_and_lengths_are_told_apart(cell):
    cells = [cell("st"), cell("st", dataset="fashion_mnist"), cell("st", epochs=160)]
    assert row_labels(cells) == ["ST 2 epochs mnist", "ST 2 epochs fashion_mnist", "ST 160 epochs mnist"]


@pytest.mark.parametrize("name", sorted({*CELL_PARAMS} - {"estimator", "categorical_dim", "latent_dim"}))
def test_every_param_that_a_row_does_not_show_tells_cells_apart(cell, name):
    is_text = PARAMS[name].kind is Kind.TEXT
    values = ("one", "other") if is_text else ("3", "4")
    labels = row_labels([cell("st", **{name: value}) for value in values])
    assert len(set(labels)) == 2
    for label, value in zip(labels, values, strict=True):
        assert value in label


def test_noted_cell_leaves_the_ordinary_one_its_plain_name(cell):
    cells = [cell("st", lr="0.007"), cell("st", lr="0.0007", note="as printed in Table 5")]
    assert row_labels(cells) == ["ST", "ST (as printed in Table 5)"]


def test_a_budget_of_samples_is_in_every_label_and_alone_where_it_tells_cells_apart(cell):
    task = {"task": "synthetic_optimisation"}
    cells = [
        cell("indecater", "2x200", lr="5.0", num_samples="2", **task),
        cell("rloo", "2x200", lr="5.0", num_samples="800", **task),
        cell("rloo", "2x200", lr="1.0", num_samples="2", **task),
    ]
    assert row_labels(cells) == ["IndeCateR N 2", "RLOO N 800", "RLOO N 2"]
    more = cell("rloo", "2x200", lr="5.0", num_samples="2", **task)
    assert row_labels([*cells, more])[1:] == ["RLOO lr 5.0 N 800", "RLOO lr 1.0 N 2", "RLOO lr 5.0 N 2"]
    assert row_labels([cell("rloo", num_samples="4"), cell("st")]) == ["RLOO", "ST"]


def test_a_name_of_the_spec_stands_for_the_estimators(cell):
    ours = [replace(one, label="Ours") for one in (cell("st", "8x4"), cell("st", "4x24", lr="0.001"))]
    assert row_labels([*ours, cell("st", "8x4", lr="0.001")]) == ["Ours", "Ours", "ST"]


def test_cells_of_one_name_and_latent_are_told_apart_even_if_their_estimators_differ(cell):
    ours = [replace(cell(one), label="Ours") for one in ("st", "gst", "reinmax")]
    assert row_labels(ours) == ["Ours st", "Ours gst", "Ours reinmax"]


def test_a_name_of_the_spec_that_is_another_estimators_is_told_apart(cell):
    cells = [replace(cell("st"), label="ReinMax"), cell("reinmax")]
    assert row_labels(cells) == ["ReinMax st", "ReinMax reinmax"]
