"""Packing: which members train together, new packs and those that a killed driver left behind."""

from __future__ import annotations

import json
import logging
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainables.atomic_file import write_atomically
from trainables.pack import Pack, shared_params
from trainables.regular_file import read_json
from trainables.schema import Member
from trainables.training.checkpoint import CheckpointFolder

_MANIFEST = "pack.json"
_UNREADABLE = (OSError, ValueError, TypeError, AttributeError, KeyError)
_log = logging.getLogger(__name__)


def pack_members(
    members: Iterable[Member], size_of: Callable[[Member], int], *, is_on_gpu: bool = False
) -> tuple[Pack, ...]:
    """Group members that may train together into even packs of at most their size, in their order.

    Ten members of size eight are two packs of five, which are no more packs than one of eight and one of two.
    On a GPU those of one learning rate stand side by side, since the optimiser is called once for each.
    """
    groups: dict[tuple[tuple[str, str], ...], list[Member]] = {}
    for member in members:
        groups.setdefault(shared_params(member, is_on_gpu=is_on_gpu), []).append(member)
    packs = []
    for group in groups.values():
        if is_on_gpu:
            group.sort(key=lambda member: float(member.params.get("lr", 0)))
        size = math.ceil(len(group) / math.ceil(len(group) / size_of(group[0])))
        packs += [Pack(tuple(group[start : start + size])) for start in range(0, len(group), size)]
    return tuple(packs)


def write_manifest(checkpoints: Path, pack: Pack, store: str = "") -> Path:
    """Note down who is in a pack, so that it can be formed again, and which store is to have its results.

    Returns:
        The pack's absolute folder.
    """
    folder = checkpoints / pack.hash
    folder.mkdir(parents=True, exist_ok=True)
    stores = {*_stores(folder), *filter(None, [store])}
    _write(folder, pack.to_params(), stores)
    return folder


def forget_pack(checkpoints: Path, pack: str, store: str) -> None:
    """Remove the folder of a pack, given by its hash, of which a store holds everything.

    Where another store is still to have its results, as one that was away, it stays for that one.
    """
    folder = checkpoints / pack
    if others := _stores(folder) - {store}:
        with suppress(OSError):
            _write(folder, _members(read_json(folder / _MANIFEST)), others)
    else:
        CheckpointFolder(folder).remove()


def stores_waiting(checkpoints: Path) -> Mapping[str, int]:
    """Return the stores that are still to have results of packs, each with the number of packs."""
    return Counter(
        store for manifest in checkpoints.glob(f"*/{_MANIFEST}") for store in _stores(manifest.parent)
    )


def packs_left_behind(checkpoints: Path) -> list[Pack]:
    """Return the packs that have a folder, hence were started and not finished."""
    packs = []
    for manifest in sorted(checkpoints.glob(f"*/{_MANIFEST}")):
        try:
            pack = Pack.from_params(_members(read_json(manifest)))
            if pack.hash != manifest.parent.name:
                raise ValueError(f"{_MANIFEST} is of pack {pack.hash}")
        except _UNREADABLE as error:
            _log.warning("checkpoint folder %s is left alone: %s", manifest.parent, error)
            continue
        packs.append(pack)
    return packs


def form_packs(
    wanted: Iterable[Member], checkpoints: Path, size_of: Callable[[Member], int], *, is_on_gpu: bool = False
) -> tuple[Pack, ...]:
    """Form the packs to train: first those to go on with, then new ones of the rest.

    A pack left behind goes on when someone in it is wanted. It keeps all its members, since its checkpoint
    does; those that are not asked for are finished along the way. Where it left no checkpoint and is larger
    than new packs may be, as after a GPU ran out of memory, its members are formed anew.

    Args:
        wanted: Members that are not finished, in the order of the plan.
        checkpoints: Folder of all checkpoints.
        size_of: Maps a member to the most members that its new pack may have.
        is_on_gpu: Whether packs get GPUs.
    """
    waiting = {member.hash: member for member in wanted}
    packs = []
    for pack in packs_left_behind(checkpoints):
        hashes = [member.hash for member in pack.members]
        is_begun = CheckpointFolder(checkpoints / pack.hash).has_checkpoint
        if not is_begun and len(pack) > size_of(pack.members[0]):
            continue
        if any(key in waiting for key in hashes):
            packs.append(pack)
            for key in hashes:
                waiting.pop(key, None)
    return (*packs, *pack_members(waiting.values(), size_of, is_on_gpu=is_on_gpu))


def finished_folders(checkpoints: Path, finished: Collection[str]) -> list[Path]:
    """Return the folders of packs whose members have all finished."""
    return [
        checkpoints / pack.hash
        for pack in packs_left_behind(checkpoints)
        if all(member.hash in finished for member in pack.members)
    ]


def _write(folder: Path, members: object, stores: Collection[str]) -> None:
    content = {"members": members, "stores": sorted(stores)}
    write_atomically(folder / _MANIFEST, json.dumps(content).encode())


def _members(manifest: Any) -> Any:
    """Return the params of a manifest's members, which were all of it once."""
    return manifest["members"] if isinstance(manifest, dict) else manifest


def _stores(folder: Path) -> set[str]:
    """Return which stores are still to have a pack's results; none where its manifest does not say."""
    try:
        return set(map(str, read_json(folder / _MANIFEST)["stores"]))
    except _UNREADABLE:
        return set()
