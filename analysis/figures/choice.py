"""What to draw of a spec: which kind of figure, of which metrics, against what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from analysis.choices import check_choice
from analysis.figure_error import FigureError
from analysis.names import applicable_defaults
from trainables import schema
from trainables.schema import Cell
from trainables.task import Figure
from trainables.task_registry import TASKS

EPOCH = "epoch"
SECONDS = "seconds"
ITERATION = "iteration"
CURVE_AXES: Mapping[str, str] = {EPOCH: "epoch", SECONDS: "seconds of training", ITERATION: "iteration"}
SECONDS_AXES = (CURVE_AXES[SECONDS], "seconds of training and testing")
"""What an axis of seconds says: of tasks that do not test after every epoch, and of those that do."""
ESTIMATOR = "estimator"
"""The axis of bars: a bar, or two, for each cell."""
_PREFERRED = (
    "beta", "temperature", "eta", "lr", "num_mc_samples", "num_samples", "temperature_decay",
    "temperature_floor",
)  # fmt: skip
"""The first of them is the axis where several have equally many values; the others come in their order."""


def hyperparameters_in(cells: Sequence[Cell]) -> tuple[str, ...]:
    """Return the hyperparameters that can be axes for these cells: with those of users' estimators."""
    own = (name for cell in cells for name in schema.own_names(cell.params))
    return tuple(dict.fromkeys((*_PREFERRED, *schema.AXES, *own)))


_OF_CURVES = ("train_neg_elbo", "test_neg_elbo")
_OF_FINAL_VALUES = ("train_neg_elbo",)
_ENOUGH_FOR_AN_AXIS = 3


@dataclass(frozen=True)
class Choice:
    """One figure to be drawn.

    Args:
        metrics: Its metrics, each a panel of its own, or, of bars, an axis of its own.
        against: "epoch", "seconds", "iteration", "estimator" or a hyperparameter; two hyperparameters are the
            axes of a heat map.
    """

    metrics: tuple[str, ...]
    against: tuple[str, ...]

    @property
    def is_curves(self) -> bool:
        """Whether histories are drawn, not final values."""
        return self.against[0] in CURVE_AXES

    @property
    def is_bars(self) -> bool:
        """Whether final values are drawn as bars."""
        return self.against[0] == ESTIMATOR

    @property
    def is_heat_map(self) -> bool:
        """Whether two hyperparameters are the axes."""
        return len(self.against) > 1

    @property
    def name(self) -> str:
        """The name of its files, after that of the spec."""
        return "-".join((*self.metrics, *self.against))


def choose(
    cells: Sequence[Cell], metrics: Sequence[str] | None = None, against: Sequence[str] | None = None
) -> tuple[Choice, ...]:
    """Return the figures of a spec's cells.

    Args:
        cells: The cells of the spec.
        metrics: A figure for each; by default what the task and the axis suggest.
        against: One or two axes; by default β where it varies, else a heat map of temperature and η where
            both do, else the hyperparameter with the most values, from three on, else epochs.
    Raises:
        UnknownNameError: If an axis is unknown.
        FigureError: If an axis has one value only, or the axes are no pair of hyperparameters.
    """
    axes = tuple(against) if against else _axes(cells)
    _check_axes(cells, axes)
    if metrics:
        return tuple(Choice((metric,), axes) for metric in dict.fromkeys(metrics))
    if own := _own_figures(cells):
        return tuple(_choices(own, axes, is_asked=bool(against)))
    suggested = _OF_CURVES if axes[0] in CURVE_AXES else _OF_FINAL_VALUES
    return tuple(Choice((metric,), axes) for metric in suggested)


def setting(cell: Cell, name: str) -> str | None:
    """Return a cell's value of a hyperparameter, or its default; None where its estimator takes none."""
    return cell.params.get(name, applicable_defaults(cell).get(name))


def curve_axis(axis: str, cells: Sequence[Cell]) -> str:
    """Return what an axis of curves says for cells of one task."""
    if axis != SECONDS:
        return CURVE_AXES[axis]
    tasks = [TASKS[task] for cell in cells if (task := cell.params.get("task", "")) in TASKS]
    return SECONDS_AXES[any(task.tests_every_epoch for task in tasks)]


def varied(cells: Sequence[Cell]) -> dict[str, int]:
    """Return the hyperparameters of which an estimator has several values at one latent, and how many."""
    most = {name: _num_values(cells, name) for name in hyperparameters_in(cells)}
    return {name: count for name, count in most.items() if count > 1}


def _num_values(cells: Sequence[Cell], name: str) -> int:
    values: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for cell in cells:
        if (value := setting(cell, name)) is not None:
            values[cell.estimator, cell.latent, cell.note].add(value)
    return max(map(len, values.values()), default=0)


def _own_figures(cells: Sequence[Cell]) -> tuple[Figure, ...]:
    """Return the figures that the cells' task has of its own."""
    return next((TASKS[task].figures for cell in cells if (task := cell.params.get("task", "")) in TASKS), ())


def _choices(own: Sequence[Figure], axes: tuple[str, ...], *, is_asked: bool) -> Iterator[Choice]:
    """Yield a task's own figures, or, where axes are asked for, what they show, against these."""
    if not is_asked:
        yield from (Choice(figure.metrics, (figure.against,)) for figure in own)
        return
    shown = dict.fromkeys(figure.metrics for figure in own)
    for metrics in shown:
        yield from [Choice(metrics, axes)] if len(axes) == 1 else [Choice((one,), axes) for one in metrics]


def _axes(cells: Sequence[Cell]) -> tuple[str, ...]:
    several = varied(cells)
    if own := _own_figures(cells):
        return (own[0].against,)
    if "beta" in several:
        return ("beta",)
    if {"temperature", "eta"} <= set(several):
        return ("temperature", "eta")
    numbers = {name: count for name, count in several.items() if not schema.param_of(name).is_text}
    longest = max(numbers, key=lambda name: numbers[name], default=EPOCH)
    return (longest if numbers.get(longest, 0) >= _ENOUGH_FOR_AN_AXIS else EPOCH,)


def _check_axes(cells: Sequence[Cell], axes: Sequence[str]) -> None:
    alone = {*CURVE_AXES, ESTIMATOR}
    if len(axes) > 2 or (len(axes) == 2 and (axes[0] == axes[1] or set(axes) & alone)):
        raise FigureError(
            f"against must be {', '.join(CURVE_AXES)}, estimator, a hyperparameter, or two different "
            f"hyperparameters for a heat map, got {','.join(axes)!r}"
        )
    for name in axes:
        check_choice("axis", name, (*CURVE_AXES, ESTIMATOR, *hyperparameters_in(cells)))
        if name == ITERATION and not all("iterations_per_epoch" in cell.params for cell in cells):
            raise FigureError("against must not be iteration: the task of this spec does not count them")
        if name not in alone and len({setting(cell, name) for cell in cells} - {None}) < 2:
            several = ", ".join(varied(cells)) or "no hyperparameter"
            raise FigureError(
                f"against must be a hyperparameter with several values in this spec, got {name!r}; "
                f"several values has {several}"
            )
