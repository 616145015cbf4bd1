import numpy as np

from analysis.figures.caption import caption, legend_suffixes
from analysis.figures.panels import Line, Panel
from analysis.figures.part import Part

COSINE, DEVIATION = "gradient_cosine_batch", "gradient_relative_std"


def part(results, **options):
    x = np.array([1.0, 2.0])
    line = Line(results.labels[0], results.cells[0].estimator, x, x, np.stack([x, x]))
    line_of = dict(enumerate(results.labels))
    return Part(results, (Panel("8x4", "epoch", "y", (line,)),), line_of=line_of, **options)


def of_metric(results_of, metric, num_st, num_gst=3):
    cells = [("st", "8x4", [0.5] * num_st, {}), ("gst", "8x4", [0.5] * num_gst, {})]
    return results_of(metric, *cells, task="gradient_quality", seeds=3)


def test_what_is_true_of_all_metrics_is_said_once(results_of):
    both = [part(of_metric(results_of, metric, 2)) for metric in (COSINE, DEVIATION)]
    said = caption(both)
    assert said == caption(both[:1])
    assert said[0].startswith("Lines: mean over n = 2 to 3 seeds. Bands")
    assert said[1:] == ("Fewer seeds than asked for: ST 8x4 (2 of 3; 1 missing).",)
    assert legend_suffixes(both) == {"ST": "n = 2 of 3"}


def test_metrics_of_different_seeds_are_named(results_of):
    parts = [part(of_metric(results_of, COSINE, 3)), part(of_metric(results_of, DEVIATION, 1))]
    said = caption(parts)
    assert said[0].startswith(
        "Lines: mean over n = 3 seeds (cosine with the exact gradient, of the batch), "
        "n = 1 to 3 seeds (gradient standard deviation over mean). Bands"
    )
    assert "one seed has none" in said[0]
    assert said[1:] == (
        "Gradient standard deviation over mean: fewer seeds than asked for: ST 8x4 (1 of 3; 2 missing).",
    )
    assert legend_suffixes(parts) == {"ST": "gradient standard deviation over mean: n = 1 of 3"}


def test_seeds_missing_of_both_metrics_are_named_with_each(results_of):
    parts = [part(of_metric(results_of, metric, n)) for metric, n in ((COSINE, 2), (DEVIATION, 1))]
    assert legend_suffixes(parts)["ST"] == (
        "cosine with the exact gradient, of the batch: n = 2 of 3; "
        "gradient standard deviation over mean: n = 1 of 3"
    )


def test_points_left_out_are_added_up_and_cells_without_any_named_with_their_metric(results_of):
    results = [of_metric(results_of, metric, 3) for metric in (COSINE, DEVIATION)]
    parts = [part(results[0], num_dropped=1), part(results[1], num_dropped=2, without_points=("ST",))]
    assert caption(parts)[1:] == (
        "3 points are left out, since a seed has no finite value there.",
        "Gradient standard deviation over mean: not drawn, no epoch has a finite value of every seed: ST.",
    )
