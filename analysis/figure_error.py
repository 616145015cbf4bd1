"""The error of a figure that cannot be drawn, or of a file of its numbers that cannot be made."""


class FigureError(ValueError):
    """Nothing can be drawn or written as asked; the message says why and what would do."""
