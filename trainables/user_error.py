"""The base of every error that a user is to see as one line, without a traceback."""


class UserError(Exception):
    """Something is wrong that the user can mend; the message says what, where, and what to do."""
