"""What the rows of a table are called."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from analysis.names import IN_THE_NAME, estimator_name, name_with_gap, networks_of
from trainables.schema import CELL_PARAMS, DEFAULTS, NETWORK_PARAMS, Cell, own_names, param_of
from trainables.task_registry import TASKS

_COLUMNS = ("estimator", "categorical_dim", "latent_dim")
_LAST = (
    *("precision", "estimator_version", "hyperparameters", "dataset", "dataset_version", "image_shape"),
    *("task", "task_version"),
)
_STATED = (*(name for name in CELL_PARAMS if name not in (*_COLUMNS, *_LAST)), *_LAST)
"""What a label may state of a cell, in this order; hyperparameters of users' estimators alone come last."""
_ORDER = {name: place for place, name in enumerate(("estimator", *_STATED))}


def row_labels(cells: Sequence[Cell]) -> list[str]:
    """Return one label per cell, different for different cells of one latent.

    The label is the name that a spec gives the cell, else the estimator's. Where there are several cells of a
    name at any latent, the params in which its cells differ follow, at every latent: the same label is the
    same settings. A note comes last.
    Where a task's estimators have a budget of samples, that is in every label, and alone where that will do;
    a name that a spec gives may say it already.
    """
    groups: dict[tuple[str, str], dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        groups[_name(cell), cell.note][cell.latent].append(cell)
    varying = {key: _varying(by_latent) for key, by_latent in groups.items()}
    is_enough: dict[object, bool] = {}
    labels = []
    for cell in cells:
        key = (_name(cell), cell.note)
        budget = [] if cell.label else budget_params(cell)
        place = (*key, *budget)
        if place not in is_enough:
            is_enough[place] = _tells_apart(budget, groups[key].values())
        if not is_enough[place]:
            budget = list(dict.fromkeys((*budget, *varying[key])))
            budget.sort(key=lambda name: _ORDER.get(name, len(_ORDER)))
        labels.append(_label(cell, budget))
    return labels


def _name(cell: Cell) -> str:
    return cell.label or estimator_name(cell.estimator)


def budget_params(cell: Cell) -> list[str]:
    """Return the params of a cell that are part of every row's name, since they are an estimator's budget."""
    task = TASKS.get(cell.params.get("task", ""))
    return [name for name in (task.label_params if task else ()) if name in cell.params]


def _tells_apart(names: Sequence[str], by_latent: Iterable[Sequence[Cell]]) -> bool:
    return all(
        len({tuple(param_value(cell, name) for name in names) for cell in cells}) == len(cells)
        for cells in by_latent
    )


def param_value(cell: Cell, name: str) -> str | None:
    """Return what a cell's param counts as: its value, or the default; None where there is neither."""
    if name in NETWORK_PARAMS and name not in cell.params:
        return networks_of(TASKS.get(cell.params.get("task", ""))).get(name)
    return cell.params.get(name, DEFAULTS.get(name))


def _varying(by_latent: Mapping[str, Sequence[Cell]]) -> list[str]:
    """Return in what cells differ, within a latent or between them; nothing where no latent has several."""
    if all(len(cells) == 1 for cells in by_latent.values()):
        return []
    every = [cell for cells in by_latent.values() for cell in cells]
    names = dict.fromkeys([*_ORDER, *(name for cell in every for name in own_names(cell.params))])
    return [name for name in names if len({param_value(cell, name) for cell in every}) > 1]


def _label(cell: Cell, names: Sequence[str]) -> str:
    shown = [name for name in names if cell.label or (cell.estimator, name) != IN_THE_NAME]
    values = {name: param_value(cell, name) for name in shown}
    parts = [param_of(name).labelled(value) for name, value in values.items() if value is not None]
    note = [f"({cell.note})"] if cell.note else []
    return " ".join([cell.label or name_with_gap(cell), *parts, *note])
