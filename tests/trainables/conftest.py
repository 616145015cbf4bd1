"""What tests of training share."""

from __future__ import annotations

import pytest

from trainables.training.process import prepare_process


@pytest.fixture
def one_thread() -> None:
    """Train as a worker with one core does: another number of threads takes sums in another order."""
    prepare_process(1)
