"""Writes on their way to the tracking store: sent in order by a thread, kept in memory while it is away."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from sweep.execution.writes import Write, joined
from sweep.store.refusal import STORE_AWAY, TakenOverError, WriteRefusedError
from sweep.store.store import StoreError
from trainables.error_reason import reason_of

PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between tries while the store is away; the last one is repeated."""
PATIENCE = 60.0
"""Seconds that the end of a run waits for a store that takes nothing."""


class Outbox:
    """A queue of writes, each of which may be repeated without harm, and a thread that sends them.

    Neither a slow store nor one that is away holds up whoever adds writes. What waits outlives this process
    in the checkpoints, which go only by a write behind all others of their pack. A write that is refused for
    good is left out, and those behind it are sent.

    Args:
        apply: Sends a write; raises `WriteRefusedError`, `TakenOverError` or one of `STORE_AWAY`.
        store: The store, as shown to people.
        say: Shows a line to the user.
        pauses: Seconds between tries while the store is away.
        patience: Seconds that `close` waits for a store that takes nothing.
    """

    def __init__(
        self,
        apply: Callable[[Write], None],
        store: str,
        say: Callable[[str], None],
        *,
        pauses: Sequence[float] = PAUSES,
        patience: float = PATIENCE,
    ) -> None:
        self._apply = apply
        self._store = store
        self._say = say
        self._pauses = pauses
        self._patience = patience
        self._queue: deque[Write] = deque()
        self._num_failures = 0
        self._is_refused_as_pair = False  # then the first write is sent without what belongs to it
        self._is_closing = False
        self._is_given_up = False
        self._reason = ""
        self._changed = threading.Condition()
        self.num_refused = 0
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="catsweep-outbox", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, *writes: Write) -> None:
        """Put writes at the end of the queue."""
        self._raise_what_the_thread_raised()
        with self._changed:
            if not self._is_given_up:
                self._queue.extend(writes)
            self._changed.notify_all()

    def settle(self, seconds: float) -> bool:
        """Wait until everything is sent, and return whether it is after so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self._queue or self._error is not None, seconds)
        self._raise_what_the_thread_raised()
        return not self._queue

    def close(self) -> None:
        """Send everything, waiting for the store where need be.

        Raises:
            StoreError: If the store has not taken everything.
        """
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        left = len(self._queue) + 1
        while 0 < len(self._queue) < left:
            left = len(self._queue)
            self._wait_until_fewer(left)
        with self._changed:
            self._is_given_up = True
            self._changed.notify_all()
        store = f"tracking store {self._store}"
        if self._queue:
            raise StoreError(
                f"{store} did not take {len(self._queue)} writes{self._reason}; once it answers, give the "
                f"same command again: what checkpoints hold is reported, and not trained again"
            )
        if self.num_refused:
            raise StoreError(
                f"{store} refused {self.num_refused} writes for good, as said above; members whose numbers "
                f"they held are reported from their checkpoints when the same command is given again"
            )

    def _wait_until_fewer(self, count: int) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._queue) < count or self._error is not None, self._patience
            )
        self._raise_what_the_thread_raised()

    def _raise_what_the_thread_raised(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()
            raise

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._is_closing)
                if not self._queue or self._is_given_up:
                    return
                write = self._queue[0]
                pair = None if self._is_refused_as_pair else joined(self._queue)
            try:
                self._apply(pair[0] if pair else write)
            except WriteRefusedError as refusal:
                if pair:
                    self._is_refused_as_pair = True
                    continue
                self.num_refused += 1
                self._say(f"the tracking store refuses a write for good: {refusal}")
                self._sent()
            except TakenOverError:
                self._drop()
            except STORE_AWAY as error:
                self._wait(error)
            else:
                self._sent(*([pair[1]] if pair else []))

    def _sent(self, *others: int) -> None:
        """Take the first write out of the queue, and those at these places that were sent with it."""
        if self._num_failures:
            self._say("the tracking store answers again")
        with self._changed:
            self._num_failures = 0
            self._is_refused_as_pair = False
            for place in (*others, 0):
                del self._queue[place]
            self._changed.notify_all()

    def _drop(self) -> None:
        """Forget what waits: checkpoints have it, and whoever has taken over makes it again."""
        with self._changed:
            self._is_given_up = True
            self._queue.clear()
            self._changed.notify_all()

    def _wait(self, error: Exception) -> None:
        """Wait until it is time to try again."""
        deadline = time.monotonic() + self._pauses[min(self._num_failures, len(self._pauses) - 1)]
        self._num_failures += 1
        self._reason = f" ({reason_of(error)})"
        if self._num_failures == 1:
            self._say(f"the tracking store does not take a write{self._reason}; it is tried again")
        with self._changed:
            self._changed.wait_for(lambda: self._is_given_up, deadline - time.monotonic())
