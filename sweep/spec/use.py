"""What users bring to a spec: estimators, tasks and data sets, in files and modules known by content."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import linecache
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from estimators import REGISTRY
from estimators.own import DECLARED, EstimatorError, OwnEstimator, declared_in, estimator
from estimators.registry import register
from trainables import own_data
from trainables import task_registry as tasks
from trainables.error_reason import reason_of
from trainables.schema import Member
from trainables.task import Task
from trainables.user_error import UserError

_PREFIX = "catsweep_used_"
_HASHED = "sha256:"
_DIGITS = 14
"""Hexadecimal digits of a task's version, which is a number that a database holds."""
_INSTALLED = ("site-packages", "dist-packages")
_loaded: dict[str, tuple[ModuleType, ...]] = {}


class UseError(UserError):
    """Something that a spec uses cannot be used; the message names it and says why."""


class CodeMissingError(UseError):
    """A file or module that a spec uses is not there."""


def use(entry: str, folder: Path) -> list[str]:
    """Load a file or module of a user's, and put what it declares into this process's registries.

    Args:
        entry: A file, relative to the folder, or the name of a module that Python finds, also in the folder.
        folder: Where the spec is.
    Returns:
        The ids of the estimators, and the names of the tasks and data sets.
    Raises:
        CodeMissingError: If it is not there.
        UseError: If it cannot be loaded, or declares none of these.
    """
    with _looking_in(folder):
        before = set(sys.modules)
        module = _module(entry, folder)
        own = [module, *(sys.modules[name] for name in set(sys.modules) - before if name != module.__name__)]
    root = Path(str(module.__file__)).parent
    mine = tuple(one for one in own if one is module or _is_of(one, root))
    functions, records = declared_in(vars(module)), _tasks_in(vars(module))
    data = [value for value in vars(module).values() if hasattr(value, own_data.DECLARED_DATA)]
    if not functions and not records and not data:
        raise UseError(
            f"{entry} declares no estimator, by @estimator from estimators, no Task, and no data set, by "
            "@dataset from trainables.data"
        )
    _loaded[entry] = mine
    content = _content(mine)
    names = [register_function(function, content) for function in functions.values()]
    of_tasks = (register_task(record, content) for record in records)
    return [*names, *of_tasks, *map(register_data, data)]


def register_data(function: Callable[[], Any]) -> str:
    """Let specs name the data set that a function is declared to make; return its name."""
    name = str(getattr(function, own_data.DECLARED_DATA))
    own_data.DECLARED[name] = function
    return name


def made_data(name: str) -> own_data.OwnDataset:
    """Have the data set made that a file under `use` declares.

    Raises:
        UserError: If its code fails, or what it makes is no data set.
    """
    from trainables.data.own.arrays import ARRAYS, own_dataset

    try:
        made = own_data.DECLARED[name]()
    except Exception as error:  # noqa: BLE001 it is the user's code that runs
        raise UseError(f"data set {name}: {_where(error)}") from None
    attributes = {one: getattr(made, one) for one in ARRAYS if hasattr(made, one)}
    return own_dataset(name, made if isinstance(made, Mapping) else attributes, f"data set {name}")


def register_function(function: Callable[..., Any], version: str | None = None) -> str:
    """Put a function that is declared to be an estimator into the registry; return its id.

    Args:
        function: The function; one without a declaration is declared with everything at its default.
        version: Which code it is; by default a hash of its source.
    Raises:
        UseError: If it can be no estimator.
    """
    try:
        entry = getattr(function if hasattr(function, DECLARED) else estimator(function), DECLARED)
        assert isinstance(entry, OwnEstimator)
        register(entry.with_code(function, version or _version(_source(function).encode())))
    except (EstimatorError, ValueError) as error:
        raise UseError(str(error)) from None
    return entry.name


def register_task(task: Task, version: str | None = None) -> str:
    """Put a task into the registry; return its name.

    Args:
        task: The task; where it states no version it gets one.
        version: Which code it is; by default a hash of its trainer's source.
    Raises:
        UseError: If its name, or that of a metric, is another's.
    """
    try:
        content = version or _version(_source(task.trainer).encode())
        number = int(content.removeprefix(_HASHED)[:_DIGITS], 16)
        tasks.register(task if task.version else replace(task, version=number))
    except ValueError as error:
        raise UseError(str(error)) from None
    return task.name


def _tasks_in(names: Mapping[str, object]) -> list[Task]:
    """Return the tasks among a module's names, without those that ship."""
    shipped = [tasks.TASKS[name] for name in tasks.SHIPPED]
    return [value for value in names.values() if isinstance(value, Task) and value not in shipped]


def estimators_of(members: Iterable[Member]) -> set[str]:
    """Return the ids of all estimators that train these members or are judged in them."""
    params = [member.cell.params for member in members]
    return {one[key] for one in params for key in ("estimator", "trained_with") if key in one}


