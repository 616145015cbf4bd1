"""A logarithmic axis has ticks, however many decades it spans, and the same ones in a figure and a report."""

import math

import numpy as np
import pytest

from analysis.figures.bar_plot import draw_bars
from analysis.figures.line_plot import draw_lines
from analysis.figures.log_ticks import log_ticks, tick_text
from analysis.figures.panels import BarAxis, BarPanel, Line, Panel
from analysis.report.line_view import line_views
from analysis.report.palette import Palette


def texts(axis):
    return [label.get_text() for label in axis.get_majorticklabels()]


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (1e-56, 1e-6, ["1e-56", "1e-48", "1e-40", "1e-32", "1e-24", "1e-16", "1e-8"]),
        (0.1, 1.0, ["0.1", "0.2", "0.5", "1"]),
        (0.01, 10.0, ["0.01", "0.1", "1", "10"]),
        (0.02, 10.0, ["0.02", "0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10"]),
        (1e-8, 1e8, ["1e-6", "0.001", "1", "1000", "1e6"]),
    ],
)
def test_many_decades_have_powers_of_ten_and_few_have_2_and_5_too(low, high, said):
    assert [tick_text(tick) for tick in log_ticks(low, high)] == said


@pytest.mark.parametrize("decades", [3, 4, 7, 8, 13, 50, 300])
def test_powers_of_ten_are_few_and_equally_far_apart(decades):
    exponents = [math.log10(tick) for tick in log_ticks(3e-200, 3e-200 * 10.0**decades)]
    assert 3 <= len(exponents) <= 8
    assert len({round(step, 6) for step in np.diff(exponents)}) == 1


@pytest.mark.parametrize(("low", "high"), [(1.1, 1.9), (2.1, 4.9), (0.99, 1.01), (3.0, 3.0001)])
def test_a_part_of_a_decade_has_ticks(low, high):
    ticks = log_ticks(low, high)
    assert len(ticks) >= 2
    assert all(low <= tick <= high for tick in ticks)


@pytest.mark.parametrize("lowest", [1e-56, 1e-7, 2e-6, 0.9e-5])
def test_lines_bars_and_the_report_have_the_same_ticks(lowest):
    mean = np.array([lowest, 1e-5])
    error = np.zeros((2, 2))
    line = Line("RLOO", "rloo", np.array([1.0, 2.0]), mean, error)
    panel = Panel("2x200", "epoch", "variance", (line,), has_log_y=True)
    lines = draw_lines((panel,), {}, ()).axes[0]
    bars = draw_bars(
        (BarPanel("2x200", ("a", "b"), ("st", "rloo"), (BarAxis("variance", mean, error, True),)),), ()
    )
    for axes in (lines, bars.axes[0]):
        low, high = axes.get_ylim()
        expected = [tick_text(tick) for tick in log_ticks(low, high)]
        assert len(expected) >= 2
        assert texts(axes.yaxis) == expected
    ((view,), _) = line_views([(panel, ".1e")], Palette())
    assert view.spec["encoding"]["y"]["axis"]["values"] == log_ticks(lowest, 1e-5)


def test_many_places_across_have_ticks_too():
    x = np.geomspace(1e-3, 1e6, 40)
    line = Line("RLOO", "rloo", x, x, np.zeros((2, 40)))
    (axes,) = draw_lines((Panel("2x200", "seconds", "loss", (line,), has_log_x=True),), {}, ()).axes
    assert {"0.01", "1", "100", "10000"} <= set(texts(axes.xaxis))
