"""The real command as a process of its own, watched from outside and ended in every way there is."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from tests.chaos.recorded import Recorded, read_store
from tests.conftest import REPOSITORY

DEADLINE_SECONDS = 400.0
"""For anything that is waited for: far more than it takes, since other work may be on the machine."""

ESTIMATORS = ("reinmax", "st")
EPOCHS = 2

OWN = "own_st"
"""An estimator that does not ship: a file of it lies beside the spec."""
_OWN_FILE = f"""
from estimators import estimator
from estimators.sampling import sample_one_hot

@estimator
def {OWN}(logits, *, temperature=1.0, generator=None):
    soft = (logits / temperature).softmax(-1)
    return sample_one_hot(logits, generator) + soft - soft.detach()
"""
_SPEC = """
name: chaos
use: {used}
epochs: {epochs}
batch_size: 600
seeds: 2
grid:
  - {{estimator: [{estimators}], latent: 8x4, lr: 5e-4, temperature: 1.0}}
"""
_COMMAND = "from sweep.cli import console_script; console_script()"


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Args:
        status: Its exit status.
        said: What it wrote to stderr.
    """

    status: int
    said: str


@dataclass(frozen=True)
class Sweep:
    """A sweep in a home.

    Args:
        home: The home.
        tracking_uri: The tracking store as the command is told it; none is the home's own.
        database: Where the store keeps its tables, as SQLAlchemy is told it; none is the home's own.
        estimators: What to sweep over, two seeds each.
        environment: Variables of its processes beside those of this one.
    """

    home: Path
    tracking_uri: str | None = None
    database: str | None = None
    estimators: tuple[str, ...] = ESTIMATORS[:1]
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def spec(self) -> Path:
        return self.home / "spec.yaml"

    @property
    def checkpoints(self) -> Path:
        return self.home / "checkpoints"

    def of_all_estimators(self) -> Sweep:
        """Return the sweep with twice as many members as there are cores to train them."""
        sweep = replace(self, estimators=ESTIMATORS)
        sweep.write_spec()
        return sweep

    def write_spec(self) -> None:
        used = ["own.py"] if OWN in self.estimators else []
        (self.home / "own.py").write_text(_OWN_FILE)
        self.spec.write_text(_SPEC.format(epochs=EPOCHS, estimators=", ".join(self.estimators), used=used))

    def recorded(self) -> Recorded:
        """Return what the store's tables say; nothing where they are not there yet."""
        return read_store(self.database or f"sqlite:///{self.home / 'mlflow.db'}")

    def has_checkpoint(self) -> bool:
        return any(self.checkpoints.glob("*/epoch-*.pt"))

    def has_epoch(self) -> bool:
        """Whether the store has an epoch of a member that has not finished."""
        recorded = self.recorded()
        return bool(recorded.epochs) and "RUNNING" in recorded.statuses.values()

    def has_finished_member(self) -> bool:
        return "FINISHED" in self.recorded().statuses.values()

    def is_trained(self) -> bool:
        """Whether every pack that has a checkpoint has one of its last epoch."""
        folders = [*self.checkpoints.iterdir()]
        return bool(folders) and all((one / f"epoch-{EPOCHS:06d}.pt").exists() for one in folders)

    def start(self, name: str = "run", *options: str) -> Command:
        words = [sys.executable, "-c", _COMMAND, name, str(self.spec)]
        words += ["--home", str(self.home)]
        words += ["--tracking-uri", self.tracking_uri] if self.tracking_uri else []
        return Command([*words, *options], self.home, environment_of(self.environment))


class Command:
    """A running command.

    Args:
        words: The command.
        folder: Where to keep what it writes.
        environment: Its environment.
    """

    def __init__(self, words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._said = folder / f"stderr-{time.monotonic_ns()}"
        self._children: set[psutil.Process] = set()
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                env=dict(environment),
                cwd=REPOSITORY,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self._said.read_text()

    def wait_for(self, what: Callable[[], object]) -> None:
        """Wait for a state while the command runs."""

        def has_come() -> object:
            assert self.process.poll() is None, f"ended too early: {self.said}"
            return what()

        wait_for(has_come, lambda: self.said)

    def wait_until_it_says(self, words: str) -> None:
        self.wait_for(lambda: words in self.said)

    @property
    def driver(self) -> psutil.Process:
        """The process of a `run` that has Ray beneath it, which the command watches; else the command."""
        command = psutil.Process(self.process.pid)
        return next(iter(command.children()), command)

    def trials(self) -> list[psutil.Process]:
        """Return the processes that train, of a driver that started Ray itself."""
        return [child for child in self._descendants() if is_trial(child)]

    def kill_in_ray(self, name: str) -> None:
        """End the one process of a driver's own Ray that has this name."""
        (victim,) = (child for child in self._descendants() if child.name().startswith(name))
        victim.kill()

    def _descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    @contextmanager
    def training_held(self) -> Iterator[None]:
        """Let the training stand still, so that the driver does not come to its end in the meantime."""
        trials = self.trials()
        for trial in trials:
            with suppress(psutil.NoSuchProcess):
                trial.suspend()
        yield
        for trial in trials:
            with suppress(psutil.NoSuchProcess):
                trial.resume()

    def end(self) -> Ended:
        """Wait for it to end by itself."""
        try:
            status = self.process.wait(DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end: {self.said}") from None
        return Ended(status, self.said)

    def finish(self) -> str:
        """Wait for it to end with success, and return what it said."""
        ended = self.end()
        assert ended.status == 0, ended.said
        return ended.said

    def kill(self) -> None:
        """End the driver as a lack of memory would; what it started is left to itself."""
        self._children |= set(self._descendants())
        self.driver.kill()
        self.process.wait(DEADLINE_SECONDS)

    def clean_up(self) -> None:
        """End whatever is left of it."""
        if self.process.poll() is None:
            self.driver.resume()
            self.kill()
        for child in self._children:
            if child.is_running():
                child.kill()
        psutil.wait_procs(self._children, DEADLINE_SECONDS)


def is_trial(process: psutil.Process) -> bool:
    try:
        return any(word.startswith("ray::") and "Trainable" in word for word in process.cmdline())
    except psutil.Error:  # it has just ended
        return False


def wait_for(what: Callable[[], object], describe: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not what():
        assert time.monotonic() < deadline, f"waited in vain for {what.__qualname__}: {describe()}"
        time.sleep(0.1)


def environment_of(more: Mapping[str, str]) -> dict[str, str]:
    # Whatever names another store, home or cluster is not for these drivers.
    foreign = ("MLFLOW_TRACKING", "CATSWEEP", "RAY_ADDRESS", "RAY_AUTH", "PYTEST")
    own = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    # Ray's workers are nicer than anything else on the machine, and would starve beside other work.
    return {**own, "PYTHONPATH": str(REPOSITORY), "RAY_worker_niceness": "0", **more}
