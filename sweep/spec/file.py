"""Reading a spec from a file or a preset, and saying exactly what is wrong with one."""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from estimators import REGISTRY
from estimators.own import OwnEstimator
from estimators.registry import register
from sweep.spec.block import HYPERPARAMETERS, Block, SpecModel
from sweep.spec.limits import MAX_ERRORS
from sweep.spec.sweep_spec import EarlyStopping, Measure, Resources, Search, Spec
from sweep.spec.use import CodeMissingError, UseError, made_data, use
from sweep.spec.values import SpecValueError, shown
from trainables.own_data import DECLARED, OWN_DATA, OwnDataset
from trainables.schema.dataset_names import DATASET_NAMES
from trainables.user_error import UserError

_MODELS: dict[str, type[SpecModel]] = {
    "grid": Block,
    "measure": Measure,
    "search": Search,
    "early_stopping": EarlyStopping,
    "resources": Resources,
}


_MOST_VALUES = 100_000


Declared = OwnEstimator | OwnDataset
"""What a store knows of a user's."""


class _Loader(yaml.SafeLoader):
    """YAML's safe types; a value that its type does not take, such as a day that no month has, is text."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return what a node says, which the rules of the keys are applied to."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, AttributeError):
            if not isinstance(node, yaml.ScalarNode):
                raise
            return node.value


class SpecError(UserError):
    """A spec that cannot be used; the message says where and why."""


def preset_names() -> list[str]:
    """Return the names of the presets that ship with catsweep."""
    folder = resources.files("sweep") / "presets"
    return sorted(
        entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")
    )


def read_spec_text(spec: str | Path) -> tuple[str, str]:
    """Return the YAML text of a spec, and the name to call it by in messages.

    Args:
        spec: Path of a YAML file, or the name of a preset.

    Raises:
        SpecError: If there is no such file or preset, or the file cannot be read.
    """
    path = Path(spec)
    if str(spec) in preset_names():
        return (resources.files("sweep") / "presets" / f"{spec}.yaml").read_text(), f"preset {spec}"
    try:
        if path.suffix in (".yaml", ".yml") or path.is_file():
            return path.read_text(), str(path)
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"spec {path} cannot be read: {error}") from None
    raise SpecError(
        f"spec must be a YAML file or a preset, got {str(spec)!r}{_nearest(str(spec), preset_names())}"
    )


def load_spec(
    spec: str | Path,
    resources: Mapping[str, str] | None = None,
    *,
    declared: Callable[[], Iterable[Declared]] | None = None,
) -> Spec:
    """Load what a spec uses, read and validate it.

    Args:
        spec: Path of a YAML file, or the name of a preset.
        resources: Values that were typed in place of the spec's own under `resources`; a comma separates
            several. No hash depends on them.
        declared: Says, where code or data that the spec uses are not there, which estimators and data sets
            are known from the store: with these it can be looked at. Without it, all must be there.

    Raises:
        SpecError: If anything is wrong with it, naming file, line, key, value and what is allowed.
    """
    text, source = read_spec_text(spec)
    root = _compose(text, source)
    content, typed = _content(root), resources or {}
    _load_used(content, root, source, Path(spec).parent, declared)
    _load_data(content, root, source, Path(spec).parent, declared)
    if typed and isinstance(own := content.setdefault("resources", {}) or {}, dict):
        content["resources"] = {**own, **{key: _typed(value) for key, value in typed.items()}}
    try:
        return Spec.model_validate(content)
    except ValidationError as invalid:
        errors = invalid.errors()
        problems = [_describe(error, root, source, typed) for error in errors[:MAX_ERRORS]]
        more = [f"{source}: {len(errors) - MAX_ERRORS:,} more errors"] if len(errors) > MAX_ERRORS else []
        raise SpecError("\n".join([*problems, *more])) from None


def _load_used(
    content: Any,
    root: yaml.Node,
    source: str,
    folder: Path,
    declared: Callable[[], Iterable[Declared]] | None,
) -> None:
    """Load the files and modules under `use`, before the rest is read, which may ask for what is in them."""
    entries = content.get("use") or ()
    for index, entry in enumerate(entries if isinstance(entries, list) else [entries]):
        if not isinstance(entry, str):
            return  # which is an error of the spec
        try:
            use(entry, folder)
        except UseError as error:
            known = tuple(declared()) if declared and isinstance(error, CodeMissingError) else ()
            if not known:
                line = _line(root, ("use", index))
                raise SpecError(f"{source}, line {line}: use: {error}") from None
            _take_over(known)


def _load_data(
    content: Any,
    root: yaml.Node,
    source: str,
    folder: Path,
    declared: Callable[[], Iterable[Declared]] | None,
) -> None:
    """Read the data set of a user's that a spec names, and put its name in the place of its file."""
    stated = content.get("dataset")
    is_file = isinstance(stated, dict) and list(stated) == ["file"] and isinstance(stated["file"], str)
    if not is_file and (not isinstance(stated, str) or stated in DATASET_NAMES or stated not in DECLARED):
        return
    from trainables.data.own.npz_file import DataMissingError, read_npz

    try:
        own = read_npz(folder / stated["file"], stated["file"]) if is_file else made_data(stated)
        OWN_DATA[own.name] = own
    except UserError as error:
        name = Path(stated["file"]).stem if is_file else stated
        is_missing = declared is not None and isinstance(error, DataMissingError)
        known = [one for one in declared() if isinstance(one, OwnDataset)] if declared and is_missing else []
        if name not in {one.name for one in known}:
            raise SpecError(f"{source}, line {_line(root, ('dataset',))}: dataset: {error}") from None
        OWN_DATA.pop(name, None)
        _take_over(known)
    if is_file:
        content["dataset"] = Path(stated["file"]).stem


