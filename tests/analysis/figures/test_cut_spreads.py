"""A spread that reaches 0 has its upper half only on a logarithmic axis, and the caption says so."""

import numpy as np
import pytest

from analysis.figures.bar_plot import draw_bars
from analysis.figures.bars import bar_panels
from analysis.figures.caption import caption, point_caption
from analysis.figures.line_plot import draw_lines
from analysis.figures.panels import Line, Panel
from analysis.figures.part import Part

VARIANCE = "cosine_variance"
CUT = "On the logarithmic axis, only the upper half of a spread whose lower end is 0 or less: {}."


@pytest.fixture
def results(results_of):
    """Variances whose mean is above their standard deviation, and some whose mean is below."""
    cells = [("rloo", "3x12", [1e-5, 2e-5], {}), ("stgs", "3x12", [1e-9, 1e-9, 1e-5], {})]
    return results_of(VARIANCE, *cells, task="synthetic_gradient")


def panel(**options):
    mean, error = np.array([1.0, 2.0, 0.0]), np.array([[0.5, 3.0, 0.0], [0.5, 3.0, 0.0]])
    line = Line("RLOO", "rloo", np.array([1.0, 2.0, 3.0]), mean, error)
    return Panel("3x12", "epoch", "variance", (line,), **options)


@pytest.mark.parametrize(("has_log_y", "lowest"), [(True, 0.5), (False, -1.0)])
def test_band_of_a_line(has_log_y, lowest):
    (axes,) = draw_lines((panel(has_log_y=has_log_y),), {}, ()).axes
    (band,) = axes.collections
    vertices = np.concatenate([path.vertices for path in band.get_paths()])
    assert vertices[:, 1].min() == lowest
    assert vertices[:, 1].max() == 5.0


@pytest.mark.parametrize("has_log_y", [True, False])
def test_caption_of_lines(has_log_y, results):
    said = caption([Part(results, (panel(has_log_y=has_log_y),))])
    assert (CUT.format("RLOO") in said) == has_log_y


def test_whisker_of_a_bar_does_not_go_through_the_axis(results):
    figure = draw_bars(tuple(bar_panels([results])), ())
    (whiskers,) = (lines for lines in figure.axes[0].collections if len(lines.get_segments()) == 2)
    mean = results.frame["mean"].to_numpy()
    lower, upper = np.array([segment[:, 1] for segment in whiskers.get_segments()]).T
    assert lower[0] < mean[0]
    assert lower[1] == mean[1]
    assert (upper > mean).all()


def test_captions_of_bars_and_of_bars_as_points(results):
    part = Part(results, bars=tuple(bar_panels([results])))
    for said in (caption([part]), point_caption([part])):
        assert CUT.format("Gumbel 3x12") in said


def test_points_of_mean_zero_are_spoken_of_too(results_of):
    results = results_of(VARIANCE, ("rloo", "3x12", [0.0, 0.0], {}), task="synthetic_gradient")
    part = Part(results, bars=tuple(bar_panels([results])))
    assert "No point on a logarithmic axis: the mean is 0." in point_caption([part])
