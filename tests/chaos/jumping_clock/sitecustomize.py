"""Moves the clock of every Python process that finds this module, by the seconds that a file says.

libfaketime, which does that for any program, breaks `time.sleep` of Python 3.11 and later.
"""

from __future__ import annotations

import os
import time

_time, _time_ns = time.time, time.time_ns


def _offset() -> int:
    with open(os.environ["CHAOS_CLOCK"]) as file:  # noqa: PTH123 -- pathlib takes long to import
        return int(file.read())


time.time = lambda: _time() + _offset()
time.time_ns = lambda: _time_ns() + _offset() * 1_000_000_000
