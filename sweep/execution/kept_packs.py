"""What checkpoints say of packs whose results are not all in the store, since it was away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainables.pack import Pack
from trainables.pack_trainable import OUTCOME
from trainables.training.checkpoint import CheckpointFolder
from trainables.training.epochs import EpochRecord, read_history


@dataclass(frozen=True)
class KeptPack:
    """What the newest checkpoint of a pack says.

    Args:
        pack: The pack.
        records: A record for each epoch done.
        is_trained: Whether it was trained to its end, and then with what follows.
        pictures: For each member a PNG of what it has learned, or none.
        place: In tags, the processor or GPU and the machine that trained it.
        dataset_content: What the images were made from, as `ImageDataset` has it.
        code: The code that trained it, as `sweep.cluster.environment.code` describes it.
    """

    pack: Pack
    records: Sequence[EpochRecord]
    is_trained: bool = False
    pictures: Sequence[bytes | None] = ()
    place: Mapping[str, str] = field(default_factory=dict)
    dataset_content: str = ""
    code: str = ""


def trained_packs(packs: Iterable[Pack], checkpoints: Path) -> Iterator[KeptPack]:
    """Yield those of some packs that need no more training, since their checkpoints hold all of it.

    Args:
        packs: The packs.
        checkpoints: Folder of all checkpoints.
    """
    return (kept for pack in packs if (kept := kept_pack(pack, checkpoints)).is_trained)


def kept_pack(pack: Pack, checkpoints: Path) -> KeptPack:
    """Return what a pack's newest whole checkpoint says, which is nothing where it has none."""

    def read(state: Mapping[str, Any] | None) -> KeptPack:
        if state is None:
            return KeptPack(pack, ())
        records, outcome = read_history(state, pack), state.get(OUTCOME)
        if outcome is None:
            return KeptPack(pack, records)
        try:
            return KeptPack(pack, records, is_trained=True, **outcome)
        except TypeError as error:
            raise ValueError(f"its outcome cannot be read: {error}") from None

    # What cannot be used is said where training goes on from what is before it.
    return CheckpointFolder(checkpoints / pack.hash, lambda _: None).resume(read)
