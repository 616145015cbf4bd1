from dataclasses import replace

import pandas as pd

from analysis import render, table
from analysis.runs.frame import resolve_duplicates, runs_frame
from analysis.tables.table import make_table
from analysis.tables.typed_table import Facts, Table
from trainables.schema import CellRequest

METRIC = "test_neg_elbo"


def made(record, request_of, **options):
    records = [record(seed=0), record(seed=0, value=101.0), record(seed=1), record(estimator="gst", seed=0)]
    runs = runs_frame(records, [METRIC, "train_neg_elbo"])
    requests: list[CellRequest] = [request_of("st", seeds=(0, 1)), request_of("gst", seeds=(0,))]
    return runs, requests, make_table(resolve_duplicates(runs), requests, METRIC, **options)


def test_a_notebook_s_frame_is_the_table_with_its_facts(record, request_of):
    options = {"compare": "published", "test": True, "spread": "sem"}
    runs, requests, typed = made(record, request_of, **options)
    frame = table(runs, requests, metric=METRIC, **options)
    pd.testing.assert_frame_equal(frame, typed.rows)
    assert Table.of(frame).facts == typed.facts
    assert (typed.facts.num_duplicated, typed.facts.compare, typed.facts.tested) == (1, "published", True)
    assert list(typed.members["state"]) == ["counted"] * 3


def test_facts_outlive_what_pandas_does_with_rows_and_files(record, request_of, tmp_path):
    frame = made(record, request_of)[2].frame
    assert Table.of(frame[frame["estimator"] == "st"]).facts == Table.of(frame).facts
    frame.drop(columns="seeds").to_parquet(tmp_path / "table.parquet")
    kept = Table.of(pd.read_parquet(tmp_path / "table.parquet")).facts
    assert kept.num_duplicated == 1
    assert "1 member has several finished runs; the latest counts." in render(frame)


def test_a_frame_that_knows_nothing_of_itself_is_rendered_without_a_word_of_it(record, request_of):
    frame = made(record, request_of)[2].frame
    frame.attrs.clear()
    assert Table.of(frame).facts == Facts()
    assert "several finished runs" not in render(frame)


def test_taking_rows_out_changes_no_other_fact(record, request_of):
    _, _, typed = made(record, request_of, test=True)
    less = typed.with_rows(typed.rows.head(1), tested=False)
    assert less.facts == replace(typed.facts, tested=False) != typed.facts
