import math
import subprocess
import sys
from contextlib import closing
from sqlite3 import connect

import pandas as pd
import pytest

from analysis import load_runs
from analysis.runs.frame import resolve_duplicates, runs_frame
from trainables import schema
from trainables.task_registry import METRIC as METRICS

METRIC = "test_neg_elbo"


@pytest.fixture(scope="module")
def store(open_store):
    store = open_store()
    store.ids = {
        "plain": store.add("st", "8x4", 0, [101.0, 100.0]),
        "loose": store.add("reinmax_cv", "4x24", 3, [90.0], lr="7e-4", epochs="2.0", experiment="other"),
        "nan": store.add("st", "8x4", 1, [101.0, math.nan], tags={schema.TAG_DIVERGED: "2"}),
        "infinite": store.add("st", "8x4", 2, [101.0, math.inf]),
        "failed": store.add("gst", "8x4", 0, [101.0], status="FAILED", tags={schema.TAG_ERROR: "no memory"}),
        "running": store.add("gst", "8x4", 1, [101.0], status="RUNNING"),
        "unlogged": store.add("gst", "8x4", 2, []),
        "deleted": store.add("gst", "8x4", 3, [1.0]),
    }
    store.client.delete_run(store.ids["deleted"])
    store.add("st", "8x4", 0, [1.0], experiment="deleted sweep")
    store.client.delete_experiment(store.experiments["deleted sweep"])
    store.add("st", "8x4", 5, [1.0], tags={schema.TAG_KIND: schema.KIND_CELL})
    store.add("st", "8x4", 5, [1.0], tags={schema.TAG_KIND: None})
    store.add("st", "8x4", 6, [1.0], tags={schema.TAG_SCHEMA_VERSION: "2"})
    store.add("st", "8x4", None, [1.0])
    store.add("st", "8x4", 7, [1.0], lr="fast")
    store.add(None, "8x4", 8, [1.0])
    return store


@pytest.fixture(scope="module")
def runs(store):
    return load_runs(store.uri)


@pytest.fixture
def row_of(store, runs):
    return lambda name: runs.set_index("run_id").loc[store.ids[name]]


def test_every_member_run_that_is_not_deleted_is_one_row(store, runs):
    assert set(runs["run_id"]) == {run_id for name, run_id in store.ids.items() if name != "deleted"}
    assert set(runs["experiment"]) == {"sweep", "other"}


def test_runs_that_cannot_be_read_are_counted_by_reason(runs):
    assert runs.attrs["skipped"] == {
        "schema version 2": 1,
        "a member must have a seed": 1,
        "lr must be a number, got 'fast'": 1,
        "no estimator": 1,
    }


def test_columns_come_in_a_fixed_order_and_hold_typed_values(runs, row_of):
    leading = ["run_id", "experiment", "member", "cell", "status", "diverged", "pruned", "error", "note"]
    times = ["start_time", "end_time"]
    steps = [f"{metric}_step" for metric in METRICS]
    more = ["latent", "dataset_content", "epoch"]
    assert list(runs) == [*leading, *times, *schema.MEMBER_PARAMS, *more, *METRICS, *steps]
    row = row_of("plain")
    assert (row["lr"], row["categorical_dim"], row["seed"], row["latent"]) == (0.0005, 8, 0, "8x4")
    assert (row[METRIC], row["epoch"], row["status"]) == (100.0, 2, "FINISHED")
    assert row["start_time"] <= row["end_time"]
    assert row["start_time"].tzname() == "UTC"


def test_hashes_are_computed_from_the_params_in_any_form(row_of):
    params = {
        "task": "mnist_vae",
        "dataset": "mnist",
        "estimator": "reinmax_cv",
        "categorical_dim": 4,
        "latent_dim": 24,
        "optimizer": "adam",
        "lr": 0.0007,
        "eta": 1.0,
        "num_mc_samples": 100,
        "epochs": 2,
        "seed": 3,
    }
    member = schema.Member.from_params(params)
    row = row_of("loose")
    assert (row["member"], row["cell"], row["lr"]) == (member.hash, member.cell.hash, 0.0007)


def test_missing_params_count_as_their_default_only_where_the_estimator_takes_them(row_of):
    loose, plain, gst = row_of("loose"), row_of("plain"), row_of("failed")
    assert (loose["eta"], loose["num_mc_samples"], loose["temperature"], loose["batch_size"]) == (
        1,
        100,
        1,
        100,
    )
    assert pd.isna(loose["beta"])
    assert pd.isna(loose["gap"])
    assert pd.isna(plain["eta"])
    assert pd.isna(plain["num_mc_samples"])
    assert gst["gap"] == 1.0


def test_values_that_are_not_finite_survive_the_database(row_of):
    assert math.isnan(row_of("nan")[METRIC])
    assert (row_of("nan")["diverged"], row_of("nan")[f"{METRIC}_step"]) == (2, 2)
    assert row_of("infinite")[METRIC] == math.inf
    assert pd.isna(row_of("infinite")["diverged"])


