import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from analysis import load_runs, render, table
from analysis.runs.frame import runs_frame
from sweep.spec.block import Block
from trainables import schema
from trainables.schema import CHOOSABLE, NETWORK_PARAMS
from trainables.store.run_record import LastValue, RunRecord

TEST, TRAIN = "test_neg_elbo", "train_neg_elbo"
LRS = ("0.001", "0.0005", "0.0003")


@pytest.fixture
def both(record):
    """Return a function that makes a run with a train loss and a test loss."""

    def make(*where, train, test=100.0, **options):
        made = record(*where, train, metric=TRAIN, **options)
        step = made.metrics[TRAIN].step
        values = {**made.metrics, TEST: LastValue(test, step)}
        times = (made.start_time, made.end_time)
        return RunRecord(made.run_id, made.experiment, made.status, *times, made.params, made.tags, values)

    return make


@pytest.fixture
def chosen(both, request_of):
    """Return a function that chooses among cells of `st` at 8x4, one for each learning rate.

    Each is given as the train losses of its seeds: None is no run, NaN a diverged one.
    """

    def make(cells, num_seeds=2, **options):
        records = [
            both("st", "8x4", seed, train=value, lr=lr)
            for lr, values in zip(LRS, cells, strict=False)
            for seed, value in enumerate(values)
            if value is not None
        ]
        requests = [request_of(seeds=range(num_seeds), lr=lr) for lr in LRS[: len(cells)]]
        return table(runs_frame(records, [TRAIN, TEST]), requests, select="best", **options)

    return make


def test_budgets_are_rows_and_no_choice(both, request_of):
    binary = {"task": "bernoulli_vae", "num_draws": "10"}
    cells = [(num_samples, lr) for num_samples in ("2", "800") for lr in LRS[:2]]
    records, requests = [], []
    for place, (num_samples, lr) in enumerate(cells):
        params = {**binary, "num_samples": num_samples, "lr": lr}
        requests.append(request_of("rloo", "2x200", seeds=(0,), **params))
        records.append(both("rloo", "2x200", 0, train=10.0 + place, **params))
    frame = table(runs_frame(records, [TRAIN, TEST]), requests, select="best", metric=TRAIN)
    assert list(frame["label"]) == ["RLOO N 2", "RLOO N 800"]
    assert list(frame["mean"]) == [10.0, 12.0]
    assert list(frame["num_candidates"]) == [2, 2]


def test_every_key_that_cells_may_differ_in_is_shown_as_chosen():
    shared = {"estimator", "latent", "epochs"}  # what candidates have in common
    no_settings = {"note", "label", "exclude"}
    assert set(Block.keys()) - shared - no_settings <= {*CHOOSABLE, *NETWORK_PARAMS}


def only_row(frame):
    (row,) = frame.to_dict("records")
    return row


def test_the_lowest_mean_train_loss_chooses_whatever_the_test_loss_is(both, request_of):
    records = [
        both("st", "8x4", seed, train=train, test=test, lr=lr)
        for lr, train, test in zip(LRS, (3.0, 1.0, 2.0), (50.0, 90.0, 70.0), strict=True)
        for seed in (0, 1)
    ]
    requests = [request_of(lr=lr) for lr in LRS]
    row = only_row(table(runs_frame(records, [TRAIN, TEST]), requests, select="best"))
    assert (row["lr"], row["metric"], row["mean"]) == ("0.0005", TEST, 90.0)
    assert (row["selected_by"], row["selected_mean"]) == (TRAIN, 1.0)
    assert (row["num_candidates"], row["num_complete"]) == (3, 3)
    assert (row["label"], row["cell"]) == ("ST", requests[1].cell.hash)
    assert row["account"] == "3 candidates, 3 with all 2 seeds"


def test_each_estimator_and_latent_has_its_own_choice(both, request_of):
    best = {("st", "8x4"): "0.001", ("st", "4x24"): "0.0003", ("gst", "8x4"): "0.0005"}
    records = [
        both(*where, seed, train=1.0 if lr == best[where] else 2.0, lr=lr)
        for where in best
        for lr in LRS
        for seed in (0, 1)
    ]
    requests = [request_of(*where, lr=lr) for where in best for lr in LRS]
    frame = table(runs_frame(records, [TRAIN, TEST]), requests, select="best")
    assert dict(zip(zip(frame["estimator"], frame["latent"], strict=True), frame["lr"], strict=True)) == best
    assert frame["rank"].tolist() == [1, 1, 1]


def test_cell_that_lacks_a_seed_never_wins_and_the_account_says_so(chosen):
    row = only_row(chosen([[2.0, 2.0], [1.0, None], [3.0, 3.0]]))
    assert row["lr"] == "0.001"
    assert row["account"] == (
        "3 candidates, 2 with all 2 seeds; 1 with 1 of 2 (1 missing): lr 0.0005; "
        "not complete, but better so far: lr 0.0005"
    )