def check_code(members: Iterable[Member]) -> None:
    """See that what of users' these members need is there, keeps the contract, and can be sent.

    Raises:
        UseError: If one does not; nothing has started.
    """
    brought = _brought(members)
    for entry in brought:
        if isinstance(entry, OwnEstimator):
            _probe(entry)
    _sent(brought)


def _probe(entry: OwnEstimator) -> None:
    from estimators.own_draw import probe

    try:
        probe(entry)
    except EstimatorError as error:
        raise UseError(str(error)) from None
    except Exception as error:  # noqa: BLE001 it is the user's code that runs
        raise UseError(f"estimator {entry.name}: {_where(error)}") from None


def _where(error: Exception) -> str:
    """Return what an error of a user's code says, and its file and line."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not {*_INSTALLED, "estimators"} & set(Path(frame.filename).parts)]
    place = own[-1] if own else frames[-1]
    return f"{type(error).__name__}: {reason_of(error)} ({place.filename}, line {place.lineno})"


def shipped_by_value(members: Iterable[Member]) -> bytes:
    """Return the users' estimators and tasks that members need, for workers anywhere, without the files.

    Args:
        members: Of any cells; what ships with catsweep is passed over.
    Raises:
        UseError: If one cannot be sent; the message says why.
    """
    return _sent(_brought(members))


def _brought(members: Iterable[Member]) -> list[OwnEstimator | Task]:
    """Return the users' estimators and tasks that members need."""
    members = list(members)
    found = [REGISTRY[name] for name in sorted(estimators_of(members)) if name in REGISTRY]
    names = sorted({member.cell.params.get("task", "") for member in members} - set(tasks.SHIPPED))
    own = [one for one in found if isinstance(one, OwnEstimator)]
    return [*own, *(tasks.TASKS[name] for name in names if name in tasks.TASKS)]


def _sent(own: Sequence[OwnEstimator | Task]) -> bytes:
    if not own:
        return b""
    import cloudpickle

    modules = {one for group in _loaded.values() for one in group}
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps(own))
    except Exception as error:  # noqa: BLE001 whatever the user's objects raise
        names_of = ", ".join(one.name for one in own)
        raise UseError(f"the code of {names_of} cannot be sent to workers ({reason_of(error)})") from None
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def _module(entry: str, folder: Path) -> ModuleType:
    if not entry.endswith(".py"):
        return _imported(entry)
    path = (folder / entry).resolve()
    if not path.is_file():
        raise CodeMissingError(f"{entry} is not there: no file {path}")
    name = _PREFIX + hashlib.sha256(str(path).encode()).hexdigest()[:12]
    sys.modules.pop(name, None)  # in a notebook it may have changed since
    linecache.checkcache(str(path))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with _errors_named(entry):
        spec.loader.exec_module(module)
    return module


def _imported(entry: str) -> ModuleType:
    try:
        found = importlib.util.find_spec(entry)
    except (ImportError, ValueError):
        found = None
    if found is None or not found.origin:
        raise CodeMissingError(f"{entry} is not there: neither a file that ends with .py nor a module")
    with _errors_named(entry):
        return importlib.import_module(entry)


@contextmanager
def _errors_named(entry: str) -> Iterator[None]:
    """Say of an error in a user's file which it is, where, and what it says."""
    try:
        yield
    except (EstimatorError, own_data.OwnDataError) as error:
        raise UseError(f"{entry}: {error}") from None
    except Exception as error:  # noqa: BLE001 it is the user's code that runs
        raise UseError(f"{entry} cannot be loaded: {_where(error)}") from None


@contextmanager
def _looking_in(folder: Path) -> Iterator[None]:
    """Find modules in a folder too, after those that Python finds anyway."""
    sys.path.append(str(folder.resolve()))
    try:
        yield
    finally:
        sys.path.remove(str(folder.resolve()))


def _is_of(module: ModuleType, root: Path) -> bool:
    """Whether a module lies beside a user's file, so that workers do not have it and its content counts."""
    file = getattr(module, "__file__", None)
    return (
        bool(file)
        and Path(str(file)).is_relative_to(root)
        and not set(_INSTALLED) & set(Path(str(file)).parts)
    )


def _content(modules: Iterable[ModuleType]) -> str:
    """Return the version that says what the files of these modules hold."""
    return _version(b"\0".join(sorted(Path(str(module.__file__)).read_bytes() for module in modules)))


def _version(content: bytes) -> str:
    return f"{_HASHED}{hashlib.sha256(content).hexdigest()[:16]}"


def _source(function: Callable[..., Any]) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        raise EstimatorError(
            f"the source of {getattr(function, '__name__', function)} is not to be had, which is its "
            "version; state one: @estimator(version=...)"
        ) from None
