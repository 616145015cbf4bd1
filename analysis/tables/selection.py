"""The best cell of each estimator and latent, chosen by a metric of its own, and an account of the choice."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.choices import check_choice
from analysis.names import applicable_defaults, networks_of
from analysis.runs.frame import Resolved
from analysis.tables.labels import param_value
from analysis.tables.member_states import status_text
from analysis.tables.members import counted_values, wanted_members
from analysis.tables.ranking import candidate_keys
from analysis.tables.selection_account import Candidate, account
from analysis.tables.typed_table import Table
from trainables.schema import CHOOSABLE, NETWORK_PARAMS, Cell, CellRequest, own_names
from trainables.store.member_state import STATES
from trainables.task_registry import METRIC, TASKS, metric_of

SELECTIONS = ("best",)
SELECT_BY = "train_neg_elbo"
"""The papers select by the training loss; the test set never selects."""
NOTHING_CHOSEN = "nothing chosen"
SELECTION_COLUMNS = ("selected_by", "selected_mean", "num_candidates", "num_complete", "account")
_OF_TABLE_5 = ("optimizer", "lr", "temperature", "eta")
"""Below a table of chosen cells stand these, and of the others those in which candidates differ."""


@dataclass(frozen=True)
class Choice:
    """What was chosen of one estimator and latent.

    Args:
        request: The cell with its seeds; where nothing is chosen, what all candidates share, without a seed.
        is_chosen: Whether there is a choice.
        mean: The chosen cell's mean of the metric that selects, in its unit; NaN where nothing is chosen.
        num_candidates: How many cells there were.
        num_complete: How many of them could be chosen.
        account: How many seeds the candidates had and what became of the others, in words.
    """

    request: CellRequest
    is_chosen: bool
    mean: float
    num_candidates: int
    num_complete: int
    account: str


@dataclass(frozen=True)
class Selection:
    """What was chosen of everything that a table asks for, with the cells beside the table.

    Args:
        metric: The metric that selects.
        choices: One for each row of the table; none for a cell with a note, which is no candidate.
        requests: The cells and seeds of the rows.
        varying: The params in which candidates differ.
    """

    metric: str
    choices: tuple[Choice | None, ...]
    requests: tuple[CellRequest, ...]
    varying: frozenset[str]


def selection_metrics() -> list[str]:
    """Return the metrics that cells may be chosen by."""
    return [name for name, metric in METRIC.items() if metric.may_select]


def select_best(resolved: Resolved, wanted: Sequence[CellRequest], metric: str) -> Selection:
    """Choose, of every estimator and latent, the cell with the best mean over its seeds at the last epoch.

    Cells are candidates together where they share estimator, latent, task, data, epochs and, where that is
    part of a row's name, the number of samples. Only a cell of
    which every seed counts can be chosen, where the seeds are those asked of any candidate: one with a member
    that diverged, failed or is missing never is. Of cells with the same mean the first is chosen.

    Args:
        resolved: What `resolve_duplicates` gives, with the metric.
        wanted: The cells and seeds wanted, each cell once.
        metric: The metric that selects, one of `selection_metrics`.
    Raises:
        ValueError: If the metric may not select.
    """
    check_choice("metric to select by", metric, selection_metrics())
    candidates = _candidates(resolved, wanted, metric)
    keys = candidate_keys([request.cell for request in wanted])
    groups: dict[Hashable, list[Candidate]] = {}
    for row, candidate in enumerate(candidates):
        groups.setdefault(row if candidate.request.cell.note else keys[row], []).append(candidate)
    choices: list[Choice | None] = []
    requests = []
    for group in groups.values():
        choice = None if group[0].request.cell.note else _choose(group, metric)
        choices.append(choice)
        requests.append(group[0].request if choice is None else choice.request)
    varying = frozenset(name for group in groups.values() for name in _varying(group))
    return Selection(metric, tuple(choices), tuple(requests), varying)


def _varying(group: Sequence[Candidate]) -> list[str]:
    cells = [candidate.request.cell for candidate in group]
    return [name for name in choosable(cells) if len({param_value(cell, name) for cell in cells}) > 1]


def _candidates(resolved: Resolved, wanted: Sequence[CellRequest], metric: str) -> list[Candidate]:
    members = wanted_members(resolved, wanted, metric)
    counts = members.groupby("row")["state"].value_counts().to_dict()
    candidates = []
    for row, values in enumerate(counted_values(members, len(wanted))):
        states = {state: counts.get((row, state), 0) for state in STATES}
        status = status_text(len(values), len(wanted[row].seeds), states)
        mean = float(values.mean()) if len(values) else float("nan")
        candidates.append(Candidate(wanted[row], len(values), mean, status))
    return candidates


def _choose(group: Sequence[Candidate], metric: str) -> Choice:
    num_seeds = len({seed for candidate in group for seed in candidate.request.seeds})
    complete = [candidate for candidate in group if candidate.is_complete(num_seeds)]
    sign = -1 if metric_of(metric).is_higher_better else 1
    best = min(complete, key=lambda candidate: sign * candidate.mean, default=None)
    text = account(group, best, num_seeds, higher_is_better=sign < 0)
    counts = (len(group), len(complete), text)
    if best is None:
        shared = _shared([candidate.request.cell for candidate in group])
        return Choice(CellRequest(shared, ()), False, float("nan"), *counts)
    return Choice(best.request, True, best.mean, *counts)


def _shared(cells: Sequence[Cell]) -> Cell:
    """Return what stands for cells of which none is chosen: the params that all have."""
    common = set.intersection(*(set(cell.items) for cell in cells))
    return Cell(tuple(item for item in cells[0].items if item in common))


def add_selection(table: Table, selection: Selection) -> Table:
    """Return a table with the account of each row's choice added.

    A row of which nothing is chosen has neither cell nor hyperparameters, and `NOTHING_CHOSEN` as its status.

    Args:
        table: The table of the selection's requests.
        selection: What was chosen.
    """
    rows = [{"account": ""} if choice is None else _account_of(choice) for choice in selection.choices]
    added = pd.DataFrame(rows, columns=[*SELECTION_COLUMNS]).astype(
        {"account": "str", "selected_mean": "float64", "num_candidates": "Int64", "num_complete": "Int64"}
    )
    added["selected_by"] = selection.metric
    result = pd.concat([table.rows, added], axis=1)
    empty = [choice is not None and not choice.is_chosen for choice in selection.choices]
    names = choosable([request.cell for request in selection.requests])
    result.loc[empty, "status"], result.loc[empty, ["cell", *names]] = NOTHING_CHOSEN, ""
    chosen_from = [
        name
        for name in names
        if name in selection.varying or (name in _OF_TABLE_5 and (result[name] != "").any())
    ]
    return table.with_rows(result, selected_by=selection.metric, hyperparameters=chosen_from)


def hyperparameters_of(cell: Cell) -> dict[str, str]:
    """Return every `choosable` hyperparameter of a cell with its value, empty where it does not apply."""
    networks = networks_of(TASKS.get(cell.params.get("task", "")))
    params = {**applicable_defaults(cell), **networks, **cell.params}
    return {name: params.get(name, "") for name in dict.fromkeys((*choosable([cell]), *NETWORK_PARAMS))}


def choosable(cells: Sequence[Cell]) -> tuple[str, ...]:
    """Return what can be chosen of these cells: `CHOOSABLE`, networks, and what users' estimators have."""
    networks = (name for name in NETWORK_PARAMS if any(name in cell.params for cell in cells))
    own = (name for cell in cells for name in own_names(cell.params))
    return tuple(dict.fromkeys((*CHOOSABLE, *networks, *own)))


def _account_of(choice: Choice) -> dict[str, object]:
    return {
        "selected_mean": choice.mean,
        "num_candidates": choice.num_candidates,
        "num_complete": choice.num_complete,
        "account": choice.account,
    }
