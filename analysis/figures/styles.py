"""How each estimator is drawn: one colour and one marker, the same in every figure.

The colours of the papers' seven are Okabe and Ito's, those of the others Paul Tol's: told apart by the
colour-blind, and, by the markers, in black and white. An estimator that is not known here gets a colour and
a marker by the hash of its id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

Marker = str | tuple[int, int, int]


@dataclass(frozen=True)
class Style:
    """A colour, as #rrggbb, and a marker of matplotlib's."""

    color: str
    marker: Marker


ESTIMATOR_STYLES: Mapping[str, Style] = {
    "stgs": Style("#E69F00", "o"),
    "gumbel_rao": Style("#56B4E9", "s"),
    "st": Style("#000000", "v"),
    "gst": Style("#CC79A7", "D"),
    "reinmax": Style("#0072B2", "^"),
    "reinmax_rao": Style("#D55E00", "P"),
    "reinmax_cv": Style("#009E73", "*"),
    "reinmax_cv_alg2": Style("#44AA99", "p"),
    "reinmax_argmax": Style("#332288", "<"),
    "reinmax_rk2": Style("#882255", ">"),
    "concrete": Style("#B5A642", "h"),
    "reinforce": Style("#CC6677", "X"),
    "rloo": Style("#AA4499", "d"),
    "rebar": Style("#999933", "H"),
    "indecater": Style("#117733", "8"),
    "indecater_per_variable": Style("#6699CC", (4, 1, 0)),
    "scater": Style("#888888", (5, 1, 0)),
    "exact": Style("#444444", (6, 1, 0)),
    "arm": Style("#DDCC77", (3, 1, 90)),
    "arms": Style("#661100", (4, 1, 22)),
    "disarm": Style("#88CCEE", (6, 0, 0)),
    "disarm_tree": Style("#4B0092", (7, 1, 0)),
    "gst_p": Style("#E66100", (8, 0, 0)),
}

_SPARE = [
    Style(color, marker)
    for color, marker in product(
        ("#4477AA", "#EE6677", "#228833", "#AA3377", "#994F00", "#40B0A6"),
        ((3, 1, 0), (4, 1, 45), (7, 0, 0), (8, 1, 0), (3, 1, 180), (5, 0, 180)),
    )
]

FILLS = ("full", "left", "right", "top", "bottom")
DASHES = ("-", "-.")
PUBLISHED_DASHES = (0, (4, 2))
MOST_VARIANTS = len(FILLS) * len(DASHES)
_MOST_BLACK, _MOST_WHITE = 0.55, 0.55
_FEW = 3


@dataclass(frozen=True)
class Variant:
    """How one of several lines of an estimator is drawn: a shade of its colour, a fill, dashes."""

    color: str
    marker: Marker
    fill: str
    dashes: str


def styles_of(estimators: Iterable[str]) -> dict[str, Style]:
    """Return the style of each estimator of a figure.

    Unknown ones take, in the order of their ids, the spare style that the hash of the id points to, or the
    next that is free in the figure.
    """
    found: dict[str, Style] = {}
    for estimator in sorted(set(estimators)):
        style = ESTIMATOR_STYLES.get(estimator)
        if style is None:
            start = int(hashlib.sha256(estimator.encode()).hexdigest(), 16)
            order = [_SPARE[(start + step) % len(_SPARE)] for step in range(len(_SPARE))]
            style = next((spare for spare in order if spare not in found.values()), order[0])
        found[estimator] = style
    return found


def variant(style: Style, index: int, count: int) -> Variant:
    """Return how the index-th of an estimator's lines is drawn.

    The first of a few has the estimator's own colour and the others are lighter; the shades of more go from
    dark to light.
    """
    darkest = _MOST_BLACK if count > _FEW else 0.0
    shade = (darkest + _MOST_WHITE) * index / (count - 1) - darkest if count > 1 else 0.0
    fill = FILLS[index % len(FILLS)]
    return Variant(_mixed(style.color, shade), style.marker, fill, DASHES[index // len(FILLS) % len(DASHES)])


def _mixed(color: str, shade: float) -> str:
    """Return a colour mixed with black, for a shade below 0, or with white."""
    parts = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    other = 255 if shade > 0 else 0
    return "#" + "".join(f"{round(part + (other - part) * abs(shade)):02X}" for part in parts)
