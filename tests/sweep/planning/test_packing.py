from __future__ import annotations

import json
from pathlib import Path

import pytest

from sweep.planning.packing import (
    finished_folders,
    form_packs,
    pack_members,
    packs_left_behind,
    write_manifest,
)
from tests.trainables.members import member
from trainables.pack import Pack


def pack(*seeds: int, **params: object) -> Pack:
    return Pack(tuple(member(seed, **params) for seed in seeds))


def seeds_of(packs: object) -> list[list[int]]:
    return [[one.seed for one in each.members] for each in packs]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("size", "seeds"),
    [
        (1, [[0], [1], [2], [3], [4]]),
        (2, [[0, 1], [2, 3], [4]]),
        (3, [[0, 1, 2], [3, 4]]),
        (4, [[0, 1, 2], [3, 4]]),
        (5, [[0, 1, 2, 3, 4]]),
        (9, [[0, 1, 2, 3, 4]]),
    ],
)
def test_packs_are_even_and_filled_in_the_order_of_their_members(size: int, seeds: list[list[int]]) -> None:
    assert seeds_of(pack_members((member(seed) for seed in range(5)), lambda _: size)) == seeds


def test_members_share_a_pack_only_where_they_may_train_together() -> None:
    members = [
        member(seed, estimator=estimator, temperature=temperature)
        for temperature in (0.5, 1.0)
        for estimator in ("st", "reinmax")
        for seed in (0, 1)
    ]
    packs = pack_members(members, lambda _: 100)
    assert [{one.cell.estimator for one in each.members} for each in packs] == [{"st"}, {"reinmax"}]
    # Temperatures and seeds may differ within a pack.
    assert [len(each) for each in packs] == [4, 4]


def test_a_manifest_makes_the_same_pack_again(tmp_path: Path) -> None:
    original = pack(3, 1, temperature=0.5)
    folder = write_manifest(tmp_path, original)
    assert folder == tmp_path / original.hash
    assert packs_left_behind(tmp_path) == [original]
    assert write_manifest(tmp_path, original) == folder
    assert [path.name for path in folder.iterdir()] == ["pack.json"]


def test_no_folder_of_checkpoints_means_no_pack(tmp_path: Path) -> None:
    assert packs_left_behind(tmp_path / "none") == []


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "null", "5", "[]", "{}", '"text"', '["a"]', '[{"seed": 1, "lr": "fast"}]', '[{"lr": 1}]'),
        *('[{"seed": 1}]', "[" * 100_000),
    ],
)
def test_a_manifest_of_garbage_is_warned_of_and_left_alone(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = pack(0)
    write_manifest(tmp_path, good)
    manifest = tmp_path / "0123456789abcdef" / "pack.json"
    manifest.parent.mkdir()
    manifest.write_text(text)

    assert packs_left_behind(tmp_path) == [good]
    (warning,) = caplog.messages
    assert warning.startswith(f"checkpoint folder {manifest.parent} is left alone: ")
    assert manifest.read_text() == text
    assert finished_folders(tmp_path, {good.members[0].hash}) == [tmp_path / good.hash]


def test_a_manifest_in_a_folder_of_another_pack_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_manifest(tmp_path, pack(0))
    (folder / "pack.json").write_text(json.dumps(pack(1).to_params()))
    assert packs_left_behind(tmp_path) == []
    assert caplog.messages == [
        f"checkpoint folder {folder} is left alone: pack.json is of pack {pack(1).hash}"
    ]


def begin(checkpoints: Path, begun: Pack) -> None:
    """Leave what a pack leaves that ended after its first epoch."""
    (write_manifest(checkpoints, begun) / "epoch-000001.pt").touch()


def test_a_pack_left_behind_goes_on_as_it_was_whatever_the_size_of_new_ones(tmp_path: Path) -> None:
    left = pack(0, 1)
    begin(tmp_path, left)
    packs = form_packs([member(seed) for seed in range(5)], tmp_path, lambda _: 1)
    assert seeds_of(packs) == [[0, 1], [2], [3], [4]]
    assert packs[0].hash == left.hash


def test_a_narrower_spec_takes_the_whole_pack_along(tmp_path: Path) -> None:
    begin(tmp_path, pack(0, 1, 2))
    assert seeds_of(form_packs([member(1)], tmp_path, lambda _: 1)) == [[0, 1, 2]]


def test_a_pack_that_never_began_is_formed_anew_where_it_is_too_large(tmp_path: Path) -> None:
    """As after a GPU ran out of memory, and the user asked for smaller packs."""
    write_manifest(tmp_path, pack(0, 1, 2, 3))
    members = [member(seed) for seed in range(4)]
    assert seeds_of(form_packs(members, tmp_path, lambda _: 4)) == [[0, 1, 2, 3]]
    assert seeds_of(form_packs(members, tmp_path, lambda _: 2)) == [[0, 1], [2, 3]]


def test_a_pack_of_which_nobody_is_wanted_stays_where_it_is(tmp_path: Path) -> None:
    folder = write_manifest(tmp_path, pack(0, 1))
    assert seeds_of(form_packs([member(2)], tmp_path, lambda _: 2)) == [[2]]
    assert form_packs([], tmp_path, lambda _: 2) == ()
    assert (folder / "pack.json").exists()


def test_folders_of_finished_packs_are_those_whose_members_have_all_finished(tmp_path: Path) -> None:
    whole, half = pack(0, 1), pack(2, 3)
    for one in (whole, half):
        write_manifest(tmp_path, one)
    finished = {member(seed).hash for seed in (0, 1, 2)}
    assert finished_folders(tmp_path, finished) == [tmp_path / whole.hash]
