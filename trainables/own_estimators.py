"""Estimators of users in the processes that train: they come from the driver as bytes, and need no file."""

from __future__ import annotations

from estimators.registry import register


def take_over(shipped: bytes) -> None:
    """Put estimators into this process's registry.

    Args:
        shipped: From the driver (`sweep.spec.use.shipped_by_value`), which is trusted; may be empty.
    """
    if not shipped:
        return
    import cloudpickle

    for entry in cloudpickle.loads(shipped):
        register(entry)
