"""The lease: one driver at a time works on a sweep of a store, and a dead one's place is taken over."""

from __future__ import annotations

import json
import os
import platform
import random
import signal
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from sweep.store.refusal import STORE_AWAY, TakenOverError, is_missing, named
from sweep.store.store import StoreError
from trainables.error_reason import reason_of
from trainables.schema import experiment_names

_TAG_PREFIX = "catsweep.driver."
_STOP_PREFIX = "catsweep.stop."
BEAT_SECONDS = 10.0
"""How often a driver shows that it is alive."""
SILENT_BEATS = 4
"""For how many beats a driver must be silent to count as dead."""
DOUBTFUL_BEATS = 2
"""After how many beats of silence a driver asks whether it counts as dead before it writes."""
_MOST_PROCESSES = 2**31
_MOST_NAMES = 20
"""How many experiments of a name that were deleted one after the other are looked through."""


@dataclass(frozen=True)
class Driver:
    """A driver as its tag shows it.

    Args:
        host: Its machine, by name.
        machine: What tells its process numbers from those of other machines, boots and containers.
        pid: Its process.
        beat: Counts up while it lives; a counter, since clocks of two machines differ and jump.
    """

    host: str
    machine: str
    pid: int
    beat: int = 0

    @classmethod
    def this_process(cls) -> Driver:
        """Describe this process."""
        return cls(platform.node(), _machine(), os.getpid())

    @classmethod
    def from_tag(cls, text: str) -> Driver | None:
        """Read a tag; none where it is not one of ours."""
        try:
            driver = cls(**json.loads(text))
        except (ValueError, TypeError, RecursionError):
            return None
        are_words = all(isinstance(word, str) for word in (driver.host, driver.machine))
        is_process = isinstance(driver.pid, int) and 0 < driver.pid < _MOST_PROCESSES
        return driver if are_words and is_process else None

    @property
    def is_known_dead(self) -> bool:
        """Whether it ran on this machine and its process is gone."""
        if self.machine != _machine() or self.pid == os.getpid():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


class Lease:
    """Keeps every other driver out of a sweep's experiment while the context lasts.

    MLflow has no compare-and-set, so every driver raises a flag of its own, a tag of the experiment, and
    only then looks for others: of two that start together, the one that looks last sees the other's flag.
    Whoever sees one takes its own down, and watches. A flag whose beat stands still, or whose process is
    known to be gone, is removed. A driver whose own is missing has lost the lease, unless it cannot have been
    silent for as long: then someone has deleted the tag, and it is raised again.

    Args:
        client: Client of the store.
        experiment_id: The sweep's experiment.
        say: Shows a line to the user.
        beat_seconds: How often to show that this driver is alive.
    Raises:
        StoreError: On entering, if another driver is at work; on leaving, if the lease was lost since.
    """

    def __init__(
        self,
        client: MlflowClient,
        experiment_id: str,
        say: Callable[[str], None],
        *,
        beat_seconds: float = BEAT_SECONDS,
    ) -> None:
        self._client = client
        self.experiment_id = experiment_id
        self._say = say
        self._beat_seconds = beat_seconds
        self._key = f"{_TAG_PREFIX}{uuid.uuid4().hex[:12]}"
        self._driver = Driver.this_process()
        self._beat = 0
        self._last_beat = _seconds()
        self._stopped_cells: frozenset[str] = frozenset()
        self._loss = ""
        self._is_doubtful = False
        self._beating = threading.Lock()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._keep_beating, name="catsweep-lease", daemon=True)

    def __enter__(self) -> Self:
        try:
            self._acquire()
        except STORE_AWAY as error:
            raise StoreError(f"the tracking store does not answer: {reason_of(error)}") from None
        self._forget_stops()  # they were for a driver before this one
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()
        if self._loss:
            raise StoreError(f"{self._loss}; this driver writes nothing more") from error
        with suppress(*STORE_AWAY):  # the next driver sees that this process is gone
            self._forget_stops()
            self._take_down(self._key)

    def check(self) -> None:
        """See, before a write, that this driver has not been silent for so long that another took over.

        A process may be stopped, or its machine asleep, for any time between two lines of its code.

        Raises:
            TakenOverError: If another driver has taken over.
            MlflowException, SQLAlchemyError, OSError: If the store does not say.
        """
        if self._is_doubtful or _seconds() - self._last_beat > DOUBTFUL_BEATS * self._beat_seconds:
            self._beat_if_not_lost()
        if self._loss:
            raise TakenOverError

    def stopped_cells(self) -> frozenset[str]:
        """Return the hashes of the cells that somebody has stopped since, as of the last beat."""
        return self._stopped_cells

    def _acquire(self) -> None:
        while True:
            self._show_beat()
            others = self._others()
            if not others:
                return
            self._take_down(self._key)
            for key, flag in others.items():
                self._see_whether_alive(key, flag)
            time.sleep(random.uniform(0, self._beat_seconds / 10))  # else two that start together never end

    def _see_whether_alive(self, key: str, flag: str) -> None:
        """Return once the flag is down.

        Raises:
            StoreError: If its driver lives.
        """
        driver, where = Driver.from_tag(flag), _where(flag)
        if driver is None or not driver.is_known_dead:
            seconds = SILENT_BEATS * self._beat_seconds
            self._say(f"a driver {where} may be at work on this sweep; looking for up to {seconds:.0f} s")
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                time.sleep(self._beat_seconds / 4)
                now = self._others().get(key)
                if now is None:
                    return
                if now != flag:
                    raise StoreError(
                        f"another catsweep run is at work on this sweep {where} wait for its end, or end it"
                    )
        self._say(f"the driver {where} is dead; taking over")
        self._take_down(key)

    def _keep_beating(self) -> None:
        while not self._is_over.wait(self._beat_seconds):
            try:
                self._beat_if_not_lost()
            except STORE_AWAY:
                continue  # while the store is away, nobody else can take over either
            if self._loss:
                os.kill(os.getpid(), signal.SIGINT)  # ends the run as the user would
                return

    def _beat_if_not_lost(self) -> None:
        with self._beating:
            flags, before = self._flags(), self._last_beat
            if self._key not in flags and (flags or self._was_silent_since(before)):
                self._loss = _loss(flags.values())
                return
            self._show_beat()
            # What raised the flag may have been held up on its way, and have raised one that was removed.
            self._is_doubtful |= self._was_silent_since(before)
            if self._is_doubtful and (others := self._others()):
                self._take_down(self._key)
                self._loss = _loss(others.values())
            self._is_doubtful = False

    def _was_silent_since(self, beat: float) -> bool:
        """Whether the driver may have counted as dead, given when it had begun to show its last beat."""
        return _seconds() - beat > (SILENT_BEATS - 1) * self._beat_seconds

    def _forget_stops(self) -> None:
        self._flags()
        for cell in self._stopped_cells:
            self._take_down(f"{_STOP_PREFIX}{cell}")
        self._stopped_cells = frozenset()

    def _show_beat(self) -> None:
        self._beat += 1
        start = _seconds()
        tag = json.dumps({**asdict(self._driver), "beat": self._beat})
        self._client.set_experiment_tag(self.experiment_id, self._key, tag)
        self._last_beat = start

    def _take_down(self, key: str) -> None:
        try:
            self._client.delete_experiment_tag(self.experiment_id, key)
        except MlflowException as error:
            if not is_missing(error):
                raise

    def _others(self) -> Mapping[str, str]:
        return {key: flag for key, flag in self._flags().items() if key != self._key}

    def _flags(self) -> Mapping[str, str]:
        experiment = self._client.get_experiment(self.experiment_id)
        named(experiment.experiment_id, "experiment")  # else all flags would seem to be down
        stops = (key for key in experiment.tags if key.startswith(_STOP_PREFIX))
        self._stopped_cells = frozenset(key.removeprefix(_STOP_PREFIX) for key in stops)
        return {key: flag for key, flag in experiment.tags.items() if key.startswith(_TAG_PREFIX)}


