from __future__ import annotations

from typing import Any

import pytest

from benchmarks.paper_workloads import Setting, make_pack
from benchmarks.step import PARTS, parts, shares
from tests.trainables.members import images
from trainables.tasks.mnist_vae import DiscreteVaeTrainer
from trainables.training.training_data import TrainingData

INDEX_SELECT = ("~", 0, "<method 'index_select' of 'torch._C.TensorBase' objects>")


def function(name: str) -> tuple[str, int, str]:
    return ("file.py", 1, name)


def times(seconds: float, **by_caller: float) -> tuple[Any, ...]:
    callers = {function(caller): (1, 1, 0.0, of_it) for caller, of_it in by_caller.items()}
    return (1, 1, 0.0, seconds, callers)


def test_call_counts_for_the_part_of_who_makes_it() -> None:
    """The estimator fetches by index too, and an evaluation goes forward too."""
    stats = {
        function("_train"): times(10.0),
        INDEX_SELECT: times(5.0, _train=1.0, averaged_vjp=4.0),
        function("forward"): times(6.0, encode=2.0, decode=1.0, elsewhere=3.0),
        function("draw_reinmax"): times(0.5, differentiate=0.5),
        function("<lambda>"): times(4.0, differentiate=3.0, sorted=1.0),
        function("step"): times(1.5, _train=1.5),
    }
    assert shares(stats) == pytest.approx(
        {"data": 0.1, "networks": 0.3, "loss": 0.0, "optimiser": 0.15, "estimator": 0.35, "other": 0.1}
    )


def test_every_part_of_a_real_step_is_found_and_evaluation_is_none_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = TrainingData.of_images(images(500), images(100))
    trainer = DiscreteVaeTrainer(make_pack(Setting("reinmax_rao", "8x4"), epochs=1), given)
    monkeypatch.setattr(trainer, "_evaluate", lambda: pytest.fail("an evaluation is no part of a step"))
    found = parts(trainer)
    assert list(found) == [*PARTS, "other"]
    assert all(share > 0 for share in found.values())
    assert sum(found.values()) == pytest.approx(1.0)
    # The average over 100 draws takes most of this step, and fetches by index as the data do.
    assert found["data"] < 0.1 < found["estimator"]
