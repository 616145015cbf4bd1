"""Which code trains: a hash of the files that a result depends on, the same in every process of a sweep."""

from __future__ import annotations

import hashlib
import importlib.util
import platform
from functools import cache
from pathlib import Path

TRAINING_PACKAGES = ("estimators", "trainables")
MISSING = "missing"


class OtherCodeError(Exception):
    """This process has other code than its driver; the message says where from."""


def code_hash() -> str:
    """Return a hash of the training packages' files as this process finds them, or "missing".

    Nothing of them is imported.
    """
    digest = hashlib.sha256()
    for package in TRAINING_PACKAGES:
        found = importlib.util.find_spec(package)
        if found is None or not found.submodule_search_locations:
            return MISSING
        folder = Path(found.submodule_search_locations[0])
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{package}/{path.relative_to(folder).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


@cache
def own_code() -> str:
    """Return the hash of this process's code, of the moment when it is first asked for.

    What changes on the disk later is not what the process runs.
    """
    return code_hash()


def require_code(wanted: str) -> None:
    """See that this process trains with the driver's code.

    Args:
        wanted: The driver's `own_code`.
    Raises:
        OtherCodeError: If it would train with other code.
    """
    if own_code() != wanted:
        raise OtherCodeError(
            f"code of {' and '.join(TRAINING_PACKAGES)} must be {wanted} in every process that trains, as it "
            f"is for the driver; got {own_code()} from {Path(__file__).parent.parent} on {platform.node()}; "
            f"if files have changed since the driver started, give the command again"
        )
