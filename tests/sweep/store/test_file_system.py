from __future__ import annotations

from pathlib import Path

import pytest

from sweep.store.file_system import remote_kind

MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:30 / /shared rw,relatime shared:2 - nfs4 server:/shared rw,vers=4.2
31 30 8:2 / /shared/scratch rw - xfs /dev/sdb1 rw
32 22 0:31 / /with\040space rw - lustre mds@tcp:/lustre rw
33 22 0:32 / /over rw - ext4 /dev/sdc1 rw
34 22 0:33 / /over rw - fuse.sshfs host:/ rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/store", ""),
        ("/shared/me/sweeps/mlflow.db", "nfs4"),
        ("/shared/scratch/me", ""),
        ("/sharedmore", ""),
        ("/with space/x", "lustre"),
        ("/over/x", "fuse.sshfs"),
    ],
)
def test_the_innermost_file_system_counts(path: str, kind: str, tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert remote_kind(Path(path), mounts) == kind


def test_where_nothing_is_known_nothing_is_said(tmp_path: Path) -> None:
    assert remote_kind(Path("/shared"), tmp_path / "none") == ""
