"""What every table says about itself: unit, ±, n, epochs, what is missing, what a comparison is worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import pandas as pd

from analysis.names import estimator_name, metric_name
from analysis.published import printed as published
from analysis.published.comparison import COMPARISONS, CURVES, PUBLISHED
from analysis.published.errata import footnote_marks, formula_notes
from analysis.statistics.bootstrap import FEWEST_VALUES
from analysis.statistics.spread import INTERVAL, TABLE_SPREADS
from analysis.tables.member_states import COMPLETE
from analysis.tables.typed_table import Table
from trainables.store.member_state import MISSING
from trainables.task_registry import metric_of


def notes(table: Table) -> tuple[str, ...]:
    """Return the lines below a table of one metric, in plain text."""
    if table.rows.empty:
        return ("No cell is asked for and none is in the store.", *_store_notes(table))
    return (
        *_metric_notes(table),
        *_completeness_notes(table.rows),
        *_store_notes(table),
        *_comparison_notes(table),
    )


def _metric_notes(table: Table) -> Iterator[str]:
    frame, facts = table.rows, table.facts
    metric = frame["metric"].iloc[0]
    name = metric_name(metric)
    data = " and ".join(facts.datasets)
    where = f" on {data}" if data else ""
    unit = f", in {name.unit}" if name.unit else ""
    when = f", {_epochs(frame)}" if facts.has_epochs else ""
    yield f"{name.text[0].upper()}{name.text[1:]} ({metric}){where}{unit}{when}."
    kind = frame["error_kind"].iloc[0]
    yield f"{'[low, high]' if kind == INTERVAL else '±'} is the {TABLE_SPREADS[kind]}."
    counts = sorted(set(frame.loc[frame["n"] > 0, "n"]))
    if len(counts) > 1:
        yield f"n, the number of runs (seeds) averaged, is given with each cell: {counts[0]} to {counts[-1]}."
    elif counts:
        runs = "run (seed)" if counts[0] == 1 else "runs (seeds)"
        yield f"n = {counts[0]} {runs} in every cell with a mean."
    else:
        yield "n = 0: no run counts yet."
    if 1 in counts:
        yield f"One run has no {'interval' if kind == INTERVAL else '±'}."
    if kind == INTERVAL and any(1 < count < FEWEST_VALUES for count in counts):
        yield (
            f"An interval of fewer than {FEWEST_VALUES} runs is too narrow: no resample leaves their range, "
            "and it holds the true mean far less often than it says."
        )


def _epochs(frame: pd.DataFrame) -> str:
    labels: dict[int, list[str]] = defaultdict(list)
    for epochs, label, latent in frame[["epochs", "label", "latent"]].itertuples(index=False):
        if pd.notna(epochs):
            labels[int(epochs)].append(f"{label} {latent}")
    if not labels:
        return "at the last epoch"
    usual = max(labels, key=lambda epochs: (len(labels[epochs]), epochs))
    others = [f"{epochs} for {', '.join(labels[epochs])}" for epochs in sorted(labels) if epochs != usual]
    unit = "epoch" if usual == 1 else "epochs"
    return f"after {usual} {unit}" + (f" (but {'; '.join(others)})" if others else "")


def _completeness_notes(frame: pd.DataFrame) -> Iterator[str]:
    if (frame["status"] == COMPLETE).all():
        yield "Every cell is complete."
        return
    missing = frame[frame["status"] == MISSING]
    if len(missing):
        yield f"Missing: {_by_label(missing['label'], missing['latent'])}."
    partial = frame[~frame["status"].isin([COMPLETE, MISSING])]
    if len(partial):
        states = [
            f"{latent} ({status})"
            for latent, status in zip(partial["latent"], partial["status"], strict=True)
        ]
        yield f"Not complete: {_by_label(partial['label'], states)}."


def _by_label(labels: Iterable[str], places: Iterable[str]) -> str:
    found: dict[str, list[str]] = defaultdict(list)
    for label, place in zip(labels, places, strict=True):
        found[label].append(place)
    return "; ".join(f"{label} {', '.join(where)}" for label, where in found.items())


def _store_notes(table: Table) -> Iterator[str]:
    frame, facts = table.rows, table.facts
    for name, contents in facts.dataset_contents.items():
        yield f"Here {name} is made from {'; or from '.join(contents)}."
        if len(contents) > 1:
            yield f"WARNING: runs in this table saw different images of {name}: do not compare them."
    if len(frame) and metric_of(frame["metric"].iloc[0]).is_own:
        yield "Each cell's value of this metric is of a quantity of its own: no cell is ranked or tested."
    if apart := facts.params_apart:
        yield f"Cells of one latent that differ in {' or '.join(apart)} are not ranked against each other."
    if (frame["note"] != "").any():
        yield "Rows with a remark are shown beside the table and are not ranked."
    if duplicated := facts.num_duplicated:
        members = "1 member has" if duplicated == 1 else f"{duplicated} members have"
        yield f"{members} several finished runs; the latest counts."
    for name, count in facts.of_other_code.items():
        members = "1 member" if count == 1 else f"{count} members"
        yield f"The store has {members} of {name} as other code had it: not in this table."
    for name, count in facts.of_other_data.items():
        members = "1 member" if count == 1 else f"{count} members"
        yield f"The store has {members} of {name} as it was with other images: not in this table."
    if skipped := facts.skipped:
        reasons = "; ".join(f"{reason} ({count})" for reason, count in sorted(skipped.items()))
        yield f"Runs of the store that are left out: {reasons}."


def _comparison_notes(table: Table) -> Iterator[str]:
    frame, facts = table.rows, table.facts
    compare = facts.compare
    if compare is None:
        return
    if frame["published"].isna().all():
        yield f"Published: {COMPARISONS[compare]} have no number for these cells."
        return
    compared = frame[frame["published"].notna() & (frame["n"] > 0)]
    result = published.results_of(frame["metric"].iloc[0])[0]
    yield _origin(result, compare)
    if len(alone := frame[frame["published"].isna()]):
        yield f"Nothing is published of {_by_label(alone['label'], alone['latent'])}."
    if compare == CURVES or result.has_error:
        yield (
            "z is the difference (ours minus theirs) over the root of the summed squares of both standard "
            "errors, from sample standard deviations; -- where a side has no spread."
        )
    epochs = sorted(set(compared["epochs"].dropna()) - {result.epochs})
    if compare == PUBLISHED and epochs and result.epochs is not None:
        no_test = ": there z is no test" if result.has_error else ""
        ours = ", ".join(map(str, epochs))
        yield f"The published values are after {result.epochs} epochs, ours after {ours}{no_test}."
    other = compared[compared["cell"].isin(facts.other_settings)]
    if len(other):
        cells = _by_label(other["label"], other["latent"])
        yield f"The published values were made with other hyperparameters than ours of {cells}."
    yield from _errata_notes(table)


def _errata_notes(table: Table) -> Iterator[str]:
    frame, facts = table.rows, table.facts
    for text, mark in footnote_marks(frame).items():
        cells = frame[frame["erratum"] == text]
        where = dict.fromkeys(zip(cells["estimator"], cells["latent"], strict=True))
        yield f"{mark}: {', '.join(f'{estimator_name(name)} {latent}' for name, latent in where)}: {text}."
    if facts.compare == PUBLISHED:
        yield from formula_notes(frame.loc[frame["published"].notna(), "estimator"])


def _origin(result: published.PublishedResult, compare: str) -> str:
    if compare == CURVES:
        return (
            "The authors' runs: their training curves at 8x4, at the epoch of our last; ± is the sample "
            "standard deviation (ddof=1) over 10 seeds."
        )
    if result.has_error:
        return (
            "Published: Beyond ReinMax as printed; its ± is the population standard error (ddof=0) "
            f"{result.basis}."
        )
    return f"Published: Beyond ReinMax, {result.table}, as printed, {result.basis}. Without ± there is no z."