def test_diverged_cell_never_wins_and_is_named(chosen):
    row = only_row(chosen([[2.0, 2.0], [1.0, math.nan]]))
    assert (row["lr"], row["num_complete"]) == ("0.001", 1)
    assert "1 with 1 of 2 (1 diverged): lr 0.0005" in row["account"]


def test_where_all_are_incomplete_nothing_is_chosen_and_that_is_said(chosen):
    frame = chosen([[2.0, None], [None, None], [math.nan, 1.0]])
    row = only_row(frame)
    assert (row["n"], row["status"], row["cell"], row["lr"]) == (0, "nothing chosen", "", "")
    assert math.isnan(row["mean"])
    assert math.isnan(row["selected_mean"])
    assert row["account"] == (
        "3 candidates, 0 with all 2 seeds; 1 with 1 of 2 (1 missing): lr 0.001; 1 with none of 2: lr 0.0005; "
        "1 with 1 of 2 (1 diverged): lr 0.0003; nothing is chosen"
    )
    text = render(frame)
    assert "Not complete: ST 8x4 (nothing chosen)." in text
    assert "Every cell is complete." not in text


def test_store_without_runs_chooses_nothing(chosen):
    row = only_row(chosen([[None, None], [None, None]]))
    assert (
        row["account"]
        == "2 candidates, 0 with all 2 seeds; 2 with none of 2: lr 0.001, lr 0.0005; nothing is chosen"
    )


def test_of_a_tie_the_first_is_chosen_and_the_account_says_so(chosen):
    row = only_row(chosen([[3.0, 3.0], [1.0, 2.0], [2.0, 1.0]]))
    assert row["lr"] == "0.0005"
    assert row["account"].endswith("the same mean have lr 0.0005, lr 0.0003: the first is chosen")


def test_one_seed_is_enough_where_one_is_asked_for(chosen):
    row = only_row(chosen([[2.0], [1.0]], num_seeds=1))
    assert (row["lr"], row["n"], row["account"]) == ("0.0005", 1, "2 candidates, 2 with the 1 seed")
    assert math.isnan(row["error"])


def test_seeds_asked_of_one_candidate_are_asked_of_all(both, request_of):
    records = [both("st", "8x4", seed, train=2.0, lr="0.001") for seed in range(3)]
    records.append(both("st", "8x4", 0, train=1.0, lr="0.0005"))
    requests = [request_of(seeds=range(3), lr="0.001"), request_of(seeds=[0], lr="0.0005")]
    row = only_row(table(runs_frame(records, [TRAIN, TEST]), requests, select="best"))
    assert row["lr"] == "0.001"
    assert "1 with 1 of 3 (no more asked): lr 0.0005" in row["account"]
    assert only_row(table(runs_frame(records, [TRAIN, TEST]), select="best"))["lr"] == "0.001"


def test_many_cells_of_one_status_are_counted(both, request_of):
    requests = [request_of(seeds=[0], lr=str(number)) for number in range(1, 11)]
    runs = runs_frame([both("st", "8x4", 0, train=1.0, lr="1")], [TRAIN, TEST])
    account = only_row(table(runs, requests, select="best"))["account"]
    assert account == (
        "10 candidates, 1 with the 1 seed; "
        "9 with none of 1: lr 2.0, lr 3.0, lr 4.0, lr 5.0, lr 6.0, lr 7.0 and 3 more"
    )


def test_cells_of_other_epochs_or_data_are_no_candidates_together(both):
    changes = ({}, {"epochs": 160}, {"dataset": "omniglot"})
    records = [both("st", "8x4", 0, train=value, **change) for value, change in enumerate(changes)]
    frame = table(runs_frame(records, [TRAIN, TEST]), select="best")
    assert frame["num_candidates"].tolist() == [1, 1, 1]


def test_noted_cell_is_shown_beside_and_is_no_candidate(both, request_of):
    records = [
        both("st", "8x4", 0, train=value, lr=lr) for lr, value in zip(LRS, (2.0, 3.0, 1.0), strict=True)
    ]
    requests = [request_of(seeds=[0], lr=lr) for lr in LRS[:2]]
    requests.append(request_of(seeds=[0], lr=LRS[2], note="as printed"))
    frame = table(runs_frame(records, [TRAIN, TEST]), requests, select="best")
    assert frame["label"].tolist() == ["ST", "ST (as printed)"]
    assert frame["lr"].tolist() == ["0.001", "0.0003"]
    assert frame["num_candidates"].tolist()[0] == 2
    assert frame["account"].tolist()[1] == ""
    assert render(frame).split("Chosen hyperparameters")[1].count("as printed") == 0


def test_defaults_count_as_chosen_values_and_only_what_applies_is_shown(both):
    records = [both("reinmax_cv", "8x4", 0, train=1.0), both("st", "8x4", 0, train=1.0)]
    frame = table(runs_frame(records, [TRAIN, TEST]), select="best")
    by_name = {row["estimator"]: row for row in frame.to_dict("records")}
    assert (by_name["reinmax_cv"]["temperature"], by_name["reinmax_cv"]["eta"]) == ("1.0", "1.0")
    assert by_name["st"]["eta"] == ""


