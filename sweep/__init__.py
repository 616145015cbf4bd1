"""Sweeps: spec, plan, packing, runner on Ray Tune, tracking in MLflow, and the command line.

For notebooks: `run`, `plan` and `status` do what the commands of these names do and return pandas frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweep.api import plan, run, status

__all__ = ["plan", "run", "status"]


def __getattr__(name: str) -> Any:
    # Ray, MLflow and torch take seconds to import; `catsweep --help` must not wait for them.
    if name in __all__:
        from sweep.quiet import quieten

        quieten()
        from sweep import api

        return getattr(api, name)
    raise AttributeError(f"module 'sweep' has no attribute {name!r}")
