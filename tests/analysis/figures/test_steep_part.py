"""The steep first part of a long training may lie above the axis; of no curve more than a few points do."""

import numpy as np
import pytest

from analysis.figures import figures
from analysis.figures.choice import Choice
from analysis.figures.collection import parts_of
from analysis.figures.results import Results
from analysis.report.line_view import line_views
from analysis.report.palette import Palette
from analysis.runs.frame import load_runs

LOSS = "train_neg_elbo"
STEEP = "The first, steep part of the training lies above the axis."
SPARSE = (1, 2, 50)


@pytest.fixture
def store_of(log_members, request_for):
    """A function that logs a curve that falls from 500 to `low` at some epochs for each estimator."""

    def make(**curves):
        requests, logged = [], []
        for estimator, (low, steps) in curves.items():
            request = request_for(estimator, seeds=(0,), epochs=max(steps))

            def values(seed, low=low, steps=steps):
                return {step: low + (500 - low) / step for step in steps}

            requests.append(request)
            logged.append((request, {LOSS: values}, "FINISHED"))
        return log_members(*logged).uri, requests

    return make


def axes_and_caption(uri, requests):
    (figure,) = figures(uri, requests, metrics=[LOSS], against=["epoch"]).values()
    (axes,) = figure.axes
    return axes, " ".join(figure.texts[0].get_text().split())


def shares_above(axes):
    _, top = axes.get_ylim()
    return [float(np.mean(line.get_ydata() > top)) for line in axes.get_lines()]


def test_a_long_training_is_cut(store_of):
    axes, said = axes_and_caption(*store_of(st=(100, range(1, 51))))
    assert shares_above(axes) == [3 / 50]
    assert STEEP in said


@pytest.mark.parametrize("epochs", [2, 5, 15])
def test_a_short_curve_beside_a_long_one_is_whole(epochs, store_of):
    axes, said = axes_and_caption(*store_of(st=(100, range(1, 51)), indecater=(190, range(1, epochs + 1))))
    assert shares_above(axes) == [0, 0]
    assert STEEP not in said


def test_a_long_one_is_cut_beside_a_short_one_that_does_not_reach_so_high(store_of):
    axes, said = axes_and_caption(*store_of(st=(100, range(1, 51)), indecater=(50, (4, 5))))
    assert shares_above(axes) == [3 / 50, 0]
    assert STEEP in said


def test_a_curve_of_few_points_is_whole_however_long_it_trained(store_of):
    axes, _ = axes_and_caption(*store_of(st=(100, range(1, 51)), gst=(190, SPARSE)))
    assert shares_above(axes) == [0, 0]


def test_the_report_shows_every_point_of_a_short_curve(store_of):
    uri, requests = store_of(st=(100, range(1, 51)), indecater=(190, (1, 2)))
    results = Results.from_runs(load_runs(uri, metrics=[LOSS]), requests, LOSS, "std")
    (part,) = parts_of(Choice((LOSS,), ("epoch",)), [results], uri)
    ((view,), _) = line_views([(panel, ".2f") for panel in part.panels], Palette())
    short = [row["mean"] for row in view.spec["data"]["values"] if row["label"] == "IndeCateR"]
    assert len(short) == 2
    assert max(short) <= view.spec["encoding"]["y"]["scale"].get("domainMax", max(short))
