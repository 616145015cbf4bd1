import pytest

from analysis.figure_error import FigureError
from analysis.figures.measured import measured_table
from trainables import schema
from trainables.schema.metrics import names_of
from trainables.task_registry import metric_of
from trainables.tasks.gradient_quality import GRADIENT_QUALITY
from trainables.tasks.gradient_quality import TASK as RECORD

COSINES = {0: {1: 0.5, 3: 0.7}, 1: {1: 0.7, 3: 0.9}, 2: {1: 0.0, 3: 0.0}}
MEASURED = names_of(*RECORD.measured_metrics)
TASK = {"task": GRADIENT_QUALITY}


def log(store, estimator, seed, values, **more):
    """Log a member whose every measure has these values by epoch; the spreads are ten times as large."""
    tags = more.get("tags", {})
    run_id = store.add(estimator, "8x4", seed, [], epochs=3, status="RUNNING", tags=tags, **TASK)
    for metric in MEASURED:
        factor = 1 if metric_of(metric).is_higher_better else 10
        for epoch, value in values.items():
            store.client.log_metric(run_id, metric, factor * value, timestamp=1000, step=epoch)
    if more.get("is_ended", True):
        store.client.set_terminated(run_id, "FINISHED")


@pytest.fixture(scope="module")
def store(open_store):
    """ST: two seeds that count, one that diverged. ReinMax: one seed, one still running. RLOO: none."""
    store = open_store()
    log(store, "st", 0, COSINES[0])
    log(store, "st", 1, COSINES[1])
    log(store, "st", 2, COSINES[2], tags={schema.TAG_DIVERGED: "3"})
    log(store, "reinmax", 0, COSINES[0])
    log(store, "reinmax", 1, COSINES[1], is_ended=False)
    return store


@pytest.fixture
def requests(request_of):
    asked = {"st": (0, 1, 2), "reinmax": (0, 1), "rloo": (0,)}
    return [request_of(name, seeds=seeds, epochs=3, **TASK) for name, seeds in asked.items()]


def rows(text):
    heads, _, *lines = ([cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines())
    return {(line[0], line[1]): dict(zip(heads, line, strict=True)) for line in lines}


def test_mean_std_and_n_of_every_measured_epoch_are_over_the_seeds_that_count(store, requests):
    found = rows(measured_table(store.uri, requests)[0])
    assert list(found) == [("`st`", "1"), ("`st`", "3"), ("`reinmax`", "1"), ("`reinmax`", "3")]
    # 0.5 and 0.7: the sample standard deviation is 0.2 / sqrt(2); the population's would be 0.1
    assert found["`st`", "1"]["cosine"] == "0.6 ± 0.14"
    assert found["`st`", "1"]["n"] == "2"
    assert found["`st`", "3"]["std"] == "8 ± 1.4"
    assert found["`reinmax`", "3"]["cosine, batch"] == "0.7"
    assert found["`reinmax`", "3"]["n"] == "1"


def test_every_measure_has_a_column(store, requests):
    found = rows(measured_table(store.uri, requests)[0])["`st`", "1"]
    assert len(found) == 3 + len(set(MEASURED) - {schema.MEASUREMENT_SECONDS})
    assert "--" not in found.values()


def test_what_is_missing_is_said(store, requests):
    assert measured_table(store.uri, requests)[1] == (
        "ST: 2 of 3; 1 diverged",
        "ReinMax: 1 of 2; 1 running",
        "RLOO: missing",
    )


def test_cells_that_have_no_line_of_their_own_are_refused(store, request_of):
    with pytest.raises(FigureError, match="the spec must be of the task gradient_quality"):
        measured_table(store.uri, [request_of("st")])
    with pytest.raises(FigureError, match="must have one latent, since the table is of one, got 4x4, 8x4"):
        measured_table(store.uri, [request_of("st", **TASK), request_of("reinmax", "4x4", **TASK)])
    with pytest.raises(FigureError, match=r"each estimator must have one cell, .* got more of st"):
        measured_table(store.uri, [request_of("st", **TASK), request_of("st", lr="0.1", **TASK)])


def test_nothing_finished_is_one_error(store, request_of):
    with pytest.raises(FigureError, match=r"the only member has not finished .*1 missing"):
        measured_table(store.uri, [request_of("st", seeds=[9], epochs=3, **TASK)])
