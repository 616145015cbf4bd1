from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.trial import TrialState

from sweep.planning.packing import write_manifest
from sweep.search.queue import CellQueue, Job
from sweep.search.scores import Fate, Verdict
from sweep.search.study import CELL, PRUNED, REPEATS
from sweep.store.store import StoreError
from tests.sweep.samples import record
from tests.sweep.search.samples import Lab, packs_in, records_of, search_of, stored_of, value_of
from trainables.pack import Pack
from trainables.schema import Member

MakeLab = Callable[..., Lab]


def cells_in(lab: Lab, state: TrialState) -> list[str]:
    """Return the cells that Optuna itself has in this state, in the order of their trials."""
    return [
        trial.user_attrs[CELL]
        for trial in lab.trials()
        if trial.state is state and REPEATS not in trial.user_attrs
    ]


def cell_of(job: Job) -> str:
    return job.request.cell.hash


def begin(lab: Lab, queue: CellQueue, epochs: int = 1) -> Job:
    """Start a cell, train it for some epochs, and be killed there."""
    job = queue.next()
    assert job is not None
    lab.start(job)
    for epoch in range(1, epochs + 1):
        queue.advanced(job, [records_of(job, epoch)])
    return job


def test_the_seeds_of_a_cell_are_one_pack_and_their_mean_is_told(lab: MakeLab) -> None:
    small = lab(trials=4)
    jobs = small.run(small.open())
    assert [len(job.pack) for job in jobs] == [2] * 4
    for trial, job in zip((t for t in small.trials() if CELL in t.user_attrs), jobs, strict=True):
        assert (trial.state, trial.user_attrs[CELL]) == (TrialState.COMPLETE, cell_of(job))
        assert trial.value == pytest.approx(value_of(job.request) + 0.5)  # seeds end one nat apart
        assert trial.intermediate_values == {1: trial.value + 10, 2: trial.value}


def test_a_mean_over_epochs_or_of_one_seed_would_be_another_number(lab: MakeLab) -> None:
    """The numbers of these tests tell the rule from its wrong versions."""
    small = lab(trials=1)
    (job,) = small.run(small.open())
    values = [
        [metrics["train_neg_elbo"] for metrics in records_of(job, epoch).metrics if metrics]
        for epoch in (1, 2)
    ]
    wrong = {values[1][0], values[1][1], sum(values[1]), (sum(values[0]) + sum(values[1])) / 4}
    assert small.trials()[0].value not in wrong


def test_the_search_ends_with_its_trials_and_the_queue_knows(lab: MakeLab) -> None:
    small = lab(trials=3)
    queue = small.open()
    assert (queue.num_allowed, queue.is_over) == (3, False)
    assert len(small.run(queue)) == 3
    assert (queue.is_over, len(queue.verdicts)) == (True, 3)
    best = min(queue.verdicts.values(), key=lambda verdict: verdict.value or 0)
    assert queue.best is not None
    assert queue.best[1] == best.value
    assert small.open().is_empty


def test_the_search_is_not_over_while_a_cell_is_in_training(lab: MakeLab) -> None:
    small = lab(trials=1)
    queue = small.open()
    job = begin(small, queue)
    assert queue.next() is None
    assert not queue.is_over
    small.train(queue, job)
    assert queue.is_over


def test_a_cell_that_the_store_holds_is_a_trial_told_at_once(lab: MakeLab) -> None:
    """The whole space is finished, by a grid: nothing is trained, and the trials are those of any run."""
    fresh = lab(trials=4)
    jobs = fresh.run(fresh.open())
    expected = [(trial.params, trial.state, trial.value) for trial in fresh.trials()]
    fresh.forget()

    known = lab(trials=4)
    for request in known.space.requests.values():
        for index, member in enumerate(request.members):
            known.stored[member.hash] = stored_of(member, value_of(request) + index)
    assert known.open().is_empty
    assert [(trial.params, trial.state, trial.value) for trial in known.trials()] == expected
    assert len(jobs) == 4


