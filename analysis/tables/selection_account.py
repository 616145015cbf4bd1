"""The account of a choice in words: how many seeds each candidate had, and why some could not be chosen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.names import estimator_name
from analysis.tables.labels import row_labels
from analysis.tables.member_states import COMPLETE
from trainables.schema import CellRequest
from trainables.store.member_state import MISSING

_MOST_NAMED = 6
"""So many cells of one status are named; of more, these and the number of the others."""


@dataclass(frozen=True)
class Candidate:
    """A cell that might be chosen.

    Args:
        request: The cell and its seeds.
        num_counted: How many of its members count.
        mean: Their mean of the metric that selects, in its unit; NaN where none counts.
        status: What became of the others, as `analysis.tables.member_states.status_text` says it.
    """

    request: CellRequest
    num_counted: int
    mean: float
    status: str

    def is_complete(self, num_seeds: int) -> bool:
        """Tell whether it can be chosen: whether every seed counts, and there is one."""
        return self.num_counted == num_seeds > 0


def account(
    group: Sequence[Candidate], best: Candidate | None, num_seeds: int, *, higher_is_better: bool
) -> str:
    """Return how many seeds the candidates had, ties for the best, and what the incomplete ones might change.

    Args:
        group: All candidates.
        best: The chosen one.
        num_seeds: How many seeds a cell needs to be chosen.
        higher_is_better: Whether the best mean is the highest.
    """
    complete: list[tuple[str, Candidate]] = []
    others: list[tuple[str, Candidate]] = []
    for name, candidate in zip(_names(group), group, strict=True):
        (complete if candidate.is_complete(num_seeds) else others).append((name, candidate))
    by_status: dict[str, list[str]] = defaultdict(list)
    for name, candidate in others:
        by_status[_status(candidate, num_seeds)].append(name)
    parts = [_complete_text(len(complete), len(group), num_seeds)]
    parts += [f"{len(names)} with {status}: {_listed(names)}" for status, names in by_status.items()]
    if best is None:
        return "; ".join([*parts, "nothing is chosen"])
    tied = [name for name, candidate in complete if candidate.mean == best.mean]
    if len(tied) > 1:
        parts.append(f"the same mean have {_listed(tied)}: the first is chosen")
    sign = -1 if higher_is_better else 1
    ahead = [name for name, candidate in others if sign * candidate.mean < sign * best.mean]
    if ahead:
        parts.append(f"not complete, but better so far: {_listed(ahead)}")
    return "; ".join(parts)


def _complete_text(num_complete: int, num_candidates: int, num_seeds: int) -> str:
    candidates = "1 candidate" if num_candidates == 1 else f"{num_candidates} candidates"
    seeds = "the 1 seed" if num_seeds == 1 else f"all {num_seeds} seeds"
    return f"{candidates}, {num_complete} with {seeds}"


def _status(candidate: Candidate, num_seeds: int) -> str:
    if candidate.status == COMPLETE:  # every seed that was asked of it, but fewer than of others
        return f"{candidate.num_counted} of {num_seeds} (no more asked)"
    if candidate.status == MISSING:
        return f"none of {num_seeds}"
    counted, _, others = candidate.status.partition("; ")
    return f"{counted} ({others})"


def _names(group: Sequence[Candidate]) -> list[str]:
    """Return what sets the candidates apart, without the estimator's name that all share."""
    labels = row_labels([candidate.request.cell for candidate in group])
    name = estimator_name(group[0].request.cell.estimator)
    return [label.removeprefix(name).strip() or label for label in labels]


def _listed(names: Sequence[str]) -> str:
    named = ", ".join(names[:_MOST_NAMED])
    rest = len(names) - _MOST_NAMED
    return f"{named} and {rest} more" if rest > 0 else named
