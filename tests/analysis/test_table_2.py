"""A store with 450 members of known numbers gives the paper's Table 2, to the digit, in every format."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from analysis import load_runs, render, table
from analysis.published import printed as published
from tests.analysis.conftest import member_params, member_tags
from trainables import schema

METRIC = "train_neg_elbo"
SEEDS = range(10)
EXPECTED = (Path(__file__).parent / "expected" / "table_2.md").read_text(encoding="utf-8").splitlines()
FORMS = {"**": 1, "<u>": 2, "*": 3}


def entry(text):
    """Return text and rank of an entry of a Markdown table."""
    mark = next((mark for mark in FORMS if text.startswith(mark)), "")
    return (re.sub(r"</?u>|\*", "", text), FORMS.get(mark))


PRINTED = [[entry(text.strip()) for text in line.strip("| ").split("|")] for line in EXPECTED[2:]]


def settings_of_table_2():
    """Return the settings, mean and population standard error of 42 cells, and of three beside the table."""
    for result in published.results():
        if result.table == "Table 2":
            where = (result.estimator, result.latent)
            yield *where, published.settings_as_run(*where), "", result.value, result.error
    for fix in published.corrections():
        where = (fix.estimator, fix.latent)
        yield *where, published.settings_as_printed(*where), "as printed in Table 5", 1.0, 0.0


def requests_and_values():
    """Yield a request of each cell, and the values of its seeds."""
    for estimator, latent, settings, note, mean, error in settings_of_table_2():
        params = member_params(estimator, latent, None, published.EPOCHS, settings)
        request = schema.CellRequest(schema.Cell.from_params(params, note), tuple(SEEDS))
        yield request, [mean + (-1) ** seed * error * len(SEEDS) ** 0.5 for seed in SEEDS]


def fill(store, experiment_id, members):
    """Write finished members to MLflow's tables in one transaction; its client commits each by itself."""
    from mlflow.store.tracking.dbmodels import models

    with Session(sa.create_engine(store.uri)) as session:
        for member, value in members:
            tags = [models.SqlTag(key=key, value=text) for key, text in member_tags({}).items()]
            params = [models.SqlParam(key=key, value=text) for key, text in member.params.items()]
            last = {"key": METRIC, "value": value, "timestamp": 1, "step": published.EPOCHS, "is_nan": False}
            session.add(
                models.SqlRun(
                    run_uuid=member.hash,
                    experiment_id=experiment_id,
                    status="FINISHED",
                    start_time=1,
                    end_time=2,
                    lifecycle_stage="active",
                    tags=tags,
                    params=params,
                    metrics=[models.SqlMetric(**last)],
                    latest_metrics=[models.SqlLatestMetric(**last)],
                )
            )
        session.commit()


@pytest.fixture(scope="module")
def table_2(open_store):
    store, cells = open_store(), list(requests_and_values())
    members = [pair for request, values in cells for pair in zip(request.members, values, strict=True)]
    fill(store, store.client.create_experiment("table2"), members)
    runs = load_runs(store.uri, metrics=[METRIC])
    assert len(runs) == 450
    return table(runs, [request for request, _ in cells], metric=METRIC, spread="sem-population")


def test_markdown(table_2):
    assert render(table_2, "markdown").splitlines()[: len(EXPECTED)] == EXPECTED


def test_text(table_2):
    lines = render(table_2).splitlines()[2 : 2 + len(PRINTED)]
    shown = [re.split(r"\s{2,}", line.strip()) for line in lines]
    texts = [[re.sub(r" #\d$", "", text) for text in row] for row in shown]
    ranks = [[int(text[-1]) if "#" in text else None for text in row] for row in shown]
    assert texts == [[text for text, _ in row] for row in PRINTED]
    assert ranks == [[rank for _, rank in row] for row in PRINTED]


def test_latex(table_2):
    blocks = [text.split(r"\bottomrule")[0] for text in render(table_2, "latex").split(r"\midrule")[1:]]
    shown = [[line.strip(" \\").split(" & ") for line in text.strip().splitlines()] for text in blocks]
    forms = {1: r"\textbf{%s}", 2: r"\underline{%s}", 3: r"\textit{%s}", None: "%s"}
    rows = [[forms[rank] % text.replace("±", r"$\pm$") for text, rank in row] for row in PRINTED]
    joined = [
        first + second[1:] for first, second in zip(*(block[: len(rows)] for block in shown), strict=True)
    ]
    assert joined == rows


class Rows(HTMLParser):
    """The body's rows of a page's first table, as text and rank of each entry."""

    def __init__(self, page):
        super().__init__()
        self.rows, self._rank, self._is_open = [], None, False
        self.feed(page.split("<tbody>")[1].split("</tbody>")[0])

    def handle_starttag(self, tag, attrs):  # noqa: ARG002 - the parser's own signature
        self._rank = {"b": 1, "u": 2, "i": 3}.get(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_data(self, data):
        if data.strip():
            self.rows[-1].append((data, self._rank))


def test_html(table_2):
    assert Rows(render(table_2, "html")).rows[: len(PRINTED)] == PRINTED


@pytest.mark.parametrize("format_", ["csv", "json"])
def test_formats_for_programs_round_to_the_printed_digits(table_2, format_):
    text = render(table_2, format_)
    rows = json.loads(text) if format_ == "json" else list(csv.DictReader(io.StringIO(text)))
    by_place = {(row["label"], row["latent"]): row for row in rows if not row["note"]}
    latents = [name.strip() for name in EXPECTED[0].strip("| ").split("|")]
    for label, *entries in PRINTED:
        for latent, (printed, rank) in zip(latents[1:], entries, strict=True):
            row = by_place[label[0], latent]
            assert f"{float(row['mean']):.2f} ± {float(row['error']):.2f}" == printed
            assert (int(row["rank"]) if int(row["rank"]) <= 3 else None) == rank
            assert (int(row["n"]), row["status"]) == (10, "complete")


def test_cells_as_printed_in_table_5_stand_beside_the_table_and_win_nothing(table_2):
    beside = table_2[table_2["note"] != ""]
    assert beside["label"].tolist() == [
        "ST (as printed in Table 5)",
        *["ReinMax-CV (as printed in Table 5)"] * 2,
    ]
    assert beside["rank"].isna().all()


def test_first_second_and_third_are_the_papers(table_2):
    best = {
        "8x4": ["reinmax_cv", "reinmax", "reinmax_rao"],
        "4x24": ["reinmax", "gumbel_rao", "reinmax_cv"],
        "8x16": ["reinmax_cv", "reinmax", "reinmax_rao"],
        "16x12": ["reinmax_rao", "reinmax", "reinmax_cv"],
        "64x8": ["reinmax_rao", "reinmax_cv", "reinmax"],
        "10x30": ["reinmax_cv", "reinmax", "reinmax_rao"],
    }
    for latent, expected in best.items():
        column = table_2[table_2["latent"] == latent].sort_values("rank")
        assert column["estimator"].tolist()[:3] == expected
