"""Writes on their way to the tracking store: kept in order, and kept until the store has taken them."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from sweep.store import StoreError

_RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
_log = logging.getLogger(__name__)

Write = Callable[[], None]


@dataclass(frozen=True)
class _Refusal:
    reason: str
    retry_at: float
    num_failures: int


class Outbox:
    """A queue of writes, each of which may be repeated without harm.

    While the store is away, writes wait; they are tried again with growing pauses, in their order.

    Args:
        clock: Seconds from a monotonic clock.
        sleep: Waits for some seconds.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._writes: deque[Write] = deque()
        self._refusal: _Refusal | None = None

    def __len__(self) -> int:
        return len(self._writes)

    def add(self, write: Write) -> None:
        """Put a write at the end of the queue."""
        self._writes.append(write)

    def send(self) -> None:
        """Send what can be sent now, without waiting for a store that is away."""
        if self._refusal is not None and self._clock() < self._refusal.retry_at:
            return
        while self._writes:
            try:
                self._writes[0]()
            except (MlflowException, SQLAlchemyError, OSError) as error:
                self._refused(error)
                return
            self._writes.popleft()
            self._refusal = None

    def close(self) -> None:
        """Send everything, waiting for the store where need be.

        Raises:
            StoreError: If the store has not come back after about a minute.
        """
        self.send()
        for pause in _RETRY_SECONDS:
            if not self._writes:
                return
            self._sleep(pause)
            self._refusal = None
            self.send()
        if self._writes:
            reason = self._refusal.reason if self._refusal else "unknown"
            raise StoreError(
                f"the tracking store did not take {len(self._writes)} writes ({reason}); nothing is lost: "
                f"run the same command again once it answers"
            )

    def _refused(self, error: Exception) -> None:
        num_failures = self._refusal.num_failures if self._refusal else 0
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if num_failures == 0:
            _log.warning("the tracking store refuses a write (%s); it will be tried again", reason)
        pause = _RETRY_SECONDS[min(num_failures, len(_RETRY_SECONDS) - 1)]
        self._refusal = _Refusal(reason, self._clock() + pause, num_failures + 1)
