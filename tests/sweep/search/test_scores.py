from __future__ import annotations

import math

import pytest

from sweep.search.scores import Fate, Verdict, epoch_score, verdict_from_record, verdict_from_store
from tests.sweep.samples import metrics_of, record
from tests.sweep.search.samples import search_of, stored_of
from trainables.schema import CellRequest
from trainables.training.epochs import EpochRecord

METRIC = "train_neg_elbo"
COMPLETE = Verdict(Fate.COMPLETE, 102.0)


@pytest.fixture
def request_of_two() -> CellRequest:
    return search_of().requests()[0]


def with_values(*values: float, epoch: int = 2) -> EpochRecord:
    return EpochRecord(epoch, 0, tuple(metrics_of(value) for value in values), (None,) * len(values))


def test_a_complete_cell_is_worth_the_mean_over_its_seeds(request_of_two: CellRequest) -> None:
    stored = {member.hash: stored_of(member, 100.0 + 4 * member.seed) for member in request_of_two.members}
    assert verdict_from_store(request_of_two, stored, METRIC) == COMPLETE
    last = record(2, 100.0, 104.0)
    assert verdict_from_record(request_of_two, request_of_two.members, last, {}, METRIC) == COMPLETE


@pytest.mark.parametrize(("metric", "more"), [("train_neg_elbo", 0), ("train_kl", 2), ("test_neg_elbo", 3)])
def test_the_metric_is_the_one_that_is_asked_for(
    metric: str, more: float, request_of_two: CellRequest
) -> None:
    last = record(2, 100.0, 104.0)
    verdict = verdict_from_record(request_of_two, request_of_two.members, last, {}, metric)
    assert verdict.value == 102.0 + more


def test_seeds_that_the_store_holds_count_with_those_that_were_trained(request_of_two: CellRequest) -> None:
    first, second = request_of_two.members
    stored = {first.hash: stored_of(first, 100.0)}
    last = record(2, 104.0)
    assert verdict_from_record(request_of_two, [second], last, stored, METRIC) == COMPLETE


def test_a_finished_seed_counts_as_the_store_has_it(request_of_two: CellRequest) -> None:
    first, _ = request_of_two.members
    stored = {first.hash: stored_of(first, 100.0)}
    last = record(2, 90.0, 104.0)
    assert verdict_from_record(request_of_two, request_of_two.members, last, stored, METRIC) == COMPLETE


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_is_never_told(value: float, request_of_two: CellRequest) -> None:
    last = with_values(100.0, value)
    verdict = verdict_from_record(request_of_two, request_of_two.members, last, {}, METRIC)
    assert verdict == Verdict(Fate.DIVERGED)
    stored = {
        member.hash: stored_of(member, value if member.seed else 100.0) for member in request_of_two.members
    }
    assert verdict_from_store(request_of_two, stored, METRIC) == Verdict(Fate.DIVERGED)
    assert epoch_score(last, METRIC) is None
    with pytest.raises(ValueError, match="finite value"):
        Verdict(Fate.COMPLETE, value)


@pytest.mark.parametrize("fate", [Fate.DIVERGED, Fate.PRUNED, Fate.FAILED])
def test_only_a_complete_cell_has_a_value(fate: Fate) -> None:
    with pytest.raises(ValueError, match="if and only if"):
        Verdict(fate, 1.0)
    with pytest.raises(ValueError, match="if and only if"):
        Verdict(Fate.COMPLETE)


def test_one_diverged_seed_makes_a_diverged_cell(request_of_two: CellRequest) -> None:
    last = record(2, 100.0, None)
    verdict = verdict_from_record(request_of_two, request_of_two.members, last, {}, METRIC)
    assert verdict == Verdict(Fate.DIVERGED)
    first, second = request_of_two.members
    stored = {first.hash: stored_of(first, None)}
    assert verdict_from_store(request_of_two, stored, METRIC) == Verdict(Fate.DIVERGED)
    verdict = verdict_from_record(request_of_two, [second], record(2, 104.0), stored, METRIC)
    assert verdict == Verdict(Fate.DIVERGED)


def test_a_record_before_the_last_epoch_is_of_a_cell_that_was_given_up(request_of_two: CellRequest) -> None:
    last = record(1, 100.0, 104.0)
    verdict = verdict_from_record(request_of_two, request_of_two.members, last, {}, METRIC)
    assert verdict == Verdict(Fate.PRUNED, epoch=1)


def test_a_failed_seed_makes_a_failed_cell(request_of_two: CellRequest) -> None:
    first, second = request_of_two.members
    stored = {first.hash: stored_of(first, 100.0), second.hash: stored_of(second, 1.0, status="FAILED")}
    assert verdict_from_store(request_of_two, stored, METRIC) == Verdict(Fate.FAILED)


def test_a_finished_seed_without_the_metric_makes_a_failed_cell(request_of_two: CellRequest) -> None:
    stored = {member.hash: stored_of(member, 100.0) for member in request_of_two.members}
    assert verdict_from_store(request_of_two, stored, "train_bits") == Verdict(Fate.FAILED)


@pytest.mark.parametrize("status", ["RUNNING", None])
def test_a_cell_of_which_something_is_left_has_no_verdict(
    status: str | None, request_of_two: CellRequest
) -> None:
    first, second = request_of_two.members
    stored = {first.hash: stored_of(first, 100.0)}
    if status is not None:
        stored[second.hash] = stored_of(second, None, status=status)
    assert verdict_from_store(request_of_two, stored, METRIC) is None


def test_a_seed_that_another_search_gave_up_is_left_to_train(request_of_two: CellRequest) -> None:
    stored = {
        member.hash: stored_of(member, 100.0, status="KILLED", pruned=1) for member in request_of_two.members
    }
    assert verdict_from_store(request_of_two, stored, METRIC) is None


def test_the_score_of_an_epoch_is_the_mean_over_the_pack() -> None:
    assert epoch_score(record(1, 100.0, 104.0), METRIC) == 102.0
    assert epoch_score(record(1, 100.0, None), METRIC) is None
