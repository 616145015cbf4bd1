"""Sweep and analysis pick the same run of a member and say the same of it, whatever its runs are."""

from __future__ import annotations

import math
from itertools import product

import pytest

from analysis.runs.frame import resolve_duplicates, runs_frame
from analysis.tables.member_states import member_states
from sweep.home import Home
from sweep.store.store import Store
from trainables import schema
from trainables.store import member_state as rule
from trainables.task_registry import METRIC as METRICS

METRIC = "test_neg_elbo"
RUNS = [
    {"status": status, "step": step, "value": value, "tags": tags, "start": start}
    for status, step, value, tags, start in product(
        ("FINISHED", "RUNNING", "SCHEDULED", "FAILED", "KILLED"),
        (1, 2),
        (100.0, math.inf),
        ({}, {schema.TAG_DIVERGED: "1"}, {schema.TAG_PRUNED: "1"}),
        (0, 250),
    )
]


@pytest.fixture
def seen_by_sweep(tmp_path, monkeypatch):
    """Return a function that tells which run of the one member of some records counts, and its state."""

    def look(records):
        monkeypatch.setattr(Store, "_records", lambda store: records)
        (stored,) = Store(Home(tmp_path, "sqlite:///none")).members().values()
        return stored.run_id, stored.state

    return look


def seen_by_analysis(records):
    resolved = resolve_duplicates(runs_frame(records, METRICS)).runs
    (run_id,), (state,) = resolved["run_id"], member_states(resolved, METRIC)
    return run_id, state


def all_pairs(record):
    for first, second in product(RUNS, RUNS):
        yield [record(**first), record(**second)]


def written_out(records):
    """Return what the rule is in words: whole and ended last, else running, else started last."""
    whole = [
        one
        for one in records
        if one.status == "FINISHED" and (schema.TAG_DIVERGED in one.tags or one.metrics[METRIC].step == 2)
    ]
    if whole:
        return max(whole, key=lambda one: (one.end_time or 0, one.start_time, one.run_id)).run_id
    running = [one for one in records if one.status in ("RUNNING", "SCHEDULED")]
    if running:
        return max(running, key=lambda one: (one.start_time, one.run_id)).run_id
    latest = {one.run_id: one.end_time if one.status == "FINISHED" else one.start_time for one in records}
    return max(records, key=lambda one: (latest[one.run_id], one.start_time, one.run_id)).run_id


@pytest.mark.parametrize("number", range(len(RUNS)))
def test_every_kind_of_run_has_one_state(number, record, seen_by_sweep):
    records = [record(**RUNS[number])]
    assert seen_by_sweep(records) == seen_by_analysis(records)


def test_of_any_two_runs_both_take_the_one_that_the_rule_in_words_takes(record, seen_by_sweep):
    for records in all_pairs(record):
        assert seen_by_sweep(records)[0] == written_out(records)
    for records in list(all_pairs(record))[::37]:  # frames take longer to make
        assert seen_by_analysis(records)[0] == written_out(records)


def test_a_rule_that_forgets_lost_epochs_would_be_noticed(record, seen_by_sweep, monkeypatch):
    monkeypatch.setattr("sweep.store.store.is_whole", lambda status, *epochs: status == rule.FINISHED)
    assert any(seen_by_sweep(records)[0] != written_out(records) for records in all_pairs(record))
