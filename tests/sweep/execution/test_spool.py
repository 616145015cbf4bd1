from __future__ import annotations

import errno
import json
import math
import os
import resource
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.execution.spool import Spool, SpoolError, read_spools
from sweep.execution.writes import (
    EndSweep,
    FinishMember,
    ForgetPack,
    LogMetrics,
    LogPicture,
    StartMember,
    Write,
    WriteCell,
)

WRITES: tuple[Write, ...] = (
    StartMember(member="a1", params={"seed": "0"}, note="odd", pack_size=2),
    LogMetrics(member="a1", rows=(("train_kl", 0.1 + 0.2, 1_700_000_000_001, 1),)),
    LogPicture(member="a1", png=bytes(range(256))),
    FinishMember(member="a1", end_ms=5, diverged=None),
    WriteCell(params={"lr": "0.1"}, note="", time_ms=5, values={"train_kl_mean": 1e-300, "num_seeds": 1.0}),
    ForgetPack(pack="p1", members=("a1",)),
    EndSweep(status="KILLED"),
)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool.new(tmp_path / "spool", "small", "http://127.0.0.1:1")


def test_what_is_read_is_what_was_written_to_the_last_bit(spool: Spool) -> None:
    spool.append(WRITES[:2])
    spool.append(WRITES[2:])
    (found,) = read_spools(spool.path.parent)
    assert found.writes == WRITES
    assert (found.spool.path, found.spool.experiment, found.spool.store) == (
        spool.path,
        "small",
        "http://127.0.0.1:1",
    )


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_numbers_that_are_not_finite_survive(value: float, spool: Spool) -> None:
    spool.append([LogMetrics(member="a1", rows=(("train_kl", value, 1, 1),))])
    (found,) = read_spools(spool.path.parent)
    (write,) = found.writes
    assert isinstance(write, LogMetrics)
    assert repr(write.rows[0][1]) == repr(value)


def test_there_is_no_file_before_the_first_write_and_none_after_the_last(spool: Spool) -> None:
    assert not spool.path.parent.exists()
    spool.append(WRITES)
    spool.remove()
    assert read_spools(spool.path.parent) == []
    spool.remove()


def test_spools_are_read_oldest_first(tmp_path: Path) -> None:
    for name, age in (("new", 10), ("old", 20)):
        one = Spool.new(tmp_path, name, "s")
        one.append(WRITES)
        os.utime(one.path, (1000 - age, 1000 - age))
    assert [found.spool.experiment for found in read_spools(tmp_path)] == ["old", "new"]


def test_a_line_that_was_cut_off_is_left_out(spool: Spool) -> None:
    spool.append(WRITES)
    spool.path.write_bytes(spool.path.read_bytes()[:-7])
    (found,) = read_spools(spool.path.parent)
    assert found.writes == WRITES[:-1]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["no spool"],
        ['{"experiment": "small"}'],
        ['{"experiment": "small", "store": "s"}', '{"kind": "rm"}'],
    ],
)
def test_a_file_that_is_no_spool_is_named_and_left_alone(lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "small-1-1.jsonl"
    path.write_text("".join(f"{zlib.crc32(line.encode()):08x} {line}\n" for line in lines))
    before = path.read_bytes()
    with pytest.raises(SpoolError, match=f"spool {path} cannot be read"):
        read_spools(tmp_path)
    assert path.read_bytes() == before


def test_no_flipped_bit_becomes_another_write(spool: Spool) -> None:
    spool.append(WRITES[1:2])
    whole = spool.path.read_bytes()
    for place in range(8 * (len(whole) - 1)):  # without the end of the last line, which makes it one cut off
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        spool.path.write_bytes(damaged)
        with pytest.raises(SpoolError, match="a line does not have its checksum"):
            read_spools(spool.path.parent)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_named_and_not_waited_for(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "small-1-1.jsonl"
    make(path)
    with pytest.raises(SpoolError, match=f"spool {path} cannot be read .it is no regular file"):
        read_spools(tmp_path)


def test_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "small-1-1.jsonl").symlink_to("nowhere")
    with pytest.raises(SpoolError, match=r"cannot be read \(No such file or directory"):
        read_spools(tmp_path)


def test_a_flipped_bit_in_what_was_refused_is_an_error(spool: Spool) -> None:
    spool.set_aside(WRITES[1], "run is gone")
    spool.refused_path.write_bytes(spool.refused_path.read_bytes().replace(b'"a1"', b'"a3"'))
    with pytest.raises(SpoolError, match=f"{spool.refused_path} cannot be read .a line does not have"):
        spool.members_refused()


def test_a_full_disk_leaves_the_file_as_it_was(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    spool.append(WRITES[:1])
    before = spool.path.read_bytes()
    write = os.write
    free = [10]

    def small_disk(file: int, data: bytes) -> int:
        if free[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        num_written = write(file, data[: free[0]])
        free[0] -= num_written
        return num_written

    monkeypatch.setattr("sweep.execution.spool.os.write", small_disk)
    with pytest.raises(OSError, match="No space left"):
        spool.append(WRITES[1:])
    assert spool.path.read_bytes() == before
    monkeypatch.setattr("sweep.execution.spool.os.write", write)
    spool.append(WRITES[1:])
    assert read_spools(spool.path.parent)[0].writes == WRITES


def test_a_disk_that_is_full_from_the_start_leaves_no_file(spool: Spool) -> None:
    """Half a header would look like a file that is no spool, and hold up every later run."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limit[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            spool.append(WRITES)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert list(spool.path.parent.iterdir()) == []
    spool.append(WRITES)
    assert read_spools(spool.path.parent)[0].writes == WRITES


def test_what_was_refused_is_kept_with_the_reason_and_not_sent_again(spool: Spool) -> None:
    spool.set_aside(WRITES[0], "run is gone")
    assert read_spools(spool.path.parent) == []
    _, line = spool.refused_path.read_text().splitlines()
    kept = json.loads(line.partition(" ")[2])
    assert (kept["reason"], kept["write"]["member"]) == ("run is gone", "a1")
