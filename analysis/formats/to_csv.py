"""Tables as comma-separated values: every column, full precision."""

from __future__ import annotations

import pandas as pd

from analysis.tables.table import SEEDS


def render_csv(frame: pd.DataFrame) -> str:
    """Render one line per row, numbers in their shortest round-trip form, undefined ones empty.

    In place of `seeds` stand, at the end, a column for every seed: `seed_0` and so on.
    """
    seeds = sorted({seed for values in frame[SEEDS] for seed in values})
    columns = {f"seed_{seed}": [values.get(seed) for values in frame[SEEDS]] for seed in seeds}
    wide = frame.drop(columns=SEEDS).assign(**columns)
    return wide.to_csv(index=False, lineterminator="\n")
