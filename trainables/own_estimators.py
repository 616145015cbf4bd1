"""Estimators and tasks of users in the processes that train: they come from the driver, and need no file."""

from __future__ import annotations

from estimators.registry import register
from trainables import task_registry as tasks
from trainables.task import Task


def take_over(shipped: bytes) -> None:
    """Put estimators and tasks into this process's registries.

    Args:
        shipped: From the driver (`sweep.spec.use.shipped_by_value`), which is trusted; may be empty.
    """
    if not shipped:
        return
    import cloudpickle

    for entry in cloudpickle.loads(shipped):
        (tasks.register if isinstance(entry, Task) else register)(entry)