def test_states_of_runs_are_kept(row_of):
    assert (row_of("failed")["status"], row_of("failed")["error"]) == ("FAILED", "no memory")
    assert row_of("running")["status"] == "RUNNING"
    assert pd.isna(row_of("running")["end_time"])
    assert pd.isna(row_of("unlogged")["epoch"])
    assert pd.isna(row_of("unlogged")[f"{METRIC}_step"])


def test_asked_metrics_decide_the_columns_and_the_epoch(open_store):
    store = open_store()
    run_id = store.add("st", "8x4", 0, [3.0, 2.0, 1.0])
    store.client.log_metric(run_id, "gradient_std", 7.4, step=50)
    both = load_runs(store.uri, metrics=[METRIC, "gradient_std"])
    assert both.loc[0, ["gradient_std", METRIC, "epoch", f"{METRIC}_step"]].tolist() == [7.4, 1.0, 50, 3]
    assert load_runs(store.uri, metrics="gradient_std").loc[0, "epoch"] == 50
    assert METRIC not in load_runs(store.uri, metrics="gradient_std")


def test_empty_store_has_the_columns_and_types_of_a_full_one(empty_store_file, runs):
    empty = load_runs(f"sqlite:///{empty_store_file}")
    assert len(empty) == 0
    assert empty.dtypes.to_dict() == runs.dtypes.to_dict()


def test_sqlite_file_that_does_not_exist_is_an_empty_store_and_is_not_created(tmp_path):
    path = tmp_path / "absent" / "mlflow.db"
    assert load_runs(f"sqlite:///{path}").empty
    assert not path.parent.exists()


def test_database_without_tables_is_an_empty_store(tmp_path):
    path = tmp_path / "mlflow.db"
    with closing(connect(path)) as connection:
        connection.execute("create table unrelated (number integer)")
        connection.commit()
    assert load_runs(f"sqlite:///{path}").empty


@pytest.mark.parametrize("uri", ["mlflow.db", "/tmp/mlruns", "ftp://host/mlflow.db"])
def test_uri_of_neither_database_nor_server_is_refused(uri):
    with pytest.raises(ValueError, match=r"tracking URI must be sqlite:///FILE.* got"):
        load_runs(uri)


def test_latest_finished_run_of_a_member_counts(record):
    frame = runs_frame(
        [
            record(value=1.0, start=0),
            record(value=2.0, start=2_000),
            record(value=3.0, start=1_000),
            record(value=4.0, start=9_000, status="RUNNING"),
            record(seed=1, value=5.0, start=0, status="FAILED"),
            record(seed=1, value=6.0, start=1, status="RUNNING"),
            record(seed=2, value=7.0, start=0, status="FAILED"),
            record(seed=2, value=8.0, start=1, status="KILLED"),
        ],
        [METRIC],
    )
    resolved = resolve_duplicates(frame)
    assert dict(zip(resolved.runs["seed"], resolved.runs[METRIC], strict=True)) == {0: 2.0, 1: 6.0, 2: 8.0}
    seed_0 = frame.loc[frame["seed"] == 0, "member"].iloc[0]
    assert resolved.duplicates == {seed_0: 3}
    assert resolved.skipped == {}


def test_a_finished_run_without_its_last_epoch_does_not_count_before_a_whole_one(record):
    whole = record(value=100.0, epochs=2)
    cut_off = record(value=90.0, epochs=2, step=1)
    frame = runs_frame([whole, cut_off], ["test_neg_elbo"])
    (row,) = resolve_duplicates(frame).runs.to_dict("records")
    assert (row["run_id"], row["test_neg_elbo"]) == (whole.run_id, 100.0)
    diverged = record(value=90.0, epochs=2, step=1, tags={"catsweep.diverged": "2"})
    (row,) = resolve_duplicates(runs_frame([whole, diverged], ["test_neg_elbo"])).runs.to_dict("records")
    assert row["run_id"] == diverged.run_id


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"seed": 2**63}, "seed must fit into 64 bits, got 9223372036854775808"),
        ({"seed": 2**128}, f"seed must fit into 64 bits, got {2**128}"),
        (
            {"tags": {"catsweep.diverged": "9" * 20}},
            f"catsweep.diverged must fit into 64 bits, got {'9' * 20}",
        ),
        ({"start": 1_700_000_000_000_000_000}, "a time that is no milliseconds since 1970"),
        ({"num_samples": 2**64}, f"num_samples must fit into 64 bits, got {2**64}"),
    ],
)
def test_numbers_that_no_frame_holds_cost_the_run_alone(record, changes, reason):
    frame = runs_frame([record(seed=1), record(**{"seed": 0, **changes})], ["test_neg_elbo"])
    assert list(frame["seed"]) == [1]
    assert frame.attrs["skipped"] == {reason: 1}


def test_diverged_tag_must_be_an_epoch(record):
    frame = runs_frame([record(tags={schema.TAG_DIVERGED: "late"})], [METRIC])
    assert frame.attrs["skipped"] == {"tag catsweep.diverged must be an epoch, got 'late'": 1}


def test_analysis_imports_neither_torch_nor_ray_and_mlflow_only_for_a_store():
    code = "import sys, analysis; print(sorted({'torch', 'ray', 'mlflow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
