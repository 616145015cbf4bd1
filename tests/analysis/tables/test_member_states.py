import math

import pytest

from analysis.runs.frame import runs_frame
from analysis.tables.member_states import member_states, status_text
from trainables import schema

METRIC = "test_neg_elbo"


@pytest.mark.parametrize(
    ("run", "state"),
    [
        ({}, "counted"),
        ({"status": "RUNNING"}, "running"),
        ({"status": "SCHEDULED", "value": None}, "running"),
        ({"status": "FAILED"}, "failed"),
        ({"status": "KILLED"}, "failed"),
        ({"status": "KILLED", "tags": {schema.TAG_PRUNED: "1"}, "step": 1}, "pruned"),
        ({"status": "KILLED", "tags": {schema.TAG_PRUNED: "2"}}, "pruned"),
        ({"status": "RUNNING", "tags": {schema.TAG_PRUNED: "1"}, "step": 1}, "running"),
        ({"tags": {schema.TAG_PRUNED: "1"}, "step": 1}, "incomplete"),
        ({"tags": {schema.TAG_DIVERGED: "2"}}, "diverged"),
        ({"tags": {schema.TAG_DIVERGED: "1"}, "step": 1, "value": math.nan}, "diverged"),
        ({"value": math.nan}, "diverged"),
        ({"value": -math.inf}, "diverged"),
        ({"step": 1}, "incomplete"),
        ({"step": 3}, "incomplete"),
        ({"value": None}, "incomplete"),
        ({"step": 1, "value": math.nan}, "incomplete"),
    ],
)
def test_only_a_finished_finite_value_at_the_last_epoch_counts(record, run, state):
    frame = runs_frame([record(**run)], [METRIC])
    assert member_states(frame, METRIC).tolist() == [state]


def test_a_metric_that_stopped_early_does_not_count_though_another_goes_to_the_end(record):
    run = record(step=1)
    run.metrics["train_neg_elbo"] = run.metrics[METRIC].from_store(99.0, 2)
    frame = runs_frame([run], [METRIC, "train_neg_elbo"])
    assert frame["epoch"].tolist() == [2]
    assert member_states(frame, METRIC).tolist() == ["incomplete"]
    assert member_states(frame, "train_neg_elbo").tolist() == ["counted"]


@pytest.mark.parametrize(
    ("num_counted", "num_requested", "states", "text"),
    [
        (10, 10, {}, "complete"),
        (0, 10, {"missing": 10}, "missing"),
        (1, 2, {"running": 1}, "1 of 2; 1 running"),
        (1, 2, {"diverged": 1}, "1 of 2; 1 diverged"),
        (8, 10, {"missing": 1, "failed": 1}, "8 of 10; 1 failed, 1 missing"),
        (0, 3, {"missing": 2, "diverged": 1}, "0 of 3; 1 diverged, 2 missing"),
        (1, 2, {"incomplete": 1, "running": 0}, "1 of 2; 1 incomplete"),
    ],
)
def test_status_says_what_became_of_every_member(num_counted, num_requested, states, text):
    assert status_text(num_counted, num_requested, states) == text
