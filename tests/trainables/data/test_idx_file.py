import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from trainables.data.errors import SourceError
from trainables.data.idx.file import IdxFile

NAME = "t10k-images-idx3-ubyte"


@pytest.fixture
def file(small, tmp_path: Path) -> IdxFile:
    """A published file, whose content is in the test's folder."""
    (tmp_path / NAME).write_bytes(small.content[NAME])
    return small.files[2]


def test_a_published_file_is_read_as_an_array_that_can_be_written(file, small, tmp_path: Path) -> None:
    array = file.read(tmp_path)
    assert array.dtype == np.uint8
    assert np.array_equal(array, small.arrays[2])
    array[0] = 1
    assert np.array_equal(file.read(tmp_path), small.arrays[2])
    assert file.check(tmp_path).is_ok


def test_an_array_is_written_as_published(file, small) -> None:
    assert file.encode(small.arrays[2]) == small.content[NAME]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: content[:-1], "MD5"),
        (lambda content: content + b"\0", r"it is longer than 15,696 bytes"),
        (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "MD5"),
        (lambda _: b"", "MD5"),
    ],
    ids=["cut", "longer", "one bit", "empty"],
)
def test_other_content_is_not_read(change, reason, file, small, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(change(small.content[NAME]))
    check = file.check(tmp_path)
    assert not check.is_ok
    with pytest.raises((ValueError, OSError), match=reason):
        file.read(tmp_path)


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"]
)
def test_a_file_that_never_ends_is_not_read(make, file, tmp_path: Path) -> None:
    (tmp_path / NAME).unlink()
    make(tmp_path / NAME)
    assert file.check(tmp_path).detail == "cannot be read: it is no regular file"
    with pytest.raises(OSError, match="it is no regular file"):
        file.read(tmp_path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "packed"])
def test_other_content_is_not_installed(pack, file, small, tmp_path: Path) -> None:
    content = small.content[NAME]
    with pytest.raises(SourceError, match=r"it: MD5 .* uncompressed, expected "):
        file.install(tmp_path, pack(content[:-1] + bytes([content[-1] ^ 1])), "it")
    assert (tmp_path / NAME).read_bytes() == content


def test_damaged_gzip_file_is_refused(file, small, tmp_path: Path) -> None:
    packed = gzip.compress(small.content[NAME])
    with pytest.raises(SourceError, match="images: damaged gzip file"):
        file.install(tmp_path / "target", packed[:-5], "images")