def ask_to_stop(client: MlflowClient, sweep: str, cells: Iterable[str]) -> None:
    """Tell the driver of a sweep to stop cells, given by their hashes; it hears of it with its next beat.

    Raises:
        StoreError: If no driver is at work on the sweep, or the store does not answer.
    """
    try:
        found = [client.get_experiment_by_name(name) for name in islice(experiment_names(sweep), _MOST_NAMES)]
        experiments = [one for one in found if one is not None and one.lifecycle_stage == "active"]
        at_work = [one for one in experiments if any(key.startswith(_TAG_PREFIX) for key in one.tags)]
        if not at_work:
            raise StoreError(f"no catsweep run is at work on {sweep}, so that there is nothing to stop")
        for cell in cells:
            client.set_experiment_tag(at_work[0].experiment_id, f"{_STOP_PREFIX}{cell}", "asked for")
    except STORE_AWAY as error:
        raise StoreError(f"the tracking store does not answer: {reason_of(error)}") from None


def _loss(flags: Collection[str]) -> str:
    """Say how a driver lost its lease, given the flags of others."""
    if not flags:
        return (
            "this driver was silent for long, and its tag in the store is gone: another one took the sweep "
            "over and has ended since, or someone deleted the tag"
        )
    return (
        f"another driver {_where(next(iter(flags)))} took the sweep over, since this one was silent for long "
        "or someone deleted its tag"
    )


def _where(flag: str) -> str:
    driver = Driver.from_tag(flag)
    return f"on {driver.host}, process {driver.pid}," if driver is not None else "of another version,"


def _seconds() -> float:
    """Return seconds that pass also while the machine sleeps, as `time.monotonic` does not on Linux."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def _machine() -> str:
    """Return what is the same for two processes only if each can see the other by its number."""
    parts = [platform.node()]
    for path, read in (
        (Path("/proc/sys/kernel/random/boot_id"), lambda path: path.read_text().strip()),
        (Path("/proc/self/ns/pid"), lambda path: str(path.readlink())),
    ):
        try:
            parts.append(read(path))
        except OSError:
            continue
    return " ".join(parts)
