"""What the best member of each estimator and latent has learned, as pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.report.artifacts import Artifacts
from analysis.report.leaders import Leader
from trainables.schema import CellRequest
from trainables.store.member_state import COUNTED

MOST_BYTES = 2_000_000
"""Of all pictures of a page."""


@dataclass(frozen=True)
class Picture:
    """What one member has learned.

    Args:
        leader: Its cell.
        latent: Its latent.
        seed: Its seed.
        value: Its own value of the metric that selects, at the last epoch.
        png: The picture in base64; none where the store has none.
    """

    leader: Leader
    latent: str
    seed: int
    value: float
    png: str | None


def gallery(
    found: Sequence[Leader], members: pd.DataFrame, wanted: Sequence[CellRequest], artifacts: Artifacts
) -> list[Picture]:
    """Return a picture for each best cell: of its first seed that counts, whichever that is.

    Args:
        found: The best cells.
        members: A frame of `wanted_members` of the metric that selects.
        wanted: The cells and seeds wanted.
        artifacts: Where the pictures are.
    """
    pictures = []
    room = MOST_BYTES
    counted = members[members["state"] == COUNTED].drop_duplicates("row").to_dict("records")
    first_of = {member["row"]: member for member in counted}
    for leader in found:
        first = first_of[leader.row]
        png = artifacts.picture(first["run_id"]) if room > 0 else None
        room -= len(png or b"")
        pictures.append(
            Picture(
                leader,
                wanted[leader.row].cell.latent,
                first["seed"],
                first["value"],
                None if png is None else base64.b64encode(png).decode(),
            )
        )
    return pictures
