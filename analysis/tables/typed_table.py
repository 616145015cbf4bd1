"""A table as it is passed on: its rows, and in types what the rows cannot say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Self

import pandas as pd


@dataclass(frozen=True)
class Facts:
    """What is true of a table as a whole; the default of each is that nothing is to be said.

    Args:
        datasets: Names of the data sets.
        dataset_contents: What each was made from, where that can differ.
        has_epochs: Whether a cell trains for a number of epochs that its spec states.
        params_apart: Params for which cells of one latent are not ranked against each other.
        num_duplicated: How many members have several finished runs.
        skipped: How many runs of the store are left out, by the reason.
        of_other_code: How many members the store has of other code of a row's estimator or task, by its name.
        of_other_data: How many members the store has of other images of a user's data set, by its name.
        compare: What is shown beside the means, a key of `COMPARISONS`; none where nothing is.
        other_settings: Hashes of cells whose published numbers were made with other hyperparameters.
        selected_by: The metric that selected the cells; none where they are all.
        hyperparameters: Those that stand below a table of selected cells.
        tested: Whether cells were tested against the best.
        latents: The order of the columns; that of the rows where there is none.
        is_transposed: Whether latents are rows and estimators columns.
    """

    datasets: Sequence[str] = ()
    dataset_contents: Mapping[str, Sequence[str]] = field(default_factory=dict)
    has_epochs: bool = True
    params_apart: Sequence[str] = ()
    num_duplicated: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    of_other_code: Mapping[str, int] = field(default_factory=dict)
    of_other_data: Mapping[str, int] = field(default_factory=dict)
    compare: str | None = None
    other_settings: Sequence[str] = ()
    selected_by: str | None = None
    hyperparameters: Sequence[str] = ()
    tested: bool = False
    latents: Sequence[str] = ()
    is_transposed: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        rows: One row per cell, as `analysis.table` describes them.
        facts: What is true of all of it.
        members: A frame of `wanted_members`; without rows where a frame is all that is known.
    """

    rows: pd.DataFrame
    facts: Facts
    members: pd.DataFrame = field(default_factory=pd.DataFrame)

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Self:
        """Return the table of a frame of `analysis.table`, of which some rows may have been taken out."""
        known = {one.name: frame.attrs[one.name] for one in fields(Facts) if one.name in frame.attrs}
        return cls(frame, Facts(**known))

    @property
    def frame(self) -> pd.DataFrame:
        """The rows for a notebook; the facts go along in `attrs`, as plain data that pandas can store."""
        frame = self.rows.copy(deep=False)
        frame.attrs.clear()
        frame.attrs.update(asdict(self.facts))
        return frame

    def with_rows(self, rows: pd.DataFrame, **facts: Any) -> Table:
        """Return the table with other rows, and with these facts in place of its own."""
        return replace(self, rows=rows, facts=replace(self.facts, **facts))