def test_only_seeds_that_the_store_lacks_are_trained(lab: MakeLab) -> None:
    small = lab(trials=1)
    for request in small.space.requests.values():
        small.stored[request.members[0].hash] = stored_of(request.members[0], 90.0)
    (job,) = small.run(small.open())
    assert job.pack == Pack(job.request.members[1:])
    (trial,) = small.trials()
    assert trial.value == pytest.approx((90.0 + value_of(job.request)) / 2)


def test_a_diverged_cell_is_told_as_pruned_with_what_it_had_reported(lab: MakeLab) -> None:
    small = lab(trials=1)
    queue = small.open()
    job = begin(small, queue, epochs=1)
    queue.advanced(job, [replace(record(2, 100.0, None), diverged=(None, 2))])
    queue.ended(job, has_failed=False)
    (trial,) = small.trials()
    assert trial.state is TrialState.PRUNED
    assert trial.intermediate_values == {1: pytest.approx(value_of(job.request) + 10.5)}
    assert PRUNED not in trial.user_attrs
    assert queue.verdicts[cell_of(job)] == Verdict(Fate.DIVERGED)


def test_a_cell_that_diverged_elsewhere_is_told_and_not_trained(lab: MakeLab) -> None:
    small = lab(trials=6)
    unlucky = list(small.space.requests.values())[2]
    small.stored[unlucky.members[0].hash] = stored_of(unlucky.members[0], None)
    jobs = small.run(small.open())
    assert unlucky.cell.hash not in map(cell_of, jobs)
    assert cells_in(small, TrialState.PRUNED) == [unlucky.cell.hash]
    assert small.open().is_empty


def test_a_failed_cell_is_told_as_failed_and_stays_so_until_it_is_retried(lab: MakeLab) -> None:
    small = lab(trials=2)
    queue = small.open()
    failing = begin(small, queue)
    queue.ended(failing, has_failed=True)
    for member in failing.pack.members:
        small.stored[member.hash] = stored_of(member, None, status="FAILED")
    assert len(small.run(queue)) == 1
    assert cells_in(small, TrialState.FAIL) == [cell_of(failing)]
    assert small.open().is_empty

    (again,) = small.run(small.open(retry_failed=True))
    assert again.pack == failing.pack
    assert cell_of(failing) in cells_in(small, TrialState.COMPLETE)
    assert len({trial.user_attrs[CELL] for trial in small.trials() if CELL in trial.user_attrs}) == 2
    assert small.open(retry_failed=True).is_empty


def test_a_failed_cell_that_has_finished_elsewhere_since_is_told_anew(lab: MakeLab) -> None:
    small = lab(trials=1)
    queue = small.open()
    job = begin(small, queue)
    queue.ended(job, has_failed=True)
    small.store(job, 101.0)
    assert small.open().is_empty
    assert [(trial.state, trial.value) for trial in small.trials()] == [
        (TrialState.FAIL, None),
        (TrialState.COMPLETE, 101.5),
    ]


def test_a_killed_driver_s_cell_goes_on_in_the_pack_that_has_a_checkpoint(lab: MakeLab) -> None:
    small = lab(trials=4)
    killed = small.open()
    done = small.run(killed, limit=1)
    left = begin(small, killed)
    # The first seed's result had been written when the driver died; the pack's checkpoint has both.
    first = left.pack.members[0]
    small.stored[first.hash] = stored_of(first, value_of(left.request))

    jobs = small.run(small.open())
    assert jobs[0] == left
    assert packs_in(small.home.checkpoints) == sorted(job.pack.hash for job in (*done, *jobs))
    tried = [trial for trial in small.trials() if CELL in trial.user_attrs]
    assert [trial.state for trial in tried] == [TrialState.COMPLETE] * 4
    assert tried[1].value == pytest.approx(value_of(left.request) + 0.5)


