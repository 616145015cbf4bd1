"""The error of a figure that cannot be drawn."""


class FigureError(ValueError):
    """Nothing can be drawn as asked; the message says why and what would do."""
