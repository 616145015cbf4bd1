"""Colours stay apart on dark paper, and markers have the shape and the size that matplotlib gives them."""

import re

import numpy as np
import pytest
from matplotlib.markers import MarkerStyle

from analysis.figures.styles import ESTIMATOR_STYLES
from analysis.report.palette import Palette, on_dark

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
    return np.array(re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", path), dtype=float).reshape(-1, 2)


def test_a_circle_fills_the_square():
    points = numbers(Palette.symbol("o"))
    assert np.ptp(points, axis=0) == pytest.approx([2, 2], abs=0.01)
    assert Palette.symbol("o").endswith("Z")


def test_a_triangle_that_points_up_does_so_where_y_goes_down():
    points = numbers(Palette.symbol("^"))
    top = points[points[:, 1].argmin()]
    assert top == pytest.approx([0, -1], abs=0.01)


@pytest.mark.parametrize("marker", [style.marker for style in ESTIMATOR_STYLES.values()], ids=str)
def test_every_marker_has_all_corners_of_matplotlibs(marker):
    style = MarkerStyle(marker)
    corners = style.get_path().transformed(style.get_transform()).vertices
    expected = 2 * np.array([corners[:, 0].min(), -corners[:, 1].max()])
    assert numbers(Palette.symbol(marker)).min(0) == pytest.approx(expected, abs=0.01)


def test_each_colour_is_said_once():
    palette = Palette()
    assert palette.name("#0072b2") == palette.name("#0072B2") != palette.name("#E69F00")
    assert palette.variable("#E69F00") == "var(--k1)"
    assert [color for _, color, _ in palette.colors] == ["#0072B2", "#E69F00"]
