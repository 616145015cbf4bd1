"""What a member's runs say of it: which of several is the member's, and how that one stands."""

from __future__ import annotations

FINISHED = "FINISHED"
"""MLflow's status of a run that came to its end, be it that its member diverged."""
RUNNING_STATUSES = ("RUNNING", "SCHEDULED")

COUNTED = "counted"
RUNNING, FAILED, DIVERGED, PRUNED, INCOMPLETE, MISSING = STATES = (
    "running", "failed", "diverged", "pruned", "incomplete", "missing",
)  # fmt: skip
"""Why a member does not count, in the order in which a status lists them."""


def is_whole(status: str, diverged: int | None, epoch: int | None, epochs: int | None) -> bool:
    """Tell whether a run is one of a member of which nothing is left to do, divergence included.

    A run that is marked as finished and lacks its last epoch is not: its member is trained again.

    Args:
        status: MLflow's status.
        diverged: The epoch at which it diverged, or none.
        epoch: The last epoch of which it has metrics; none where that is not known.
        epochs: How many it is to have; none where that is not known.
    """
    if status != FINISHED or diverged is not None:
        return status == FINISHED
    return epoch is None or epochs is None or epoch >= epochs


def precedence(
    status: str, start: int | None, end: int | None, run_id: str, *, whole: bool
) -> tuple[int, int, int, str]:
    """Return what to compare a member's runs by, of which the one with the largest is the member's.

    It is the whole one that ended last, else the running one, else the one that started last.

    Args:
        status: MLflow's status.
        start: When it started, a number that grows with time; none where that is not known.
        end: When it ended, likewise.
        run_id: MLflow's id.
        whole: What `is_whole` says.
    """
    first = 2 if whole else int(status in RUNNING_STATUSES)
    latest = end if status == FINISHED else start
    return first, latest or 0, start or 0, run_id


def member_state(
    status: str | None, *, is_diverged: bool, is_pruned: bool, is_at_end: bool, is_finite: bool
) -> str:
    """Return `COUNTED` or one of `STATES`.

    A member counts only if it is finished, did not diverge, and has finite values at its last epoch. One with
    a value there that is not finite has diverged, tagged or not; "pruned" is one that a search gave up before
    its last epoch, and "incomplete" a finished run without a value there.

    Args:
        status: MLflow's status of the member's run; none where it has none.
        is_diverged: Whether it is tagged as diverged.
        is_pruned: Whether it is tagged as given up by a search.
        is_at_end: Whether what is asked of it reaches its last epoch.
        is_finite: Whether all of that is finite.
    """
    if status is None:
        return MISSING
    if status in RUNNING_STATUSES:
        return RUNNING
    if status != FINISHED:
        return PRUNED if is_pruned else FAILED
    if is_diverged or (is_at_end and not is_finite):
        return DIVERGED
    return COUNTED if is_at_end else INCOMPLETE
