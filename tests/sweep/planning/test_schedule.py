from __future__ import annotations

import pytest

from sweep.planning.schedule import makespan


@pytest.mark.parametrize(
    ("durations", "num_slots", "expected"),
    [
        ([], 2, 0),
        ([5], 1, 5),
        ([5], 8, 5),
        ([1, 2, 3], 1, 6),
        ([4, 4, 4, 4], 2, 8),
        ([4, 4, 4], 2, 8),  # the third has to wait, though two slots would do 12 in 6
        ([10, 1, 1, 1], 2, 10),  # one is longest, whatever the others do
        ([10, 1, 1, 1], 4, 10),
        ([3, 3, 2, 2, 2], 2, 7),  # the classic case that the longest first does not solve best, which is 6
        ([2, 2, 2, 3, 3], 2, 7),
        ([1, 1, 1, 1, 4], 2, 6),  # a long one left over
        ([4, 1, 1, 1, 1], 2, 4),
    ],
)
def test_the_last_pack_ends_when_worked_out_by_hand(
    durations: list[float], num_slots: int, expected: float
) -> None:
    assert makespan(durations, num_slots) == expected


def test_a_mere_division_would_be_caught() -> None:
    def divided(durations: list[float], num_slots: int) -> float:
        return sum(durations) / num_slots

    assert divided([4, 4, 4, 4], 2) == makespan([4, 4, 4, 4], 2)
    assert divided([10, 1, 1, 1], 2) == 6.5 < makespan([10, 1, 1, 1], 2)
    assert divided([5], 8) < makespan([5], 8)
