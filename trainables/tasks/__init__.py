"""The tasks: each a file with its record, `TASK`, and its trainer, which the registry loads by its name."""

import trainables.task_registry  # noqa: F401 - a task that is imported by itself is loaded like all
