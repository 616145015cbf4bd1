"""The packs of a grid as Ray Tune sees them: a searcher that suggests them one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from sweep.execution.kinds_of_place import KindsOfPlace
from sweep.execution.stops import Stops
from sweep.spec.sweep_spec import Resources
from trainables.pack import Pack
from trainables.pack_trainable import PACK


class PackQueue(Searcher):  # type: ignore[misc]
    """Suggests packs in their order, and then says that there are no more.

    Tune's own grid search copies all configs for every trial that it makes, so that a trial of ten thousand
    costs ten times what one of a thousand does; and it makes all trials long before there is room for them.

    Args:
        packs: The packs.
        kinds: Says what each gets.
        stops: Says which are not to be trained.
        skip: Is told of those.
        config_of: Maps a pack and what it gets to the config that its trainable takes.
    """

    def __init__(
        self,
        packs: Iterable[Pack],
        kinds: KindsOfPlace,
        stops: Stops,
        skip: Callable[[Pack], None],
        config_of: Callable[[Pack, Resources], Mapping[str, object]],
    ) -> None:
        super().__init__()
        self._packs = iter(packs)
        self._kinds = kinds
        self._stops = stops
        self._skip = skip
        self._config_of = config_of

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles searchers for a restore of its own, which is never used here.
        return {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """Return the config of the next pack, or that there is none."""
        for pack in self._packs:
            if self._stops.stops(pack):
                self._skip(pack)
                continue
            self._stops.note(trial_id, pack)
            return {PACK: dict(self._config_of(pack, self._kinds.take(trial_id)))}
        return str(Searcher.FINISHED)

    def on_trial_complete(
        self,
        trial_id: str,
        result: Mapping[str, Any] | None = None,  # noqa: ARG002
        error: bool = False,  # noqa: ARG002
    ) -> None:
        """Give the trial's place back; what is suggested next depends on no result."""
        self._kinds.leave(trial_id)

    def save(self, checkpoint_path: str | Path) -> None:
        """Do nothing: the next run makes a plan from the store."""

    def restore(self, checkpoint_path: str | Path) -> None:
        """Do nothing, as `save`."""
