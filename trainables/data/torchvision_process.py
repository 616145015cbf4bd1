"""The process in which torchvision downloads: `python -m trainables.data.torchvision_process CLASS FOLDER`.

It ends with status 0, or says on standard output why it could not.
"""

from __future__ import annotations

import http.client
import os
import resource
import socket
import sys
import threading
from pathlib import Path
from types import ModuleType

from trainables.data.errors import SourceError
from trainables.data.torchvision_import import torchvision_datasets
from trainables.terminal import echo

ANSWER_SECONDS = 3.0
"""Longest wait for the first byte of the first file, whatever names, hosts and redirects it takes."""
STALL_SECONDS = 15.0
"""Longest pause inside a transfer."""
MOST_BYTES = 1 << 28
"""Longest file; the largest has 26 MB. A host that never stops would fill the disk."""


def download_here(name: str, folder: Path) -> None:
    """Have torchvision download a data set in this process, which ends where no host answers.

    Args:
        name: The class of `torchvision.datasets`.
        folder: Where the files go; it must be empty.

    Raises:
        SourceError: If torchvision cannot be imported.
        OSError, RuntimeError, HTTPException: What torchvision raises where a host fails.
    """
    datasets = torchvision_datasets()
    socket.setdefaulttimeout(STALL_SECONDS)
    waiting = threading.Timer(ANSWER_SECONDS, _end_if_empty, [folder])
    waiting.daemon = True
    waiting.start()
    try:
        _download(datasets, name, folder)
    finally:
        waiting.cancel()


def _download(datasets: ModuleType, name: str, folder: Path) -> None:
    listed = getattr(datasets, name)
    if name == "Omniglot":  # its zips are read as they are: torchvision would unpack 32,460 files
        for zip_name, md5 in listed.zips_md5.items():
            datasets.utils.download_url(f"{listed.download_url_prefix}/{zip_name}.zip", folder, md5=md5)
    else:
        listed(folder, download=True)


def _end_if_empty(folder: Path) -> None:
    if not any(path.stat().st_size for path in folder.rglob("*") if path.is_file()):
        echo(f"no host has answered within {ANSWER_SECONDS:g} s")
        os._exit(1)  # the main thread may be waiting for a name


def _main(name: str, folder: str) -> int:
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, MOST_BYTES))
    try:
        download_here(name, Path(folder))
    except (SourceError, OSError, RuntimeError, http.client.HTTPException) as error:
        echo(" ".join(str(error).split()))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
