"""What is drawn of a panel, and what is said of each of its points."""

import math
from dataclasses import replace

import numpy as np
import pytest
import vl_convert

from analysis.figures.panels import Level, Line, Panel
from analysis.report.line_view import line_views
from analysis.report.palette import Palette


def line(x, mean, error, **changes):
    arrays = (np.array(values, dtype="float64") for values in (x, mean, [error, error]))
    own = {"num_seeds": np.full(len(x), 2), **changes}
    return Line("ST", "st", *arrays, **own)


def drawn(*lines, **changes):
    panel = Panel("8x4", "epoch", "loss", tuple(lines), **changes)
    (view,), legend = line_views([(panel, ".2f")], Palette())
    return view, legend


def rows_of(view, *, seeds=False):
    return [row for row in view.spec["data"]["values"] if bool(row.get("is_seed")) is seeds]


def pictures_of(view):
    """Draw a view with the library itself, which refuses what is no Vega-Lite."""
    return vl_convert.vegalite_to_svg({**view.spec, "width": 400})


def test_points_say_position_value_spread_and_number_of_seeds():
    view, _ = drawn(line([1, 2], [110.0, 100.0], [3.0, math.nan], num_seeds=np.array([3, 1])))
    said = [(row["x"], row["mean"], row["low"], row["high"], row["value"], row["n"]) for row in rows_of(view)]
    assert said == [(1, 110, 107, 113, "110.00 ± 3.00", 3), (2, 100, None, None, "100.00", 1)]


def test_where_no_spread_is_defined_there_is_neither_band_nor_bar():
    view, _ = drawn(line([1, 2], [110.0, 100.0], [2.0, math.nan]))
    assert [row["drawn"] for row in rows_of(view)] == ["band", ""]


def test_one_epoch_is_a_point_with_a_bar():
    view, legend = drawn(line([3], [100.0], [2.0]))
    (row,) = rows_of(view)
    assert (row["drawn"], row["is_joined"], row["is_marked"]) == ("bar", False, True)
    assert not legend[0].is_joined


def test_an_uneven_spread_is_said_by_its_ends():
    uneven = replace(line([1], [100.0], [2.0]), error=np.array([[1.0], [3.0]]))
    assert rows_of(drawn(uneven)[0])[0]["value"] == "100.00 [99.00, 103.00]"


def test_points_that_are_not_joined_have_their_seeds_beside_them_and_say_of_which_cell_they_are():
    seeds = np.array([[1.0, 99.0], [1.0, 101.0], [2.0, 98.0]])
    apart = line(
        [1, 2], [100.0, 98.0], [1.0, 1.0], seeds=seeds, is_joined=False, cells=("lr 1", "lr (a; b|c)")
    )
    view, _ = drawn(apart)
    assert [row["name"] for row in rows_of(view)] == ["lr 1", "lr (a; b|c)"]
    assert [row["mean"] for row in rows_of(view, seeds=True)] == [99, 101, 98]


def test_names_stand_at_their_places_on_an_axis_of_texts():
    view, _ = drawn(line([0, 1], [100.0, 98.0], [1.0, 1.0]), ticks=("radam", "adam"))
    assert [row["x"] for row in rows_of(view)] == ["radam", "adam"]
    assert view.spec["encoding"]["x"]["sort"] == ["radam", "adam"]


def test_a_logarithmic_axis_has_no_zeros_and_the_upper_half_of_a_spread_that_reaches_one():
    view, _ = drawn(line([1, 2, 3], [1.0, 2.0, 0.0], [0.5, 3.0, 0.1]), has_log_y=True)
    assert [(row["low"], row["mean"], row["high"]) for row in rows_of(view)][1:] == [
        (2, 2, 5),
        (None, None, None),
    ]
    assert rows_of(view)[1]["value"] == "2.00 ± 3.00"
    assert view.spec["encoding"]["y"]["scale"]["type"] == "log"


@pytest.mark.parametrize("values", [[5.0], [0.0, 0.0], [math.nan]])
def test_an_axis_of_one_value_or_none_can_be_drawn(values):
    for has_log_y in (False, True):
        one = line(range(1, len(values) + 1), values, [math.nan] * len(values))
        assert "<svg" in pictures_of(drawn(one, has_log_y=has_log_y)[0])


def test_a_level_lies_across_the_panel():
    view, _ = drawn(line([1, 2], [0.5, 0.9], [0.0, 0.0]), level=Level("0.99^D", 0.96))
    assert view.spec["layer"][0]["encoding"]["y"]["datum"] == 0.96
    assert "<svg" in pictures_of(view)
    assert len(drawn(line([1, 2], [0.5, 0.9], [0.0, 0.0]))[0].spec["layer"]) == len(view.spec["layer"]) - 1


def test_what_lies_above_the_axis_is_cut_off():
    view, _ = drawn(line([1, 2, 3], [500.0, 110.0, 100.0], [1.0, 1.0, 1.0]), top=120.0)
    assert view.spec["encoding"]["y"]["scale"]["domainMax"] == 120
    assert all(layer["mark"]["clip"] for layer in view.spec["layer"])


def test_published_points_are_hollow_and_dashed_have_bars_and_a_line_of_their_own_for_each_estimator():
    ours = line([1, 2], [100.0, 98.0], [1.0, 1.0])
    published = [
        replace(ours, estimator=name, label="hollow: the authors' runs", is_published=True, num_seeds=None)
        for name in ("st", "reinmax")
    ]
    view, legend = drawn(ours, *published)
    assert [one.label for one in legend] == ["ST", "hollow: the authors' runs"]
    assert (legend[0].dashes, legend[1].dashes) == ("1 0", "4 2")
    lines = {row["line"]: row for row in rows_of(view)}
    assert list(lines) == ["ST", "ST, the authors' runs", "ReinMax, the authors' runs"]
    assert [row["drawn"] for row in lines.values()] == ["band", "bar", "bar"]
    colors = view.spec["encoding"]["color"]["scale"]["range"]
    assert colors[0] == colors[1] != colors[2]
    assert lines["ST, the authors' runs"]["n"] == ""  # over how many seeds is said in the caption
