"""A real SLURM of this process's own: two nodes, both on this machine, with a munge daemon of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel")
_SECONDS = 30.0
_CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
KillWait=10
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


def missing_programs() -> list[str]:
    """Return what of SLURM is not installed here."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


@contextmanager
def two_nodes() -> Iterator[Path]:
    """Run it, and give its configuration, which SLURM's commands find in SLURM_CONF."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    folder.chmod(0o755)  # munge's user looks into it
    config = folder / "slurm.conf"
    config.write_text(_CONFIG.format(host=socket.gethostname(), folder=folder, ports=_free_ports(3)))
    (folder / "state").mkdir()
    environment = {**os.environ, "SLURM_CONF": str(config), "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)

        def start(*words: str) -> None:
            log = stack.enter_context((folder / f"{words[-1].replace('/', '_')}.out").open("w"))
            process = subprocess.Popen(words, stdout=log, stderr=log, env=environment)
            stack.callback(process.wait)
            stack.callback(process.terminate)

        start(*_munged(folder / "munge"))
        _wait_for(lambda: (folder / "munge" / "socket").exists())
        start("slurmctld", "-D")
        for node in ("n1", "n2"):
            start("slurmd", "-D", "-N", node)
        idle = ["sinfo", "--noheader", "--format=%T %D"]
        _wait_for(
            lambda: subprocess.run(idle, capture_output=True, text=True, env=environment).stdout == "idle 2\n"
        )
        yield config


def _munged(folder: Path) -> list[str]:
    """Return the command of a munge daemon, which runs as its own user."""
    folder.mkdir(mode=0o755)
    (folder / "key").write_bytes(secrets.token_bytes(128))
    (folder / "key").chmod(0o600)
    for path in (folder, folder / "key"):
        shutil.chown(path, "munge", "munge")
    options = [
        f"--{what}={folder}/{name}"
        for what, name in (
            ("key-file", "key"),
            ("socket", "socket"),
            ("pid-file", "pid"),
            ("log-file", "log"),
            ("seed-file", "seed"),
        )
    ]
    user = ["setpriv", "--reuid=munge", "--regid=munge", "--clear-groups"]
    return [*user, "munged", "--foreground", "--force", *options]


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _wait_for(is_there: object, seconds: float = _SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not is_there():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise TimeoutError("SLURM does not come up")
        time.sleep(0.1)
