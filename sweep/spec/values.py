"""The values that a spec may hold: one type each, with its rule."""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

import estimators
from estimators.hyperparameter import Rule
from sweep.spec.limits import (
    MAX_COUNT,
    MAX_LABEL_LENGTH,
    MAX_LAYERS,
    MAX_MEMBERS,
    MAX_NAME_LENGTH,
    MAX_NOTE_LENGTH,
    MAX_PARAM_LENGTH,
    MAX_SEED,
    MAX_WIDTH,
)
from trainables.models.network_sizes import ACTIVATION_NAMES
from trainables.models.optimizers import OPTIMIZERS
from trainables.own_data import OWN_DATA
from trainables.schema import PARAMS
from trainables.schema.dataset_names import DATASET_NAMES
from trainables.task_registry import TASKS
from trainables.visible_text import visible

PRECISIONS = ("float32", "tf32")
SEARCHES = ("grid", "optuna")
SAMPLERS = ("tpe", "random")
STOPPINGS = ("asha",)

_LATENT = re.compile(r"([1-9]\d*)x([1-9]\d*)")
_SWEEP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHOWN_LENGTH = 200
_SHOWN_START = 60
_SHOWN_SEEDS = 10


MISSING = object()
"""Stands for what a spec does not say."""


class SpecValueError(ValueError):
    """A value of a spec breaks a rule.

    Args:
        rule: What must hold, for example "lr must be > 0".
        value: What the spec says instead, or `MISSING`.
        allowed: The valid names, where the value is a name.
        place: Keys that lead to the value from where the rule is checked.
    """

    def __init__(
        self, rule: str, value: object, allowed: Iterable[str] = (), place: tuple[str | int, ...] = ()
    ) -> None:
        super().__init__(rule if value is MISSING else f"{rule}, got {shown(value)}")
        self.value = value
        self.allowed = tuple(allowed)
        self.place = place


def shown(value: object) -> str:
    """Return a value of a spec for a message, shortened where it is long."""
    try:
        text = repr(value)
    except ValueError:  # of an integer, or of a list that has one
        return f"more than {sys.get_int_max_str_digits()} digits"
    if len(text) <= _SHOWN_LENGTH:
        return text
    return f"{text[:_SHOWN_START]}... ({len(text)} characters)"


def _number(name: str, value: Any) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError
        number = float(value)  # also "5e-4", which YAML takes for text
    except (TypeError, ValueError, OverflowError):
        raise SpecValueError(f"{name} must be a number", value) from None
    if not math.isfinite(number):
        raise SpecValueError(f"{name} must be finite", value)
    return number


def checked_number(name: str, rule: Rule) -> Callable[[Any], float]:
    """Return what checks a spec's value of a number."""

    def check(value: Any) -> float:
        number = _number(name, value)
        if not rule.allows(number):
            raise SpecValueError(f"{name} must be {rule.rule}", value)
        if rule.is_integer and number > MAX_COUNT:
            raise SpecValueError(f"{name} must be at most {MAX_COUNT:,}", value)
        return number

    return check


def _param(name: str) -> Callable[[Any], float]:
    return checked_number(name, PARAMS[name].rule or Rule())


