"""Colours and markers of `catsweep figures` as CSS and SVG, once for a whole page."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.markers import MarkerStyle
from matplotlib.path import Path

from analysis.figures.styles import Marker

_DARK_PAPER = "#1B1E24"
_LEAST_CONTRAST = 4.0
_GREYISH = 24
_MARKER_PIXELS = 7.5
_COMMANDS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}


@dataclass(frozen=True)
class Symbol:
    """A marker as an SVG path in pixels, around the origin.

    Args:
        name: Its id on the page.
        filled: The path that has the line's colour; may be empty.
        empty: The path that has the paper's, with an edge of the line's colour; may be empty.
    """

    name: str
    filled: str
    empty: str


class Looks:
    """Collects what a page draws with, so that each colour and each marker is said once."""

    def __init__(self) -> None:
        self._colors: dict[str, str] = {}
        self._symbols: dict[tuple[Marker, str, bool], Symbol] = {}

    @property
    def colors(self) -> list[tuple[str, str, str]]:
        """The class, the colour on white and the colour on dark paper of each."""
        return [(name, color, on_dark(color)) for color, name in self._colors.items()]

    @property
    def symbols(self) -> list[Symbol]:
        """The markers."""
        return list(self._symbols.values())

    def color(self, color: str) -> str:
        """Return the CSS class of a colour, #rrggbb."""
        return self._colors.setdefault(color.upper(), f"k{len(self._colors)}")

    def symbol(self, marker: Marker, fill: str, *, is_hollow: bool = False) -> str:
        """Return the id of a marker of matplotlib's, filled as matplotlib fills it, or hollow."""
        key = marker, fill, is_hollow
        if key not in self._symbols:
            style = MarkerStyle(marker, fill)  # type: ignore[arg-type]
            whole = _path(style.get_path(), style.get_transform())
            other = style.get_alt_path()
            empty = "" if other is None else _path(other, style.get_alt_transform())
            name = f"m{len(self._symbols)}"
            self._symbols[key] = Symbol(name, "", whole) if is_hollow else Symbol(name, whole, empty)
        return self._symbols[key].name


def on_dark(color: str) -> str:
    """Return what a colour becomes on dark paper: as it is where it can be seen, else lighter.

    Greys are turned around, black to white, so that they stay apart from each other.
    """
    parts = [int(color[start : start + 2], 16) for start in (1, 3, 5)]
    if max(parts) - min(parts) < _GREYISH:
        parts = [255 - part for part in parts]
    while _contrast(parts) < _LEAST_CONTRAST:
        parts = [part + (255 - part) // 10 + 1 for part in parts]
    return "#" + "".join(f"{min(part, 255):02X}" for part in parts)


def _contrast(parts: list[int]) -> float:
    """Return the contrast with dark paper. Source: WCAG 2.2, relative luminance and contrast ratio."""
    paper = [int(_DARK_PAPER[start : start + 2], 16) for start in (1, 3, 5)]
    return (_luminance(parts) + 0.05) / (_luminance(paper) + 0.05)


def _luminance(parts: list[int]) -> float:
    linear = [
        part / 255 / 12.92 if part / 255 <= 0.04045 else ((part / 255 + 0.055) / 1.055) ** 2.4
        for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _path(path: Path, transform: object) -> str:
    """Write a path of matplotlib's, whose y goes up, as SVG's, whose y goes down."""
    placed = path.transformed(transform)  # type: ignore[arg-type]
    parts = []
    for vertices, code in placed.iter_segments(curves=True, simplify=False):
        if code == Path.CLOSEPOLY:
            parts.append("Z")
            continue
        numbers = [
            f"{(-1 if place % 2 else 1) * _MARKER_PIXELS * value:.2f}" for place, value in enumerate(vertices)
        ]
        parts.append(_COMMANDS[code] + " ".join(numbers))
    return "".join(parts)
