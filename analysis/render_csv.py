"""Tables as comma-separated values: every column, full precision."""

from __future__ import annotations

import pandas as pd


def render_csv(frame: pd.DataFrame) -> str:
    """Render one line per row, numbers in their shortest round-trip form, undefined ones empty."""
    return frame.to_csv(index=False, lineterminator="\n")
