import numpy as np
import pytest

from analysis.figures.caption import caption
from analysis.figures.line_plot import draw_lines
from analysis.figures.panels import Line, Panel
from analysis.figures.part import Part
from analysis.figures.published_lines import with_published

LOSS = "train_neg_elbo"
PAPER = {"optimizer": "adam", "lr": "0.001", "temperature": "1.3"}
JUDGED = {"temperature": "1.3", "num_draws": "1024", "trained_with": "reinmax"}


def panel_of(estimator, epochs, means, **options):
    mean = np.array(means, dtype="float64")
    line = Line("ours", estimator, np.array(epochs, dtype="float64"), mean, np.ones((2, len(mean))))
    return Panel("8x4", "epoch", "loss", (line,), **options)


def beside(panel, results, compare, against="epoch"):
    """Return the panel with what is published, and what is said below it."""
    (panel,) = with_published([panel], results, against, compare)
    return panel, " ".join(caption([Part(results, (panel,))], compare))


def test_axis_that_is_cut_has_room_for_the_authors_bars_after_the_steep_part(results_of):
    results = results_of(LOSS, ("st", "8x4", [136.0, 137.0], PAPER), epochs=160)
    panel = panel_of("st", [1, 8, 9, 160], [205, 150, 140, 136], top=141.0)
    panel, said = beside(panel, results, "curves")
    theirs = panel.lines[-1]
    late = theirs.x > 8
    upper, lower = theirs.high, theirs.low
    assert upper[late].max() > 170  # at epoch 10: 148.84 + 23.10
    assert upper[late].max() < panel.top < upper.max()
    assert "The first, steep part of the training lies above the axis." in said
    bottom, top = draw_lines((panel,), {}, ()).axes[0].get_ylim()
    assert bottom < lower.min() < 125  # at epoch 20: 146.63 - 23.86
    assert top == panel.top


@pytest.mark.parametrize("top", [None, 1000.0])
def test_axis_with_room_enough_stays_as_it_is(top, results_of):
    results = results_of(LOSS, ("st", "8x4", [136.0, 137.0], PAPER), epochs=160)
    panel, _ = beside(panel_of("st", [1, 160], [205, 136], top=top), results, "curves")
    assert panel.top == top


@pytest.mark.parametrize("metric", ["gradient_std", "gradient_relative_std"])
def test_numbers_of_table_1_stand_at_their_epoch_and_are_said_to_be_of_one_model(metric, results_of):
    results = results_of(metric, ("reinmax", "8x4", [7.0], JUDGED), task="gradient_quality", epochs=50)
    panel, said = beside(panel_of("reinmax", [50], [7.0]), results, "published")
    theirs = panel.lines[-1]
    assert (theirs.is_published, list(theirs.x), list(theirs.mean)) == (True, [50], [7.4])
    assert np.isnan(theirs.error).all()
    assert "Hollow: Beyond ReinMax as printed, after 50 epochs, of one model; the paper prints no ±" in said
    assert "160" not in said
    assert "10 seeds" not in said


def test_numbers_of_table_1_stand_at_the_temperature_that_they_were_made_with(results_of):
    cells = [("st", "8x4", [2.0], {**JUDGED, "temperature": one}) for one in ("1.0", "1.3")]
    results = results_of("gradient_std", *cells, task="gradient_quality", epochs=50)
    panel, _ = beside(panel_of("st", [1.0, 1.3], [2.0, 2.0]), results, "published", "temperature")
    np.testing.assert_allclose((panel.lines[-1].x, panel.lines[-1].mean), ([1.3], [2.733]))


def test_seconds_of_table_4_are_a_level_line_of_the_authors_gpu(results_of):
    results = results_of("epoch_seconds", ("st", "8x4", [4.0, 5.0], PAPER), epochs=5)
    panel, said = beside(panel_of("st", [1, 5], [4.5, 4.5]), results, "published")
    np.testing.assert_allclose((panel.lines[-1].x, panel.lines[-1].mean), ([1, 5], [3.79, 3.79]))
    assert "Hollow: Beyond ReinMax as printed, in seconds on the authors' GPU; the paper prints no ±." in said
    assert "160" not in said
    assert "10 seeds" not in said


def test_losses_of_tables_2_and_3_are_said_to_be_after_160_epochs_over_their_seeds(results_of):
    results = results_of(LOSS, ("st", "8x4", [136.0, 137.0], PAPER), epochs=160)
    panel, said = beside(panel_of("st", [1, 160], [205, 136]), results, "published")
    np.testing.assert_allclose((panel.lines[-1].x, panel.lines[-1].mean), ([160], [136.40]))
    assert "as printed, after 160 epochs, with bars of the same kind, over 10 seeds, 5 for Gumbel" in said
    assert "other hyperparameters" not in said


@pytest.mark.parametrize(
    ("metric", "compare", "of_what"),
    [
        (
            "gradient_cosine_batch",
            "published",
            "the cosine with the exact gradient, of the batch: the printed",
        ),
        ("gradient_std", "curves", "the gradient standard deviation: the authors' training curves"),
        (
            "test_neg_elbo",
            "published",
            "the test negative ELBO: the printed tables of Beyond ReinMax have no",
        ),
    ],
)
def test_where_nothing_is_published_the_caption_says_so(metric, compare, of_what, results_of):
    results = results_of(metric, ("reinmax", "8x4", [0.9], JUDGED), task="gradient_quality", epochs=50)
    panel, said = beside(panel_of("reinmax", [50], [0.9]), results, compare)
    assert len(panel.lines) == 1
    assert f"Nothing published is shown of {of_what}" in said


def test_without_a_comparison_nothing_is_said_of_the_published(results_of):
    results = results_of(LOSS, ("exact", "8x4", [136.0], {}))
    assert "ublished" not in " ".join(caption([Part(results, (panel_of("exact", [4], [136]),))]))
