"""What is drawn of a heat map, and what is said of each of its fields."""

import math

import numpy as np
import vl_convert

from analysis.figures.panels import HeatPanel
from analysis.report.heat_view import heat_view


def heat(mean, counted, requested):
    axes = ("temperature τ", "η", "loss", ("0.5", "1.0"), ("0.1", "0.3"))
    arrays = np.array(mean), np.array(counted), np.array(requested)
    return heat_view(HeatPanel("ReinMax-CV, 8x4", *axes, *arrays, ".2f"))


def test_fields_lie_at_their_settings_and_say_their_numbers():
    view = heat([[100.0, 101.0], [104.0, math.nan]], [[2, 1], [2, 0]], [[2, 2], [2, 2]])
    fields = view.spec["data"]["values"]
    assert [(one["x"], one["y"]) for one in fields] == [
        ("0.5", "0.1"), ("1.0", "0.1"), ("0.5", "0.3"), ("1.0", "0.3"),
    ]  # fmt: skip
    assert view.spec["encoding"]["y"]["sort"] == ["0.3", "0.1"]  # from the top
    assert [one["text"] for one in fields] == ["100.00", "101.00\nn=1", "104.00", "n=0"]
    assert [one["is_dark"] for one in fields] == [True, True, False, False]
    assert (fields[3]["mean"], fields[3]["value"], fields[3]["n"]) == (None, "no seed has finished", "0 of 2")
    assert "101.00" in vl_convert.vegalite_to_svg(view.spec)


def test_a_setting_that_was_not_asked_for_has_no_field():
    view = heat([[100.0, 101.0], [104.0, math.nan]], [[2, 2], [2, 0]], [[2, 2], [2, 0]])
    assert len(view.spec["data"]["values"]) == 3
