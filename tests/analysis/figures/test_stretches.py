"""A line joins neighbours alone, and a point without neighbours is seen, in figures and reports."""

import numpy as np
import pytest

from analysis.figures.line_plot import draw_lines
from analysis.figures.panels import Line, Panel
from analysis.figures.stretches import stretches, with_lone_points
from analysis.report.line_view import line_views
from analysis.report.palette import Palette


@pytest.mark.parametrize(
    ("is_there", "parts"),
    [
        ([], []),
        ([False, False], []),
        ([True, True, True], [(0, 3)]),
        ([True, False, True, True, False], [(0, 1), (2, 4)]),
        ([False, True], [(1, 2)]),
    ],
)
def test_stretches_have_no_gap_between_their_points(is_there, parts):
    found = stretches(np.array(is_there, dtype="bool"))
    assert [(part.start, part.stop) for part in found] == parts


def test_lone_points_are_marked_and_gaps_are_not():
    is_there = np.array([True, False, True, True, False, True])
    assert with_lone_points([1, 3], is_there) == [0, 3, 5]


@pytest.fixture
def panel():
    """A panel of 40 points: 0 but for 10 to 14, which fall, and 27, which is alone."""
    mean = np.zeros(40)
    mean[10:15], mean[27] = [1e-3, 1e-4, 1e-5, 1e-6, 1e-7], 1e-20
    line = Line("IndeCateR", "indecater", np.arange(40.0), mean, np.stack([mean / 2, mean / 2]))
    return Panel("2x200", "iteration", "variance", (line,), has_log_y=True)


def test_figure_marks_the_point_between_zeros(panel):
    (axes,) = draw_lines((panel,), {}, ()).axes
    (drawn,) = (one for one in axes.get_lines() if one.get_label() == "IndeCateR")
    assert np.flatnonzero(np.isfinite(drawn.get_ydata())).tolist() == [10, 11, 12, 13, 14, 27]
    assert 27 in drawn.get_markevery()


def test_report_draws_no_line_and_no_band_across_zeros_and_marks_the_point_between_them(panel):
    ((view,), _) = line_views([(panel, ".1e")], Palette())
    rows = view.spec["data"]["values"]
    assert [place for place, row in enumerate(rows) if row["mean"] is not None] == [10, 11, 12, 13, 14, 27]
    assert {place for place, row in enumerate(rows) if row["drawn"]} == {10, 11, 12, 13, 14, 27}
    assert rows[27]["is_marked"]
    assert all(layer["mark"]["invalid"].startswith("break-paths") for layer in view.spec["layer"])
