"""Tables as JSON: every column, full precision."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd


def render_json(frame: pd.DataFrame) -> str:
    """Render a list with one object per row; undefined numbers are null."""
    rows = [{name: _plain(value) for name, value in row.items()} for row in frame.to_dict("records")]
    return json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    return None if pd.isna(value) else value
