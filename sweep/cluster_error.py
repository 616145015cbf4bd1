"""What is wrong with a cluster, for those who only show it and need not wait for Ray."""

from __future__ import annotations

from trainables.user_error import UserError


class ClusterError(UserError):
    """The cluster cannot run the spec; the message says what it lacks.

    Args:
        message: The message.
        key: Key of the spec's resources that asks for too much, where that is the reason.
    """

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key
