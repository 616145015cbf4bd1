"""The packs of a grid as Ray Tune sees them: a searcher that suggests them one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from trainables.pack import Pack
from trainables.pack_trainable import PACK


class PackQueue(Searcher):  # type: ignore[misc]
    """Suggests packs in their order, and then says that there are no more.

    Tune's own grid search copies all configs for every trial that it makes, so that a trial of ten thousand
    costs ten times what one of a thousand does; and it makes all trials long before there is room for them.

    Args:
        packs: The packs.
        config_of: Maps a pack to the config that its trainable takes.
    """

    def __init__(self, packs: Iterable[Pack], config_of: Callable[[Pack], Mapping[str, object]]) -> None:
        super().__init__()
        self._packs = iter(packs)
        self._config_of = config_of

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles searchers for a restore of its own, which is never used here.
        return {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str:  # noqa: ARG002
        """Return the config of the next pack, or that there is none."""
        for pack in self._packs:
            return {PACK: dict(self._config_of(pack))}
        return str(Searcher.FINISHED)

    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
    ) -> None:
        """Do nothing: what is suggested next depends on no result."""

    def save(self, checkpoint_path: str | Path) -> None:
        """Do nothing: the next run makes a plan from the store."""

    def restore(self, checkpoint_path: str | Path) -> None:
        """Do nothing, as `save`."""
