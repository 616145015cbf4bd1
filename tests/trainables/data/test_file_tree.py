from __future__ import annotations

import gzip
import hashlib
import os
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from trainables.data.errors import SourceError
from trainables.data.file_tree import MOST_BYTES, open_tree
from trainables.data.idx.dataset import LocalIdx
from trainables.data.idx.file import IdxFile
from trainables.data.idx.mnist_wheel import MEMBER, arrays_of_wheel
from trainables.data.omniglot.images import decode_drawing

BOMB_BYTES = 300_000_000


@pytest.fixture
def tree(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder or zip with one file of 100 bytes."""
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "file").write_bytes(b"x" * 100)
    if request.param == "folder":
        return folder
    with zipfile.ZipFile(tmp_path / "tree.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "file", "file")
    return tmp_path / "tree.zip"


@pytest.mark.parametrize("tree", ["folder", "zip"], indirect=True)
def test_file_is_read_only_if_it_is_not_too_long(tree: Path) -> None:
    with open_tree(tree) as opened:
        assert opened.read("file", 100) == b"x" * 100
        with pytest.raises(SourceError, match=r"^file is longer than 99 bytes$"):
            opened.read("file", 99)


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"]
)
def test_what_is_neither_folder_nor_file_is_not_opened(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "source")
    with pytest.raises(SourceError, match="is neither a folder nor a file"), open_tree(tmp_path / "source"):
        pytest.fail("it was opened")


def test_a_file_that_is_longer_than_any_zip_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "sparse.zip"
    path.touch()
    os.truncate(path, MOST_BYTES + 1)
    with pytest.raises(SourceError, match=r"is longer than 1,073,741,824 bytes"), open_tree(path):
        pytest.fail("it was opened")


def zip_bomb(path: Path, name: str) -> None:
    """Write a zip whose file unpacks to a thousand times its length."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w") as file:
        for _ in range(BOMB_BYTES // 10_000_000):
            file.write(bytes(10_000_000))
    assert path.stat().st_size < BOMB_BYTES / 500


def test_zip_and_gzip_bombs_are_refused_without_being_unpacked(tmp_path: Path) -> None:
    file = IdxFile("train-images-idx3-ubyte", "0" * 32, (10, 28, 28))
    zip_bomb(tmp_path / "bomb.zip", file.name)
    packed = gzip.compress(bytes(BOMB_BYTES), 1)
    wheel = tmp_path / "wheel.whl"
    zip_bomb(wheel, MEMBER)
    target = tmp_path / "target"
    target.mkdir()
    tracemalloc.start()
    with pytest.raises(SourceError, match=" is longer than "):
        LocalIdx((file,), (tmp_path / "bomb.zip",)).obtain(target)
    with pytest.raises(SourceError, match=r"it, uncompressed, is longer than 7,856 bytes"):
        file.install(target, packed, "it")
    with pytest.raises(SourceError, match=" is longer than "):
        arrays_of_wheel(wheel)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < BOMB_BYTES / 2
    assert list(target.iterdir()) == []


def test_picture_of_gigabytes_is_refused_by_its_header() -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    for side in (106, 5_000, 100_000):
        header = side.to_bytes(4, "big") * 2 + bytes((1, 0, 0, 0, 0))
        png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
        with pytest.raises(SourceError, match=f"{side}x{side} pixels|not a PNG picture: .*bomb"):
            decode_drawing(png, "drawing.png")


def test_names_that_climb_out_of_a_zip_write_nothing(tmp_path: Path) -> None:
    content = b"\0\0\x08\x01\0\0\0\x01x"
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    file = IdxFile("train-labels-idx1-ubyte", digest, (1,))
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr(f"../../{file.name}", content)
        archive.writestr(f"/etc/{file.name}", content)
    target = tmp_path / "deep" / "target"
    target.mkdir(parents=True)
    LocalIdx((file,), (tmp_path / "evil.zip",)).obtain(target)
    assert [path.name for path in target.iterdir()] == [file.name]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "evil.zip"]


def test_encrypted_and_damaged_zips_are_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "tree.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("file", os.urandom(200) + bytes(5000))
    content = bytearray(path.read_bytes())
    start = content.index(b"file") + 4
    damaged = bytearray(content)
    damaged[start : start + 60] = b"\xff" * 60
    path.write_bytes(damaged)
    with pytest.raises(SourceError, match=r"cannot be (unpacked|read)"), open_tree(path) as tree:
        tree.read("file", 10_000)
    encrypted = bytearray(content)
    central = content.index(b"PK\x01\x02")
    encrypted[6] |= 1
    encrypted[central + 8] |= 1
    path.write_bytes(encrypted)
    with pytest.raises(SourceError, match=r"file cannot be unpacked: .*encrypted"), open_tree(path) as tree:
        tree.read("file", 10_000)
