"""`catsweep doctor`: is everything in place?"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from sweep.cli.options import HomeOption, TrackingOption
from trainables.terminal import echo

if TYPE_CHECKING:
    from pathlib import Path

    from sweep.home import Home

EXIT_NOT_OK = 1
_ENOUGH_DISK_BYTES = 2 * 2**30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        what: What it is.
        is_ok: Whether it is as it should be.
        detail: What was found, and the remedy where it is not.
    """

    what: str
    is_ok: bool
    detail: str


def command(tracking_uri: TrackingOption = None, home: HomeOption = None) -> None:
    """Check packages, processors, home, store and data, and say what to mend.

    Example: `catsweep doctor`
    """
    is_ok = True
    for finding in _findings(home, tracking_uri):
        is_ok = is_ok and finding.is_ok
        echo(f"{'ok   ' if finding.is_ok else 'WRONG'} {finding.what}: {finding.detail}")
    if not is_ok:
        raise typer.Exit(EXIT_NOT_OK)


def _findings(home: Path | None, tracking_uri: str | None) -> Iterator[Finding]:
    from sweep.cluster.environment import PACKAGES, code_version, package_version
    from sweep.home import Home, HomeError

    yield Finding("python", True, platform.python_version())
    yield Finding("code", True, code_version())
    for package in PACKAGES:
        version = package_version(package)
        yield Finding(package, version != "missing", version)
    yield _processors()
    try:
        place = Home.resolve(home, tracking_uri)
    except HomeError as error:
        yield Finding("home", False, str(error))
        return
    yield from _home(place)
    yield _store(place)
    yield from _data(place)


def _processors() -> Finding:
    import os

    import torch

    from trainables.allowance import usable_cores, usable_memory

    cores, all_cores = usable_cores(), os.cpu_count()
    of_all = f" of {all_cores}, all that this process may use" if cores != all_cores else ""
    memory = f"{usable_memory() / 2**30:.1f} GiB of memory"
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return Finding("processors", True, f"{cores} cores{of_all}; {memory}; GPUs: {', '.join(gpus) or 'none'}")


def _home(place: Home) -> Iterator[Finding]:
    from sweep.home import HomeError

    try:
        place.make_folders()
    except HomeError as error:
        yield Finding("home", False, str(error))
        return
    yield Finding("home", True, str(place.path))
    free = shutil.disk_usage(place.path).free
    yield Finding("free disk", free >= _ENOUGH_DISK_BYTES, f"{free / 2**30:.1f} GiB")


def _store(place: Home) -> Finding:
    from sweep.store.file_system import remote_kind
    from sweep.store.store import Store, StoreError

    store = Store(place)
    kind = remote_kind(place.sqlite_path) if place.sqlite_path else ""
    warning = (
        f"; an SQLite file on {kind} is for one driver at a time, for more let a server keep it"
        if kind
        else ""
    )
    if store.is_empty_file:
        return Finding("store", True, f"{place.shown_uri} (none yet){warning}")
    try:
        store.check()
        return Finding("store", True, f"{place.shown_uri}, {len(store.members())} members{warning}")
    except StoreError as error:
        return Finding("store", False, str(error))


def _data(place: Home) -> Iterator[Finding]:
    from trainables.data import DATASETS, verify

    for name in DATASETS:
        if not (place.data / name).is_dir():
            yield Finding(name, True, f"not fetched; catsweep data fetch {name}")
            continue
        wrong = [check for check in verify(name, place.data) if not check.is_ok]
        detail = "; ".join(f"{check.what}: {check.detail}" for check in wrong) or "verified"
        yield Finding(name, not wrong, detail)
