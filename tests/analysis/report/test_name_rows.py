"""Names below an axis do not touch each other, however many and however long they are."""

from itertools import pairwise

import numpy as np
import pytest

from analysis.figures.drawing import Line, Panel
from analysis.report.looks import Looks
from analysis.report.plots import HEIGHT, plots
from tests.browser import Browser, find_browser

FIGURE_1 = ("IndeCateR N 1", "REINFORCE N 1000", "RLOO N 1000", "Gumbel N 1000")
BOXES = """[...document.querySelectorAll('svg.plot')].map((svg) => [...svg.querySelectorAll('text')]
  .map((text) => text.getBoundingClientRect()).map((box) => [box.left, box.top, box.right, box.bottom]))"""


def plot_of(names):
    count = len(names)
    line = Line("ST", "st", np.arange(float(count)), np.arange(1.0, count + 1), np.zeros((2, count)))
    (plot,) = plots([(Panel("8x4", "optimiser", "loss", (line,), ticks=tuple(names)), ".2f")], Looks())
    return plot


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        (("adam", "radam", "rmsprop"), [0, 0, 0]),
        (("IndeCateR N 1", "REINFORCE N 1000", "RLOO N 1000"), [0, 1, 0]),
        (FIGURE_1, [0, 1, 0, 1]),
        (("only one, whatever its length may be, has the first row",), [0]),
    ],
)
def test_long_names_stand_in_several_rows_and_short_ones_in_one(names, rows):
    plot = plot_of(names)
    assert [tick.row for tick in plot.x_ticks] == rows
    assert (plot.height > HEIGHT) == any(rows)


def test_of_twelve_long_names_those_of_a_row_do_not_reach_each_other():
    plot = plot_of([f"REINFORCE N 1{number:03}" for number in range(12)])
    for row in {tick.row for tick in plot.x_ticks}:
        places = [tick.at for tick in plot.x_ticks if tick.row == row]
        assert all(right - left > 16 * 9 for left, right in pairwise(places))


@pytest.mark.skipif(find_browser() is None, reason="there is no Chromium on this machine")
@pytest.mark.parametrize("width", [390, 1440])
def test_no_text_of_a_plot_touches_another_in_a_browser(width, new_sweep, tmp_path):
    sweep = new_sweep("known")
    cells = [("indecater", 1), ("reinforce", 1000), ("rloo", 1000), ("stgs", 1000)]
    for estimator, num_samples in cells:
        shape = {"task": "synthetic_gradient", "num_samples": num_samples}
        cell = sweep.ask(estimator, "3x12", (0,), epochs=1, **shape)
        sweep.add(cell, 0, 0.1, metrics={"gradient_bias": 0.0, "cosine_variance": 0.0})
    path = tmp_path / "report.html"
    path.write_text(sweep.report())
    browser = Browser(find_browser(), tmp_path / "profile")
    try:
        browser.open(path, width=width, height=844)
        drawn = browser.run(BOXES)
    finally:
        browser.close()
    assert len(drawn) == 2
    for boxes in drawn:
        for place, one in enumerate(boxes):
            assert not [other for other in boxes[:place] if touch(one, other)]


def touch(one, other):
    across = min(one[2], other[2]) - max(one[0], other[0])
    up = min(one[3], other[3]) - max(one[1], other[1])
    return across > 0 and up > 1