@pytest.mark.parametrize("kill_after", range(4))
def test_a_search_tries_the_same_cells_whenever_it_is_killed(kill_after: int, lab: MakeLab) -> None:
    whole = lab(trials=4)
    expected = list(map(cell_of, whole.run(whole.open())))
    values = [trial.value for trial in whole.trials()]
    whole.forget()

    killed = lab(trials=4)
    queue = killed.open()
    done = killed.run(queue, limit=kill_after)
    left = begin(killed, queue)
    rest = killed.run(killed.open())
    assert rest[0] == left
    assert [cell_of(job) for job in (*done, *rest)] == expected
    assert [trial.value for trial in killed.trials()] == values
    assert killed.open().is_empty


def test_a_cell_that_finished_while_no_driver_was_there_is_told_from_the_store(lab: MakeLab) -> None:
    small = lab(trials=1)
    left = begin(small, small.open())
    small.store(left, 101.0)  # by a grid
    assert small.open().is_empty
    (trial,) = small.trials()
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 101.5)


def test_a_result_that_was_told_but_not_stored_is_stored_by_going_on(lab: MakeLab) -> None:
    """The driver was killed between the study and the store: training goes on, nothing is told twice."""
    small = lab(trials=2)
    killed = small.open()
    job = begin(small, killed, epochs=2)
    killed.ended(job, has_failed=False)
    jobs = small.run(small.open())
    assert (jobs[0].pack, jobs[0].trial) == (job.pack, None)
    assert len(jobs) == 2
    assert [trial.state for trial in small.trials()] == [TrialState.COMPLETE] * 2


def test_a_diverged_cell_s_other_seeds_go_on_where_they_had_begun(lab: MakeLab) -> None:
    small = lab(trials=1)
    killed = small.open()
    job = begin(small, killed)
    small.stored[job.pack.members[0].hash] = stored_of(job.pack.members[0], None)  # killed amid the writes
    queue = small.open()
    assert cells_in(small, TrialState.PRUNED) == [cell_of(job)]
    assert queue.next() == Job(job.request, job.pack, None)
    assert queue.next() is None


def test_what_was_asked_for_and_has_no_cell_yet_is_dropped(lab: MakeLab) -> None:
    small = lab(trials=2)
    study = small.study()
    study._study.ask()  # killed before anything was chosen
    jobs = small.run(small.open())
    assert len(jobs) == 2
    dropped, *rest = small.trials()
    assert (dropped.state, dropped.user_attrs) == (TrialState.FAIL, {})
    assert len([trial for trial in rest if CELL in trial.user_attrs]) == 2


def test_a_cell_that_was_given_up_is_told_as_pruned_and_not_taken_up_again(lab: MakeLab) -> None:
    small = lab(trials=1, epochs=3)
    queue = small.open()
    job = begin(small, queue, epochs=1)
    queue.ended(job, has_failed=False)  # the scheduler stopped it
    (trial,) = small.trials()
    assert (trial.state, trial.user_attrs[PRUNED]) == (TrialState.PRUNED, 1)
    for member in job.pack.members:
        small.stored[member.hash] = stored_of(member, 100.0, status="KILLED", pruned=1)
    again = small.open()
    assert again.is_empty
    assert again.unnoted() == []


def test_the_store_is_told_later_of_a_cell_that_was_given_up(lab: MakeLab) -> None:
    small = lab(trials=1, epochs=3)
    killed = small.open()
    job = begin(small, killed, epochs=1)
    killed.ended(job, has_failed=False)
    again = small.open()  # the tracker had not written it
    assert again.is_empty
    assert again.unnoted() == [(job.pack, 1)]


def test_the_store_is_told_later_too_of_a_cell_of_which_it_never_heard(lab: MakeLab) -> None:
    """It was away from the beginning of the cell to the end of the driver."""
    small = lab(trials=1, epochs=3)
    killed = small.open()
    job = begin(small, killed, epochs=1)
    killed.ended(job, has_failed=False)
    small.stored.clear()
    assert small.open().unnoted() == [(job.pack, 1)]
    (small.home.checkpoints / job.pack.hash / "pack.json").unlink()
    assert small.open().unnoted() == []


