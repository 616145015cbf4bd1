"""Which file systems lie on other machines, where an SQLite file is locked less reliably than on a disk."""

from __future__ import annotations

from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_REMOTE = (
    "nfs",
    "nfs4",
    "lustre",
    "gpfs",
    "beegfs",
    "cifs",
    "smb3",
    "ceph",
    "9p",
    "afs",
    "orangefs",
    "wekafs",
)


def remote_kind(path: Path, mounts: Path = _MOUNTS) -> str:
    """Return the kind of the file system that a path lies on if that is another machine's, else "".

    Args:
        path: A path, of which the end need not be there.
        mounts: The system's list of file systems; where there is none, nothing is known.
    """
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return ""
    place, kind = path.resolve(), ""
    longest = -1
    for line in lines:  # of two at one place the later hides the earlier
        own, _, rest = line.partition(" - ")
        if len(own.split()) < 5 or not rest:
            continue
        point = Path(own.split()[4].encode().decode("unicode_escape"))
        if place.is_relative_to(point) and len(point.parts) >= longest:
            longest, kind = len(point.parts), rest.split()[0]
    return kind if kind in _REMOTE or kind.startswith("fuse.") else ""
