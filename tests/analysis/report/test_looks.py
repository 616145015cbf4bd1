"""Colours stay apart on dark paper, and markers have the shape and the size that matplotlib gives them."""

import itertools
import re

import numpy as np
import pytest
from matplotlib.markers import MarkerStyle

from analysis.figures.styles import ESTIMATOR_STYLES, FILLS
from analysis.report.looks import Looks, on_dark

DARK = "#1B1E24"


def luminance(color):
    parts = np.array([int(color[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def test_contrast_is_that_of_the_guidelines():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)


def test_every_estimator_can_be_seen_on_dark_paper_and_some_could_not():
    colors = {name: style.color for name, style in ESTIMATOR_STYLES.items()}
    assert min(contrast(color, DARK) for color in colors.values()) < 1.5
    assert min(contrast(on_dark(color), DARK) for color in colors.values()) >= 3.9


def test_colours_that_are_told_apart_on_white_are_told_apart_on_dark_paper():
    colors = [on_dark(style.color) for style in ESTIMATOR_STYLES.values()]
    assert len(set(colors)) == len(colors)


def test_a_colour_that_can_be_seen_stays_and_black_becomes_white():
    assert on_dark("#E69F00") == "#E69F00"
    assert on_dark("#000000") == "#FFFFFF"


def numbers(path):
    return np.array(re.findall(r"-?\d+\.\d+", path), dtype=float).reshape(-1, 2)


def test_a_circle_is_as_wide_as_it_should_be():
    looks = Looks()
    looks.symbol("o", "full")
    (symbol,) = looks.symbols
    points = numbers(symbol.filled)
    assert np.ptp(points, axis=0) == pytest.approx([7.5, 7.5], abs=0.02)
    assert symbol.filled.endswith("Z")
    assert symbol.empty == ""


def test_a_triangle_that_points_up_does_so_where_y_goes_down():
    looks = Looks()
    looks.symbol("^", "full")
    points = numbers(looks.symbols[0].filled)
    top = points[points[:, 1].argmin()]
    assert top == pytest.approx([0, -3.75], abs=0.02)


@pytest.mark.parametrize("marker", [style.marker for style in ESTIMATOR_STYLES.values()], ids=str)
def test_every_marker_has_all_corners_of_matplotlibs(marker):
    for fill, is_hollow in itertools.product(FILLS, (False, True)):
        looks = Looks()
        looks.symbol(marker, fill, is_hollow=is_hollow)
        (symbol,) = looks.symbols
        style = MarkerStyle(marker, fill)
        corners = style.get_path().transformed(style.get_transform()).vertices
        drawn = numbers(symbol.empty if is_hollow else symbol.filled)
        assert drawn.min(0) == pytest.approx(
            7.5 * np.array([corners[:, 0].min(), -corners[:, 1].max()]), abs=0.02
        )
        assert bool(symbol.empty) is (is_hollow or style.get_alt_path() is not None)
        assert bool(symbol.filled) is not is_hollow


def test_each_colour_and_each_marker_is_said_once():
    looks = Looks()
    assert looks.color("#0072b2") == looks.color("#0072B2") != looks.color("#E69F00")
    assert looks.symbol("o", "full") == looks.symbol("o", "full") != looks.symbol("s", "full")
    assert (len(looks.colors), len(looks.symbols)) == (2, 2)
