"""Keep members apart that were trained on different images under one name.

Which of Omniglot's sets one has is no part of a member's identity: a store holds members of one choice.
Members that do not say what they saw pass.
"""

from __future__ import annotations

from collections.abc import Mapping

from sweep.home import Home
from sweep.store.store import StoredMember
from trainables.data import DataError, ImageDataset


def require_same_content(
    stored: Mapping[str, StoredMember], dataset: ImageDataset | None, home: Home
) -> None:
    """See that a data set was made from what the store's members of that name were trained on.

    Args:
        stored: Everything the store holds, by member hash.
        dataset: The images to train on; none where there are none.
        home: Names the store and the data folder in the message.

    Raises:
        DataError: If it was made from something else; the message names a run.
    """
    if dataset is None or not dataset.content:
        return
    others = [one for one in stored.values() if _differs(one, dataset)]
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise DataError(
            f"{home.data / dataset.name} holds {dataset.content}, but run {others[0].run_id}{more} in "
            f"tracking store {home.shown_uri} saw {dataset.name} made from {others[0].dataset_content}: "
            f"name another --tracking-uri, or get those by `catsweep data fetch {dataset.name} --from`"
        )


def _differs(stored: StoredMember, dataset: ImageDataset) -> bool:
    if stored.member is None or stored.member.cell.params.get("dataset") != dataset.name:
        return False
    if "dataset_version" in stored.member.cell.params:  # a user's, of which that is a part of the identity
        return False
    return stored.dataset_content not in ("", dataset.content)
