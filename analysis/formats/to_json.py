"""Tables as JSON: every column, full precision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from estimators.registry import hyperparameter_names
from trainables.schema import CHOOSABLE, param_of


def render_json(frame: pd.DataFrame) -> str:
    """Render a list with one object per row; what is undefined or does not apply is null.

    Hyperparameters are numbers but for the optimiser's name; `seeds` is an object, from seed to value.
    """
    rows = [{name: _plain(name, value) for name, value in row.items()} for row in frame.to_dict("records")]
    return json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(name: Any, value: Any) -> Any:
    if name in CHOOSABLE or name in hyperparameter_names():
        return value if param_of(name).is_text and value else json.loads(value or "null")
    return value if isinstance(value, Mapping) or pd.notna(value) else None
