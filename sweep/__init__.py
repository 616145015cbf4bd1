"""Sweeps: spec, plan, packing, runner on Ray Tune, tracking in MLflow, and the command line.

For notebooks: `run`, `plan` and `status` do what the commands of these names do and return pandas frames.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweep.api import plan, run, status

__all__ = ["plan", "run", "status"]


def _require_own_packages() -> None:
    """See that the packages beside this one are the ones that an import finds.

    Their names are common ones: a folder of that name where Python was started goes before what is installed.

    Raises:
        ImportError: If one is somebody else's.
    """
    root = Path(__file__).resolve().parent.parent
    for name in ("estimators", "trainables", "analysis"):
        spec = find_spec(name)
        places = list(spec.submodule_search_locations or [str(spec.origin)]) if spec is not None else []
        if [Path(place).resolve() for place in places] != [root / name]:
            raise ImportError(
                f"{name} must be catsweep's, in {root}, got {', '.join(places) or 'none'}, which "
                f"comes before it where Python looks: rename that, or start Python in another folder"
            )


_require_own_packages()


def __getattr__(name: str) -> Any:
    # Ray, MLflow and torch take seconds to import; `catsweep --help` must not wait for them.
    if name in __all__:
        from sweep.quiet import quieten

        quieten()
        from sweep import api

        return getattr(api, name)
    raise AttributeError(f"module 'sweep' has no attribute {name!r}")
