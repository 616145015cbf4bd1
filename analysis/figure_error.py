"""The error of a figure that cannot be drawn, or of a file of its numbers that cannot be made."""

from trainables.user_error import UserError


class FigureError(UserError, ValueError):
    """Nothing can be drawn or written as asked; the message says why and what would do."""