def _name(what: str, allowed: Iterable[str]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        names = tuple(allowed)  # of estimators, those of the spec's own files too
        if value not in names:
            raise SpecValueError(f"{what} must be one of {', '.join(names)}", value, names)
        return str(value)

    return check


def _is_integer(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _count(what: str, least: int = 1, most: int = MAX_COUNT) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        is_long = (
            isinstance(value, str) and len(value) > sys.get_int_max_str_digits()
        )  # text, to YAML's reader
        if not (is_long or _is_integer(value, least)):
            raise SpecValueError(f"{what} must be an integer >= {least}", value)
        if is_long or value > most:
            raise SpecValueError(f"{what} must be at most {most:,}", value)
        return int(value)

    return check


def _latent(value: Any) -> str:
    found = _LATENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise SpecValueError("latent must be categories x variables, such as 8x4", value)
    most = str(MAX_COUNT)
    for what, digits in zip(("categories", "variables"), found.groups(), strict=True):
        if (len(digits), digits) > (len(most), most):  # as text, which may be too long for a number
            raise SpecValueError(f"latent must have at most {MAX_COUNT:,} {what}", value)
    if found[1] == "1":
        raise SpecValueError("latent must have at least 2 categories", value)
    return str(value)


def _seeds(value: Any) -> tuple[int, ...]:
    if _is_integer(value, 1):
        if value > MAX_MEMBERS:
            raise SpecValueError(f"seeds must be at most {MAX_MEMBERS:,}", value)
        return tuple(range(value))
    if not isinstance(value, list) or not value:
        raise SpecValueError("seeds must be a count >= 1 or a list of seeds", value)
    for seed in value:
        if not _is_integer(seed, 0) or seed > MAX_SEED:
            raise SpecValueError("a seed must be an integer from 0 to 2^63 - 1", seed)
    repeated = sorted(seed for seed, times in Counter(value).items() if times > 1)
    if repeated:
        some = ", ".join(map(str, repeated[:_SHOWN_SEEDS])) + (", ..." if repeated[_SHOWN_SEEDS:] else "")
        raise SpecValueError(f"seeds must differ, but {some} occurs twice", value)
    return tuple(value)


def _measured_epochs(value: Any) -> tuple[int, ...]:
    epochs = value if isinstance(value, list) else [value]
    if not epochs or not all(_is_integer(one, 1) for one in epochs):
        raise SpecValueError("epochs to measure after must be integers >= 1", value)
    if list(epochs) != sorted(set(epochs)):
        raise SpecValueError("epochs to measure after must differ and increase", value)
    if epochs[-1] > MAX_COUNT:
        raise SpecValueError(f"epochs to measure after must be at most {MAX_COUNT:,}", value)
    text = ",".join(map(str, epochs))
    if len(text) > MAX_PARAM_LENGTH:
        raise SpecValueError(
            f"epochs to measure after must take at most {MAX_PARAM_LENGTH:,} characters, joined by commas, "
            f"and these {len(epochs):,} take {len(text):,}; measure after fewer",
            value,
        )
    return tuple(epochs)


def sweep_name(value: Any) -> str:
    """Return a sweep's name, or raise what is wrong with it."""
    if not isinstance(value, str) or not _SWEEP_NAME.fullmatch(value):
        raise SpecValueError("name must consist of letters, digits, '.', '_' and '-'", value)
    if len(value) > MAX_NAME_LENGTH:
        raise SpecValueError(f"name must have at most {MAX_NAME_LENGTH} characters, not {len(value)}", value)
    return value


def _line(name: str, most: int) -> Callable[[str], str]:
    """Return what makes a text one line, if it is no longer than that."""

    def check(text: str) -> str:
        line = " ".join(text.split())
        if len(line) > most:
            raise SpecValueError(f"{name} must have at most {most:,} characters, not {len(line):,}", line)
        if visible(line) != line:
            raise SpecValueError(f"{name} must be without control characters", line)
        return line

    return check


def _exclude(value: Any) -> tuple[Mapping[str, tuple[Any, ...]], ...]:
    entries = value if isinstance(value, list | tuple) else [value]
    for entry in entries:
        if not isinstance(entry, Mapping) or not entry:
            raise SpecValueError("exclude must be settings of the block, such as {lr: 0.001}", entry)
    return tuple({str(key): tuple(as_list(stated)) for key, stated in entry.items()} for entry in entries)


def _widths(name: str) -> Callable[[Any], list[str]]:
    """Return what checks one list of widths of hidden layers, or a list of such lists, each then one text."""

    def check(value: Any) -> list[str]:
        several = value if isinstance(value, list) and value and isinstance(value[0], list) else [value]
        return [_of_layers(name, one) for one in several]

    return check


def _of_layers(name: str, value: Any) -> str:
    widths = [int(one) for one in value.split(",")] if _is_width_text(value) else as_list(value)
    if not widths or not all(_is_integer(one, 1) and one <= MAX_WIDTH for one in widths):
        rule = (
            f"{name} must be widths of hidden layers, at least one, each an integer from 1 to {MAX_WIDTH:,}"
        )
        raise SpecValueError(f"{rule}, such as [512, 256], or a list of such lists", value)
    if len(widths) > MAX_LAYERS:
        raise SpecValueError(f"{name} must have at most {MAX_LAYERS} hidden layers", value)
    return ",".join(map(str, widths))


def _is_width_text(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\d{1,7}(,\d{1,7})*", value) is not None


def _count_or_auto(what: str) -> Callable[[Any], int | None]:
    return lambda value: None if value in ("auto", None) else _count(what)(value)


def _used(value: Any) -> tuple[str, ...]:
    entries = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(entry, str) and entry for entry in entries):
        raise SpecValueError("use must be files, relative to the spec, or modules", value)
    return tuple(entries)


def _gpus(value: Any) -> tuple[float | None, ...]:
    """Return one share of a GPU or several, each other; None stands for "auto"."""
    given = value if isinstance(value, list | tuple) else [value]
    if not given:
        raise SpecValueError("gpus must not be an empty list", value)
    shares = tuple(
        None if one in ("auto", None) else checked_number("gpus", Rule(minimum=0))(one) for one in given
    )
    if len(set(shares)) < len(shares):
        raise SpecValueError("gpus must be a list without repetitions", value)
    return shares


def _search_metric(value: Any) -> str:
    names = dict.fromkeys(name for task in TASKS.values() for name in task.search_metrics)
    return _name("metric", names)(value)


def _dataset(value: Any) -> str:
    if isinstance(value, Mapping):
        raise SpecValueError("dataset must be a name, or {file: FILE} with an .npz file of yours", value)
    return _name("dataset", (*DATASET_NAMES, *OWN_DATA))(value)


def as_list(value: Any) -> Any:
    """Return a list of one value, or what is a list already."""
    return value if isinstance(value, list) else [value]


Item = TypeVar("Item")
Many = Annotated[list[Item], BeforeValidator(as_list), Field(min_length=1)]
"""One value or a list of at least one."""

TaskName = Annotated[str, BeforeValidator(_name("task", TASKS))]
Dataset = Annotated[str, BeforeValidator(_dataset)]
Encoder = Annotated[list[str], BeforeValidator(_widths("encoder"))]
Decoder = Annotated[list[str], BeforeValidator(_widths("decoder"))]
"""Widths of hidden layers, joined by commas: of every network one text."""
ActivationName = Annotated[str, BeforeValidator(_name("activation", ACTIVATION_NAMES))]
EstimatorName = Annotated[str, BeforeValidator(_name("estimator", estimators.REGISTRY))]
Used = Annotated[tuple[str, ...], BeforeValidator(_used)]
"""Files, and modules, with what users bring: `sweep.spec.use` has loaded them."""
Precision = Annotated[str, BeforeValidator(_name("precision", PRECISIONS))]
OptimizerName = Annotated[str, BeforeValidator(_name("optimizer", OPTIMIZERS))]
Latent = Annotated[str, BeforeValidator(_latent)]
LearningRate = Annotated[float, BeforeValidator(_param("lr"))]
Temperature = Annotated[float, BeforeValidator(_param("temperature"))]
TemperatureDecay = Annotated[float, BeforeValidator(_param("temperature_decay"))]
TemperatureFloor = Annotated[float, BeforeValidator(_param("temperature_floor"))]
Note = Annotated[str, AfterValidator(_line("note", MAX_NOTE_LENGTH))]
Label = Annotated[str, AfterValidator(_line("label", MAX_LABEL_LENGTH))]
Exclude = Annotated[tuple[Mapping[str, tuple[Any, ...]], ...], BeforeValidator(_exclude)]
"""Settings to leave out of a block: of each, the values under some of its keys."""
SweepName = Annotated[str, BeforeValidator(sweep_name)]
Epochs = Annotated[int, BeforeValidator(_count("epochs"))]
IterationsPerEpoch = Annotated[int, BeforeValidator(_count("iterations_per_epoch"))]
BatchSize = Annotated[int, BeforeValidator(_count("batch_size"))]
Seeds = Annotated[tuple[int, ...], BeforeValidator(_seeds)]
Cpus = Annotated[int, BeforeValidator(_count("cpus"))]
Gpus = Annotated[tuple[float | None, ...], BeforeValidator(_gpus)]
"""GPUs of a pack, the kinds of which the first is preferred; None stands for "auto"."""
PackSize = Annotated[int | None, BeforeValidator(_count_or_auto("members_per_pack"))]
"""Members per pack; None stands for "auto"."""
MeasuredEpochs = Annotated[tuple[int, ...], BeforeValidator(_measured_epochs)]
NumDraws = Annotated[int, BeforeValidator(_count("draws"))]
SearchKind = Annotated[str, BeforeValidator(_name("kind", SEARCHES))]
Sampler = Annotated[str, BeforeValidator(_name("sampler", SAMPLERS))]
SearchMetric = Annotated[str, BeforeValidator(_search_metric)]
Trials = Annotated[int, BeforeValidator(_count("trials"))]
SamplerSeed = Annotated[int, BeforeValidator(_count("seed", 0, MAX_SEED))]
Concurrency = Annotated[int | None, BeforeValidator(_count_or_auto("concurrency"))]
"""Cells in training at a time; None stands for "auto", what the cluster has room for."""
StoppingKind = Annotated[str, BeforeValidator(_name("kind", STOPPINGS))]
GraceEpochs = Annotated[int, BeforeValidator(_count("grace_epochs"))]
ReductionFactor = Annotated[int, BeforeValidator(_count("reduction_factor", 2))]