def test_a_cell_that_another_search_gave_up_is_trained(lab: MakeLab) -> None:
    small = lab(trials=6, epochs=3)
    given_up = list(small.space.requests.values())[3]
    for member in given_up.members:
        small.stored[member.hash] = stored_of(member, 100.0, status="KILLED", pruned=1)
    pack = Pack(given_up.members)
    write_manifest(small.home.checkpoints, pack)
    jobs = small.run(small.open())
    assert pack in [job.pack for job in jobs]
    assert cells_in(small, TrialState.COMPLETE) == list(map(cell_of, jobs))


def test_a_pack_of_other_members_is_left_alone(lab: MakeLab) -> None:
    """A killed grid may have left the seeds of a cell with others beside them, or in packs of their own."""
    small = lab(trials=6)
    first, second = list(small.space.requests.values())[:2]
    write_manifest(small.home.checkpoints, Pack((*first.members, Member(first.cell, 7))))
    write_manifest(small.home.checkpoints, Pack((second.members[0],)))
    packs = [job.pack for job in small.run(small.open())]
    assert sorted(pack.hash for pack in packs) == sorted(
        Pack(request.members).hash for request in small.space.requests.values()
    )


def test_records_that_come_again_after_a_restart_change_nothing(lab: MakeLab) -> None:
    small = lab(trials=1, epochs=3)
    queue = small.open()
    job = begin(small, queue, epochs=2)
    queue.advanced(job, [records_of(job, epoch) for epoch in (1, 2, 3)])
    queue.ended(job, has_failed=False)
    (trial,) = small.trials()
    assert sorted(trial.intermediate_values) == [1, 2, 3]
    assert trial.value == trial.intermediate_values[3]


def test_a_pack_without_an_epoch_that_the_user_stops_stays_as_it_is(lab: MakeLab) -> None:
    small = lab(trials=1)
    queue = small.open()
    job = begin(small, queue, epochs=0)
    queue.ended(job, has_failed=False)
    assert [trial.state for trial in small.trials()] == [TrialState.RUNNING]
    assert not queue.is_over


def test_what_the_study_does_not_take_is_told_before_the_next_cell(
    lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = lab(trials=2)
    queue = small.open()
    job = begin(small, queue, epochs=2)
    tell = queue._study.tell
    away = [True]

    def tell_or_not(number: int, verdict: Verdict) -> None:
        if away[0]:
            raise StoreError("the study is away")
        tell(number, verdict)

    monkeypatch.setattr(queue._study, "tell", tell_or_not)
    queue.ended(job, has_failed=False)  # Tune hears nothing of it
    with pytest.raises(StoreError, match="away"):
        queue.next()
    away[0] = False
    assert queue.next() is not None
    assert cells_in(small, TrialState.COMPLETE) == [cell_of(job)]


def test_how_a_search_stands_is_read_and_nothing_is_made(lab: MakeLab, tmp_path: Path) -> None:
    small = lab(trials=3)
    plan = small.plan()
    assert (plan.requests, plan.num_done, plan.num_cells, plan.best) == ((), 0, 6, None)
    assert [len(pack) for pack in plan.packs] == [2] * 3
    assert not (small.home.path / "optuna.db").exists()

    queue = small.open()
    (done,) = small.run(queue, limit=1)
    left = begin(small, queue)
    plan = small.plan()
    assert [request.cell.hash for request in plan.requests] == [cell_of(done), cell_of(left)]
    assert (plan.num_done, plan.count(Fate.COMPLETE), plan.count(Fate.PRUNED)) == (1, 1, 0)
    assert plan.best == (done.request.cell, pytest.approx(value_of(done.request) + 0.5))
    assert plan.packs[0] == left.pack
    assert len(plan.packs) == 2

    changed = replace(small, spec=search_of(trials=3, metric="test_neg_elbo"))
    assert changed.plan().requests == ()


def test_a_complete_cell_whose_runs_were_deleted_is_planned_and_trained_again(lab: MakeLab) -> None:
    small = lab(trials=4)
    job, *_ = small.run(small.open())
    assert small.plan().packs == ()
    for member in job.pack.members:
        del small.stored[member.hash]
    assert small.plan().packs == (job.pack,)
    assert [cell_of(again) for again in small.run(small.open())] == [cell_of(job)]
    assert small.plan().packs == ()
