"""The papers' figures from the store: curves, final values against a hyperparameter, heat maps."""

from analysis.figure_error import FigureError
from analysis.figures.collection import figures
from analysis.figures.files import FORMATS, write_files

__all__ = ["figures", "write_files", "FORMATS", "FigureError"]
