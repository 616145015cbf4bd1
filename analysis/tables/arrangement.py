"""Which rows and columns a table has, and in which order, where that is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.choices import check_choice
from trainables.schema import CellRequest


def arranged(
    requests: Sequence[CellRequest], estimators: Sequence[str] = (), latents: Sequence[str] = ()
) -> list[CellRequest]:
    """Return the cells of some estimators and latents, in the order in which these are named.

    Args:
        requests: The cells and seeds.
        estimators: Ids or labels of a spec; all in the order of the cells where none are named.
        latents: Such as "8x4"; the same.
    Raises:
        UnknownNameError: If no cell has an estimator or latent that is named.
    """
    ids = {name for request in requests for name in _names(request)}
    for what, named, known in (
        ("estimator", estimators, ids),
        ("latent", latents, {request.cell.latent for request in requests}),
    ):
        for name in named:
            check_choice(what, name, sorted(known))

    def place(request: CellRequest) -> tuple[int, int]:
        of_estimator = [estimators.index(name) for name in _names(request) if name in estimators]
        of_latent = [latents.index(request.cell.latent)] if request.cell.latent in latents else []
        return min(of_estimator, default=-1), min(of_latent, default=-1)

    kept = [
        request
        for request in requests
        if (not estimators or place(request)[0] >= 0) and (not latents or place(request)[1] >= 0)
    ]
    return sorted(kept, key=place)


def _names(request: CellRequest) -> tuple[str, ...]:
    return tuple(name for name in (request.cell.label, request.cell.estimator) if name)
