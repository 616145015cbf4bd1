"""What the rows of a table are called."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from analysis.names import IN_THE_NAME, name_with_gap, symbol_of
from trainables import schema
from trainables.schema import Cell
from trainables.tasks import TASKS

_PARTS: Mapping[str, Callable[[str], str]] = {
    "optimizer": str,
    "lr": "lr {}".format,
    "temperature": "τ {}".format,
    "eta": "η {}".format,
    "beta": "β {}".format,
    "num_mc_samples": "K {}".format,
    "gap": "gap {}".format,
    "num_samples": "N {}".format,
    "temperature_decay": "τ decay {}".format,
    "temperature_floor": "τ floor {}".format,
    "batch_size": "batch {}".format,
    "epochs": "{} epochs".format,
    "iterations_per_epoch": "{} iterations an epoch".format,
    "trained_with": "trained with {}".format,
    "trained_temperature": "at τ {}".format,
    "measured_epochs": "judged at {}".format,
    "num_draws": "{} draws".format,
    "precision": str,
    "estimator_version": "version {}".format,
    "hyperparameters": "with {}".format,
    "dataset": str,
    "task": str,
    "task_version": "task version {}".format,
}


def row_labels(cells: Sequence[Cell]) -> list[str]:
    """Return one label per cell, different for different cells of one latent.

    The label is the estimator's name. Where an estimator has several cells of any latent, the params in which
    its cells differ follow, at every latent: the same label is the same settings. A note comes last.
    Where a task's estimators have a budget of samples, that is in every label, and alone where that will do.
    """
    groups: dict[tuple[str, str], dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        groups[cell.estimator, cell.note][cell.latent].append(cell)
    varying = {key: _varying(by_latent) for key, by_latent in groups.items()}
    is_enough: dict[object, bool] = {}
    labels = []
    for cell in cells:
        key = (cell.estimator, cell.note)
        budget = budget_params(cell)
        place = (*key, *budget)
        if place not in is_enough:
            is_enough[place] = _tells_apart(budget, groups[key].values())
        if not is_enough[place]:
            budget = list(dict.fromkeys((*budget, *varying[key])))
            budget.sort(key=lambda name: list(_PARTS).index(name) if name in _PARTS else len(_PARTS))
        labels.append(_label(cell, budget))
    return labels


def _part(name: str, value: str) -> str:
    return _PARTS[name](value) if name in _PARTS else f"{symbol_of(name)} {value}"


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
    return cell.params.get(name, schema.DEFAULTS.get(name))


def _varying(by_latent: Mapping[str, Sequence[Cell]]) -> list[str]:
    """Return in what cells differ, within a latent or between them; nothing where no latent has several."""
    if all(len(cells) == 1 for cells in by_latent.values()):
        return []
    every = [cell for cells in by_latent.values() for cell in cells]
    names = dict.fromkeys([*_PARTS, *(name for cell in every for name in schema.own_names(cell.params))])
    return [name for name in names if len({param_value(cell, name) for cell in every}) > 1]


def _label(cell: Cell, names: Sequence[str]) -> str:
    shown = [name for name in names if (cell.estimator, name) != IN_THE_NAME]
    values = {name: param_value(cell, name) for name in shown}
    parts = [_part(name, value) for name, value in values.items() if value is not None]
    note = [f"({cell.note})"] if cell.note else []
    return " ".join([name_with_gap(cell), *parts, *note])
