"""Real servers that can be killed and started again: MLflow's, and PostgreSQL beneath it."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import requests

from tests.chaos.sweeps import wait_for

# Else MLflow starts ten more processes, for jobs that nobody here has.
_QUICK_START = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
POSTGRES_USER = "postgres"
POSTGRES_PROGRAMS = Path("/usr/lib/postgresql")


class Server:
    """A server process that keeps its port and folder from one life to the next.

    Args:
        words: The command.
        folder: Its working directory, where its log goes too.
        is_ready: Whether it answers.
        user: Name of the system's user who runs it; none is the one who runs the tests.
    """

    def __init__(
        self, words: Sequence[str], folder: Path, is_ready: Callable[[], bool], user: str | None = None
    ) -> None:
        self._words = words
        self._folder = folder
        self._is_ready = is_ready
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log_path = self._folder / "log"
        with log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._words,
                cwd=self._folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **_QUICK_START},
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
            )
        wait_for(self._is_ready, log_path.read_text)

    def kill(self) -> None:
        """End all its processes at once; nothing happens where it does not run."""
        if self._process is None:
            return
        family = [psutil.Process(self._process.pid)]
        family += family[0].children(recursive=True)
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        for process in family[1:]:
            if process.is_running():
                process.kill()
        psutil.wait_procs(family[1:])
        self._process = None


class MlflowServer(Server):
    """MLflow's tracking server.

    Args:
        folder: Where it works and keeps artifacts.
        database: URL of its tables.
    """

    def __init__(self, folder: Path, database: str) -> None:
        self.database = database
        port = unused_port()
        self.uri = f"http://127.0.0.1:{port}"
        self.port = port
        words = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", database]
        words += ["--artifacts-destination", str(folder / "artifacts"), "--workers", "1"]
        super().__init__([*words, "--host", "127.0.0.1", "--port", str(port)], folder, self._is_healthy)

    def _is_healthy(self) -> bool:
        try:
            return requests.get(f"{self.uri}/health", timeout=5).ok
        except requests.RequestException:
            return False


class PostgresServer(Server):
    """PostgreSQL with a database of its own.

    Args:
        folder: Where it keeps its tables: a new folder that its user can reach.
    """

    def __init__(self, folder: Path) -> None:
        self._programs = postgres_programs()
        assert self._programs is not None
        self._socket_folder = folder
        user = pwd.getpwnam(POSTGRES_USER)
        os.chown(folder, user.pw_uid, user.pw_gid)
        port = unused_port()
        self.database = f"postgresql://{POSTGRES_USER}@127.0.0.1:{port}/{POSTGRES_USER}"
        self._port = port
        tables = folder / "tables"
        subprocess.run(
            [self._programs / "initdb", "--auth", "trust", "--encoding", "UTF8", "-D", tables],
            check=True,
            capture_output=True,
            cwd=folder,
            user=POSTGRES_USER,
            group=POSTGRES_USER,
            extra_groups=[],
        )
        words = [self._programs / "postgres", "-D", tables, "-p", port, "-k", folder]
        words += ["-c", "listen_addresses=127.0.0.1"]
        super().__init__(list(map(str, words)), folder, self._is_ready_for_queries, POSTGRES_USER)

    def _is_ready_for_queries(self) -> bool:
        assert self._programs is not None
        words = [self._programs / "pg_isready", "--quiet", "-h", "127.0.0.1", "-p", str(self._port)]
        return subprocess.run(words).returncode == 0


def postgres_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, the newest one's; none where it is not installed."""
    return max(POSTGRES_PROGRAMS.glob("*/bin"), key=lambda path: int(path.parent.name), default=None)


def unused_port() -> int:
    """Return a port of this machine where nobody answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
