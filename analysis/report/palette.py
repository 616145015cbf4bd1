"""Colours and markers of `catsweep figures` as CSS and SVG have them."""

from __future__ import annotations

from matplotlib.markers import MarkerStyle
from matplotlib.path import Path

from analysis.figures.styles import Marker

_DARK_PAPER = "#1B1E24"
_LEAST_CONTRAST = 4.0
_GREYISH = 24
_COMMANDS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}


class Palette:
    """Collects the colours of a page, so that each is said once, on white and on dark paper."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    @property
    def colors(self) -> list[tuple[str, str, str]]:
        """The name, the colour on white and the colour on dark paper of each."""
        return [(name, color, on_dark(color)) for color, name in self._names.items()]

    def name(self, color: str) -> str:
        """Return the name of a colour, #rrggbb: that of a CSS class."""
        return self._names.setdefault(color.upper(), f"k{len(self._names)}")

    def variable(self, color: str) -> str:
        """Return a colour as what CSS has for it, light or dark."""
        return f"var(--{self.name(color)})"

    @staticmethod
    def symbol(marker: Marker) -> str:
        """Return a marker of matplotlib's as an SVG path in the square from -1 to 1, as Vega draws it."""
        style = MarkerStyle(marker)
        return _path(style.get_path(), style.get_transform())


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
        numbers = [f"{(-2 if place % 2 else 2) * value:.3g}" for place, value in enumerate(vertices)]
        parts.append(_COMMANDS[code] + " ".join(numbers))
    return "".join(parts)
