import pytest

from analysis import render, table
from analysis.published import printed as published
from analysis.published.errata import erratum
from analysis.runs.frame import runs_frame

METRIC = "train_neg_elbo"


@pytest.fixture
def compared(record):
    """Return a function that compares cells with the published table."""

    def make(*cells, compare="published", format_="text"):
        records = [record(*cell, metric=METRIC, epochs=160) for cell in cells]
        return render(table(runs_frame(records, [METRIC]), metric=METRIC, compare=compare), format_)

    return make


def test_every_correction_is_a_footnote_of_its_cell():
    for fix in published.corrections():
        text = erratum(fix.estimator, fix.latent)
        assert (
            f"Table 5 prints {fix.field} {fix.printed}, the printed result was made with {fix.as_run}" in text
        )
        assert fix.evidence in text


def test_cells_of_five_seeds_say_so_and_the_stuck_run_is_named():
    for latent in ("8x16", "16x12"):
        assert "the paper has 10 seeds, the printed result is of 5" in erratum("gumbel_rao", latent)
    assert "one is stuck at a train negative ELBO of 140.26" in erratum("gumbel_rao", "16x12")


def test_other_cells_have_none():
    touched = {
        (fix.estimator, fix.latent) for fix in (*published.corrections(), *published.result_corrections())
    }
    assert len(touched) == 5
    cells = {(result.estimator, result.latent) for result in published.results()}
    assert {cell for cell in cells if erratum(*cell)} == touched


def test_marks_and_notes_have_the_same_letters_in_the_order_of_the_rows(compared):
    text = compared(("gumbel_rao", "16x12"), ("st", "8x4"), ("st", "10x30"))
    assert "109.72 ± 6.83 (a)" in text
    assert "136.40 ± 0.41     " in text
    assert "136.73 ± 0.40 (b)" in text
    notes = text.splitlines()
    assert [line[:25] for line in notes if line.startswith(("a: ", "b: "))] == [
        "a: Gumbel-Rao 16x12: the ",
        "b: ST 10x30: Table 5 prin",
    ]


@pytest.mark.parametrize(
    ("format_", "mark"),
    [
        ("markdown", "136.73 ± 0.40<sup>a</sup>"),
        ("latex", r"136.73 $\pm$ 0.40$^{a}$"),
        ("html", "136.73 ± 0.40<sup>a</sup>"),
        ("csv", "no run at 0.0007 exists"),
        ("json", "no run at 0.0007 exists"),
    ],
)
def test_every_format_has_the_footnote(compared, format_, mark):
    assert mark in compared(("st", "10x30"), format_=format_)


@pytest.mark.parametrize(("name", "said"), [("reinmax_rao", "Eq. 17"), ("reinmax_cv", "Algorithm 2")])
def test_formulas_that_were_run_otherwise_than_printed_are_said_once(compared, name, said):
    assert compared((name, "8x4"), (name, "4x24")).count(said) == 1
    assert said not in compared(("st", "8x4"))


def test_curves_have_no_footnotes_of_the_tables(compared):
    assert "Table 5" not in compared(("st", "10x30"), ("reinmax_cv", "8x4"), compare="curves")