def test_two_sweeps_that_share_members_count_each_once(both, request_of):
    shared = [both("st", "8x4", seed, train=1.0 + seed, lr="0.001") for seed in (0, 1)]
    again = both("st", "8x4", 1, train=4.0, lr="0.001")
    records = [*shared, RunRecord(**{**vars(again), "experiment": "other"})]
    frame = table(runs_frame(records, [TRAIN, TEST]), [request_of(lr="0.001")], select="best")
    row = only_row(frame)
    assert (row["n"], row["selected_mean"]) == (2, 2.5)
    assert frame.attrs["num_duplicated"] == 1


def test_members_of_another_schema_version_are_left_out_and_counted(both, request_of):
    old = {schema.TAG_SCHEMA_VERSION: "0"}
    records = [
        both("st", "8x4", 0, train=2.0, lr="0.001"),
        both("st", "8x4", 0, train=1.0, lr="0.0005", tags=old),
    ]
    requests = [request_of(seeds=[0], lr=lr) for lr in LRS[:2]]
    frame = table(runs_frame(records, [TRAIN, TEST]), requests, select="best")
    assert only_row(frame)["lr"] == "0.001"
    assert "Runs of the store that are left out: schema version 0 (1)." in render(frame)


@pytest.mark.parametrize(
    ("shown", "digits", "expected"),
    [
        ("near_optimum_iteration", None, "0.251001"),
        ("near_optimum_iteration", 3, "0.251001"),
        ("expected_value", 3, "0.251"),
    ],
)
def test_what_chose_has_its_own_number_of_digits(record, request_of, shown, digits, expected):
    made = record("st", "8x4", 0, 0.251001, metric="expected_value")
    values = {**made.metrics, "near_optimum_iteration": LastValue(31.0, made.metrics["expected_value"].step)}
    runs = runs_frame([replace(made, metrics=values)], ["expected_value", "near_optimum_iteration"])
    frame = table(runs, [request_of(seeds=[0])], metric=shown, select="best", select_by="expected_value")
    below = render(frame, digits=digits).partition("Chosen hyperparameters")[2]
    (row,) = [line for line in below.splitlines() if line.startswith("ST ") and "candidate" not in line]
    assert expected in row.split()


def test_the_highest_cosine_is_chosen(record, request_of):
    metric = "gradient_cosine"
    records = [
        record("st", "8x4", 0, value, lr=lr, metric=metric)
        for lr, value in zip(LRS, (0.1, 0.9), strict=False)
    ]
    requests = [request_of(seeds=[0], lr=lr) for lr in LRS[:2]]
    runs = runs_frame(records, [metric])
    frame = table(runs, requests, metric=metric, select="best", select_by=metric)
    assert only_row(frame)["lr"] == "0.0005"
    text = render(frame)
    assert "the cell with the highest mean cosine" in text
    assert "is also what chose: new seeds of the chosen cells would do a little worse." in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"select": "bst"}, "unknown selection 'bst'; allowed: best; did you mean 'best'"),
        (
            {"select": "best", "select_by": TEST},
            "unknown metric to select by 'test_neg_elbo'; allowed: train_neg_elbo",
        ),
    ],
)
def test_unknown_selections_and_the_test_set_are_refused(both, options, message):
    with pytest.raises(ValueError, match=message):
        table(runs_frame([both("st", "8x4", 0, train=1.0)], [TRAIN, TEST]), **options)


@pytest.mark.parametrize("name", ["txt", "md", "tex", "html", "csv"])
def test_every_format_has_the_hyperparameters_and_the_account_below(chosen, name):
    frame = chosen([[2.0, 2.5], [1.0, 1.5], [0.0, None]])
    format_ = {"txt": "text", "md": "markdown", "tex": "latex"}.get(name, name)
    expected = Path(__file__).parents[1] / "expected" / f"selected.{name}"
    assert render(frame, format_) == expected.read_text(encoding="utf-8")


def test_json_has_them_as_fields(chosen):
    (row,) = json.loads(render(chosen([[2.0, 2.5], [None, None]]), "json"))
    assert (row["lr"], row["eta"], row["num_candidates"], row["num_complete"]) == (0.001, None, 2, 1)
    (row,) = json.loads(render(chosen([[None, None]]), "json"))
    assert (row["selected_mean"], row["num_complete"], row["cell"]) == (None, 0, "")


def test_real_store_gives_the_same_choice(open_store, request_of):
    store = open_store()
    for lr, values in zip(LRS, ([3.0, 2.0], [9.0, 1.0]), strict=False):
        store.add("st", "8x4", 0, values, lr=lr, metric=TRAIN)
    runs = load_runs(store.uri, metrics=[TRAIN])
    requests = [request_of(seeds=[0], lr=lr) for lr in LRS[:2]]
    frame = table(runs, requests, metric=TRAIN, select="best")
    assert (only_row(frame)["lr"], only_row(frame)["mean"]) == ("0.0005", 1.0)
