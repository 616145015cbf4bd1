"""Values lie where the axes say they lie, and every point says what it is."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from analysis.figures.drawing import HeatPanel, Level, Line, Panel
from analysis.report.axis import Axis
from analysis.report.heat_fields import FIELD_HEIGHT, FIELD_WIDTH, heat_map
from analysis.report.heat_fields import LEFT as HEAT_LEFT
from analysis.report.heat_fields import TOP as HEAT_TOP
from analysis.report.looks import Looks
from analysis.report.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, plots


def line(x, mean, error, **changes):
    arrays = (np.array(values, dtype="float64") for values in (x, mean, [error, error]))
    own = {"num_seeds": np.full(len(x), 2), **changes}
    return Line("ST", "st", *arrays, **own)


def plot_of(*lines, **changes):
    panel = Panel("8x4", "epoch", "loss", tuple(lines), **changes)
    (plot,) = plots([(panel, ".2f")], Looks())
    return plot


def pixels(path):
    return np.array(re.findall(r"-?\d+(?:\.\d+)?", path), dtype=float).reshape(-1, 2)


def back(pixel, ticks):
    """Return the value at a pixel, from two ticks."""
    (a, b) = ticks[0], ticks[-1]
    x, y = float(a.text), float(b.text)
    return x + (pixel - a.at) * (y - x) / (b.at - a.at)


def test_a_line_goes_through_its_means():
    plot = plot_of(line([1, 2, 4], [110.0, 105.0, 100.0], [2.0, 2.0, 2.0]))
    drawn = pixels(plot.series[0].path)
    assert [back(x, plot.x_ticks) for x in drawn[:, 0]] == pytest.approx([1, 2, 4], abs=0.01)
    assert [back(y, plot.y_ticks) for y in drawn[:, 1]] == pytest.approx([110, 105, 100], abs=0.02)
    assert ((drawn[:, 0] >= LEFT) & (drawn[:, 0] <= WIDTH - RIGHT)).all()
    assert ((drawn[:, 1] >= TOP) & (drawn[:, 1] <= HEIGHT - BOTTOM)).all()


def test_a_band_goes_through_mean_and_spread():
    plot = plot_of(line([1, 2], [110.0, 100.0], [3.0, 1.0]))
    edge = [back(y, plot.y_ticks) for y in pixels(plot.series[0].band)[:, 1]]
    assert edge == pytest.approx([113, 101, 99, 107], abs=0.03)


def test_where_no_spread_is_defined_there_is_no_band():
    assert plot_of(line([1, 2], [110.0, 100.0], [math.nan, math.nan])).series[0].band == ""


def test_points_say_position_value_and_number_of_seeds():
    plot = plot_of(line([1, 2], [110.0, 100.0], [3.0, math.nan], num_seeds=np.array([3, 1])))
    said = [point.split("|")[2:] for point in plot.series[0].points.split(";")]
    assert said == [["epoch 1", "110.00 ± 3.00", "n = 3"], ["epoch 2", "100.00", "n = 1"]]


def test_a_name_on_the_axis_cannot_be_taken_for_several_points():
    plot = plot_of(line([0], [1.0], [0.1]), ticks=("ST (as printed; see | erratum)",))
    (point,) = plot.series[0].points.split(";")
    assert point.split("|")[2] == "epoch ST (as printed, see / erratum)"


def test_what_lies_above_the_axis_has_no_point_to_point_at():
    plot = plot_of(line([1, 2, 3], [500.0, 110.0, 100.0], [1.0, 1.0, 1.0]), top=120.0)
    assert [point.split("|")[2] for point in plot.series[0].points.split(";")] == ["epoch 2", "epoch 3"]
    assert max(float(tick.text) for tick in plot.y_ticks) <= 120


@pytest.mark.parametrize("value", [0.99**4, 0.2])
def test_a_level_lies_where_the_axis_says_and_on_it(value):
    plot = plot_of(line([1, 2], [0.5, 0.9], [0.0, 0.0]), level=Level("0.99^D", value))
    assert plot.level.text == "0.99^D"
    assert back(plot.level.at, plot.y_ticks) == pytest.approx(value, abs=0.002)
    assert TOP <= plot.level.at <= HEIGHT - BOTTOM


def test_without_a_level_there_is_none():
    assert plot_of(line([1, 2], [0.5, 0.9], [0.0, 0.0])).level is None


def test_one_epoch_is_a_point_with_a_bar():
    (series,) = plot_of(line([3], [100.0], [2.0])).series
    assert (series.path, series.opacity) == ("", None)
    assert re.fullmatch(r"M[\d.]+ [\d.]+V[\d.]+", series.band)
    assert len(series.markers) == 1


def test_points_that_are_not_joined_have_no_path_and_their_seeds_as_dots():
    seeds = np.array([[1.0, 99.0], [1.0, 101.0], [2.0, 98.0]])
    (series,) = plot_of(line([1, 2], [100.0, 98.0], [1.0, 1.0], seeds=seeds, is_joined=False)).series
    assert series.path == ""
    assert series.dots.count("h0") == 3
    assert len(series.markers) == 2


def test_points_of_different_cells_say_of_which_they_are():
    names = ("ST lr 0.001", "ST (a; b|c)")
    (series,) = plot_of(line([1, 2], [100.0, 98.0], [1.0, 1.0], is_joined=False, cells=names)).series
    assert [point.split("|")[5] for point in series.points.split(";")] == ["ST lr 0.001", "ST (a, b/c)"]
    assert series.name == "ST"


def test_names_stand_at_their_places_on_an_axis_of_texts():
    plot = plot_of(line([0, 1], [100.0, 98.0], [1.0, 1.0]), ticks=("adam", "radam"))
    assert [tick.text for tick in plot.x_ticks] == ["adam", "radam"]
    assert plot.series[0].points.split(";")[1].split("|")[2] == "epoch radam"


def test_a_logarithmic_axis_has_equal_ratios_at_equal_distances():
    axis = Axis.around(np.array([0.01, 100.0]), 0, 400, is_log=True, margin=0)
    assert axis.at(np.array([0.01, 1.0, 100.0])) == pytest.approx([0, 200, 400])
    assert np.isnan(axis.at(np.array([0.0, -1.0]))).all()
    assert {tick.text for tick in axis.ticks()} >= {"0.01", "1", "100"}


def test_a_spread_that_reaches_zero_has_its_upper_half_only_on_a_logarithmic_axis():
    drawn = line([1, 2], [1.0, 2.0], [0.5, 3.0])
    cut = plot_of(drawn, has_log_y=True)
    upper, lower = np.split(pixels(cut.series[0].band)[:, 1], 2)
    at_mean = pixels(cut.series[0].path)[:, 1]
    assert lower[0] == at_mean[1]
    assert lower[1] > at_mean[0]
    assert (upper < at_mean).all()
    assert "2.00 ± 3.00" in cut.series[0].points
    whole = plot_of(drawn)
    assert pixels(whole.series[0].band)[2, 1] > pixels(whole.series[0].path)[1, 1]


@pytest.mark.parametrize("values", [[5.0], [0.0, 0.0], [], [math.nan]])
def test_an_axis_of_one_value_or_none_has_a_width(values):
    axis = Axis.around(np.array(values), 0, 100)
    assert axis.low < axis.high
    assert len(axis.ticks()) >= 1


def test_published_points_are_hollow_and_dashed_and_have_bars():
    looks = Looks()
    published = line([1, 2], [99.0, 98.0], [1.0, 1.0], is_published=True, num_seeds=None)
    theirs = replace(published, label="hollow: the authors' runs")
    panel = Panel("8x4", "epoch", "loss", (line([1, 2], [100.0, 98.0], [1.0, 1.0]), theirs))
    ((ours, hollow),) = [plot.series for plot in plots([(panel, ".2f")], looks)]
    assert hollow.dashes
    assert not ours.dashes
    assert hollow.color == ours.color
    symbols = {symbol.name: symbol for symbol in looks.symbols}
    assert symbols[hollow.symbol].filled == ""
    assert symbols[ours.symbol].filled != ""
    assert (ours.name, hollow.name) == ("ST", "ST, the authors' runs")
    assert hollow.points.endswith("|")  # over how many seeds is said in the caption


def heat(mean, counted, requested):
    axes = ("temperature τ", "η", "loss", ("0.5", "1.0"), ("0.1", "0.3"))
    arrays = np.array(mean), np.array(counted), np.array(requested)
    return heat_map(HeatPanel("ReinMax-CV, 8x4", *axes, *arrays, ".2f"))


def test_fields_lie_at_their_settings_and_say_their_numbers():
    drawn = heat([[100.0, 101.0], [104.0, math.nan]], [[2, 1], [2, 0]], [[2, 2], [2, 2]])
    first, fewer, upper, nothing = drawn.fields
    assert (first.x, first.y) == (HEAT_LEFT, HEAT_TOP + FIELD_HEIGHT)  # the first η is at the bottom
    assert (upper.x, upper.y) == (HEAT_LEFT, HEAT_TOP)
    assert fewer.x == HEAT_LEFT + FIELD_WIDTH
    assert [field.lines for field in drawn.fields] == [("100.00",), ("101.00", "n=1"), ("104.00",), ("n=0",)]
    assert nothing.fill == ""
    assert first.ink == "#FFFFFF" != upper.ink
    said = [point.split("|")[2:] for point in drawn.points.split(";")]
    assert said[0] == ["temperature τ 0.5, η 0.1", "100.00", "n = 2 of 2"]
    assert said[3] == ["temperature τ 1.0, η 0.3", "no seed has finished", "n = 0 of 2"]


def test_a_setting_that_was_not_asked_for_has_no_field():
    assert len(heat([[100.0, 101.0], [104.0, math.nan]], [[2, 2], [2, 0]], [[2, 2], [2, 0]]).fields) == 3
