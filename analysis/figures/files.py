"""Figures as files: the same figure is the same bytes, whenever and wherever it is drawn."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from analysis.choices import check_choice
from analysis.figure_error import FigureError
from analysis.figures.look import own_look

_NO_DATES: Mapping[str, dict[str, None]] = {
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}
FORMATS = tuple(_NO_DATES)
_PNG_DPI = 200


def write_files(figures: Mapping[str, Figure], folder: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write each figure in each format; return the paths. Either all are drawn or no file is touched.

    Args:
        figures: Figures by the names of their files, without a suffix.
        folder: Where to; made where it is missing.
        formats: Some of `FORMATS`.
    Raises:
        UnknownNameError: If a format is unknown.
        FigureError: If the folder cannot be written to.
    """
    for one in formats:
        check_choice("format", one, FORMATS)
    drawn = {
        folder / f"{name}.{one}": _bytes(figure, one)
        for name, figure in figures.items()
        for one in dict.fromkeys(formats)
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in drawn.items():
            path.write_bytes(content)
    except OSError as error:
        raise FigureError(f"out must be a folder that can be written to, got {folder}: {error}") from None
    return list(drawn)


def _bytes(figure: Figure, output_format: str) -> bytes:
    content = io.BytesIO()
    with own_look():
        figure.savefig(content, format=output_format, dpi=_PNG_DPI, metadata=dict(_NO_DATES[output_format]))
    return content.getvalue()