def _take_over(known: Iterable[Declared]) -> None:
    """Let a spec name what only the store knows."""
    for one in known:
        if isinstance(one, OwnDataset):
            OWN_DATA.setdefault(one.name, one)
        elif one.name not in REGISTRY:
            register(one)


def _typed(value: str) -> str | int | list[str]:
    if "," in value:
        return [part.strip() for part in value.split(",")]
    return int(value) if value.isdecimal() and len(value) < 10 else value


def place_in_spec(spec: str | Path, *location: str | int) -> str:
    """Return where a valid spec states a key, for messages, for example "grid.yaml, line 9"."""
    text, source = read_spec_text(spec)
    return f"{source}, line {_line(_compose(text, source), location)}"


def _compose(text: str, source: str) -> yaml.Node:
    try:
        root = yaml.compose(text, Loader=_Loader)
        if isinstance(root, yaml.MappingNode):
            _check_size(root, source)
            _refuse_repeated_keys(root, source)
        if root is not None:
            _content(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SpecError(f"{source}{where}: YAML syntax error: {error.problem}") from None
    except yaml.YAMLError as error:
        raise SpecError(f"{source}: YAML syntax error: {error}") from None
    except RecursionError:
        raise SpecError(f"{source}: YAML syntax error: nested too deeply") from None
    if not isinstance(root, yaml.MappingNode):
        raise SpecError(f"{source}: a spec must be a mapping of keys to values")
    return root


def _content(root: yaml.Node) -> Any:
    """Return what the nodes of a document say; the text is read once, which is most of the time.

    What a mapping merges (`<<`) is from then on among its keys, before those that it states itself.
    """
    return _Loader("").construct_document(root)


def _check_size(root: yaml.Node, source: str) -> None:
    if _num_values(root, {}) > _MOST_VALUES:
        raise SpecError(f"{source}: a spec must have at most {_MOST_VALUES:,} values, aliases written out")


def _num_values(node: yaml.Node, known: dict[int, float]) -> float:
    """Count the values that a node stands for: a few lines of aliases to aliases can stand for billions."""
    if id(node) not in known:
        known[id(node)] = math.inf  # for an alias within itself
        children: Iterable[yaml.Node] = node.value if isinstance(node, yaml.SequenceNode) else ()
        if isinstance(node, yaml.MappingNode):
            children = itertools.chain.from_iterable(node.value)
        known[id(node)] = 1 + sum(_num_values(child, known) for child in children)
    return known[id(node)]


def _refuse_repeated_keys(node: yaml.Node, source: str, seen_nodes: set[int] | None = None) -> None:
    seen_nodes = set() if seen_nodes is None else seen_nodes
    if id(node) in seen_nodes:  # an alias, possibly to itself
        return
    seen_nodes.add(id(node))
    children: Iterable[yaml.Node] = node.value if isinstance(node, yaml.SequenceNode) else ()
    if isinstance(node, yaml.MappingNode):
        seen: dict[Any, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):  # which no mapping of Python's takes
                continue
            line = key.start_mark.line + 1
            if key.value in seen:
                first = seen[key.value]
                raise SpecError(f"{source}, line {line}: key {key.value!r} stands already on line {first}")
            seen[key.value] = line
        children = [value for _, value in node.value]
    for child in children:
        _refuse_repeated_keys(child, source, seen_nodes)


def _describe(error: ErrorDetails, root: yaml.Node, source: str, typed: Collection[str]) -> str:
    cause = error.get("ctx", {}).get("error")
    stated = (part for part in error["loc"] if part != HYPERPARAMETERS)  # which are keys of the block
    location = (*stated, *(cause.place if isinstance(cause, SpecValueError) else ()))
    if location[:1] == ("resources",) and location[-1] in typed:
        return f"--{str(location[-1]).replace('_', '-')}: {_problem(error, location)}"
    line = _line(root, location)
    index = location[1] if location[0] == "grid" and len(location) > 1 else None
    block = f" (grid block {index + 1})" if isinstance(index, int) else ""
    return f"{source}, line {line}: {_problem(error, location)}{block}"


def _problem(error: ErrorDetails, location: tuple[int | str, ...]) -> str:
    kind = error["type"]
    key = str(next((part for part in reversed(location) if isinstance(part, str)), location[0]))
    if kind == "extra_forbidden":
        parents = [_MODELS[part] for part in map(str, location[:-1]) if part in _MODELS]
        model = parents[-1] if parents else Spec
        return f"unknown key {key!r}{_nearest(key, model.keys())}"
    if kind == "missing":
        return f"{key} must be given"
    if kind == "too_short":
        return f"{key} must not be empty"
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, SpecValueError):
        return f"{cause}{_nearest(str(cause.value), cause.allowed) if cause.allowed else ''}"
    expected = error.get("ctx", {}).get("expected")
    rule = f"must be {expected}" if expected else f"is wrong ({error['msg'].lower()})"
    return f"{key} {rule}, got {shown(error['input'])}"


def _nearest(name: str, allowed: Iterable[str]) -> str:
    names = list(allowed)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; nearest: {near[0]}" if near else f"; allowed: {', '.join(names)}"


def _line(root: yaml.Node, location: tuple[int | str, ...]) -> int:
    node, line = root, root.start_mark.line
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == part]
            if not found:
                break
            key, node = found[-1]  # the earlier ones are merged and overridden
            line = key.start_mark.line
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line
    return line + 1
