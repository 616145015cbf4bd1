"""torchvision's own download, in a process of its own.

torchvision waits for a host that does not answer for as long as the system does, and to import it takes
seconds: a process can be given up, and takes that time only where something is to be downloaded.
"""

from __future__ import annotations

import sys
from pathlib import Path

from trainables.data.program import run_program
from trainables.terminal import echo

MOST_SECONDS = 1800.0
"""Longest time for the whole; the largest of the data sets has 31 MB."""
_PROCESS = "trainables.data.torchvision_process"
_CODE = Path(__file__).parents[2]


def download(name: str, folder: Path) -> None:
    """Have torchvision download a data set and check its files.

    Args:
        name: The class of `torchvision.datasets`.
        folder: Where the files go, at any depth, packed and perhaps unpacked; it must be empty.

    Raises:
        SourceError: If torchvision cannot be imported, or no host of its list answers or has the files.
    """
    is_seen = sys.stderr.isatty()
    if not is_seen:
        echo(f"downloading {name} from the hosts that torchvision lists", err=True)
    command = [sys.executable, "-m", _PROCESS, name, str(folder)]
    run_program(command, _CODE, MOST_SECONDS, shows_progress=is_seen)
