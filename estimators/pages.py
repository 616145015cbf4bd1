"""Writes a page for every estimator: its docstring, its traits and what was measured of it.

`make docs` runs `python -m estimators.pages docs/estimators`. What was measured is no part of the code: with
`--measured FILE` it is taken from a CSV file, and without it each page keeps what it says.
"""

from __future__ import annotations

import argparse
import csv
import inspect
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from estimators.docstring import Docstring, read_docstring
from estimators.registry import REGISTRY, Estimator

MEASURED = "## Measured bias and variance\n"
"""Heading of a page's last section."""

_COLUMNS = ("estimator", "epoch", "metric", "n", "mean", "std")
_METRICS = {
    "gradient_cosine": "cosine",
    "gradient_cosine_batch": "cosine, batch",
    "gradient_variance": "variance",
    "gradient_relative_std": "relative std",
    "gradient_std": "std",
}
"""What a column of measured values is headed, in the order of columns."""


@dataclass(frozen=True)
class Measurement:
    """One line of a file of measured values.

    Args:
        estimator: The estimator's id.
        epoch: After how many epochs of training.
        metric: Name of the metric.
        n: Number of seeds.
        mean: Mean over them.
        std: Sample standard deviation over them; none of a single one.
    """

    estimator: str
    epoch: int
    metric: str
    n: int
    mean: float
    std: float | None

    @property
    def text(self) -> str:
        """The value as a page shows it."""
        return f"{self.mean:.3g}" if self.std is None else f"{self.mean:.3g} ± {self.std:.2g}"


def read_measured(path: Path) -> list[Measurement]:
    """Read a CSV file with the columns estimator, epoch, metric, n, mean and std.

    Raises:
        ValueError: If a column is missing, an estimator is not in the registry or a number is none.
    """
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(
                f"{path} must have the columns {', '.join(_COLUMNS)}, lacks {', '.join(missing)}"
            )
        return [_measurement(row, f"{path}, line {reader.line_num}") for row in reader]


def _measurement(row: Mapping[str, str], place: str) -> Measurement:
    if row["estimator"] not in REGISTRY:
        raise ValueError(f"estimator must be a known id, got {row['estimator']!r} ({place})")
    try:
        std = float(row["std"]) if row["std"] else None
        return Measurement(
            row["estimator"], int(row["epoch"]), row["metric"], int(row["n"]), float(row["mean"]), std
        )
    except ValueError as error:
        raise ValueError(f"{error} ({place})") from None


def measured_section(measurements: Sequence[Measurement]) -> str:
    """Return what a page says about the measurements of its estimator, a row for each epoch."""
    if not measurements:
        return f"{MEASURED}\nNot measured yet.\n"
    by_epoch: dict[int, dict[str, Measurement]] = defaultdict(dict)
    for one in measurements:
        by_epoch[one.epoch][one.metric] = one
    seen = {one.metric for one in measurements}
    metrics = [*(name for name in _METRICS if name in seen), *sorted(seen - set(_METRICS))]
    rows = []
    for epoch, values in sorted(by_epoch.items()):
        counts = sorted({one.n for one in values.values()})
        texts = (values[name].text if name in values else "" for name in metrics)
        rows.append((str(epoch), " or ".join(map(str, counts)), *texts))
    heads = ("epoch", "seeds", *(_METRICS.get(name, name) for name in metrics))
    about = "On an 8x4 model in training, mean ± sample standard deviation over the seeds;"
    where = "[what the columns are](../estimators.md#measured-bias-and-variance)."
    return f"{MEASURED}\n{about}\n{where}\n\n{_table(heads, rows)}"


def page(estimator: Estimator, measured: str) -> str:
    """Return the page of an estimator.

    Args:
        estimator: The registry's entry.
        measured: The page's last section, as `measured_section` returns it.
    """
    doc = read_docstring(estimator.function)
    parts = [
        f"# {estimator.name}\n",
        "<!-- Written by `make docs` from the docstring, the registry and what was measured. -->\n",
        f"{_prose(doc.summary)}\n",
        f"```python\nfrom estimators import {estimator.name}\n\n{_call(estimator)}\n```\n",
        "## Equation\n",
        *_equation(doc.equation),
        "The symbols are those of [the overview](../estimators.md#notation).\n",
        *(["## Properties\n", *(f"{_prose(text)}\n" for text in doc.properties)] if doc.properties else []),
        f"## Cost\n\n{_prose(doc.text('Cost'))}\n",
        "What a training step takes is in [performance](../performance.md#a-training-step).\n",
        f"## When to use it\n\n{_prose(doc.text('Use'))}\n",
        f"## Arguments\n\n{_arguments(estimator, doc)}",
        f"Returns: {_prose(doc.text('Returns'))}\n",
        *(f"Raises `{error}`: {_prose(text)}\n" for error, text in doc.entries("Raises").items()),
        f"## Traits\n\n{_traits(estimator)}",
        f"## Source\n\n{_prose(doc.text('Source'))}\n",
        measured,
    ]
    return "\n".join(parts)


def _call(estimator: Estimator) -> str:
    """Return a call of the function with every argument that has a default at it."""
    result = "estimate" if estimator.needs_objective else "sample"
    arguments = ", ".join(
        name if default is None else f"{name}={default}" for name, default in _defaults(estimator).items()
    )
    return f"{result} = {estimator.name}({arguments})"


def _defaults(estimator: Estimator) -> dict[str, str | None]:
    """Return each argument's default as Python writes it; none where there is none."""
    parameters = inspect.signature(estimator.function).parameters.values()
    return {
        p.name: None if p.default is p.empty else getattr(p.default, "__name__", repr(p.default))
        for p in parameters
    }


def _equation(paragraphs: Iterable[str]) -> list[str]:
    return [
        f"```text\n{inspect.cleandoc(text)}\n```\n" if text.startswith(" ") else f"{_prose(text)}\n"
        for text in paragraphs
    ]


def _arguments(estimator: Estimator, doc: Docstring) -> str:
    rules = {own.name: own.rule for own in estimator.hyperparameters}
    defaults, meanings = _defaults(estimator), doc.entries("Args")
    rows = [
        (f"`{name}`", _code(defaults[name]), _prose(rules.get(name, "")), _prose(meanings[name]))
        for name in defaults
    ]
    return _table(("argument", "default", "must be", "meaning"), rows)


def _code(text: str | None) -> str:
    return "" if text is None else f"`{text}`"


def _traits(estimator: Estimator) -> str:
    """Return the registry's entry as a table, in the words of the class's own docstring."""
    meanings = read_docstring(Estimator).entries("Args")
    shown = [own.name for own in fields(Estimator) if own.name not in ("name", "hyperparameters")]
    words = {True: "yes", False: "no", None: "none"}
    rows = []
    for name in shown:
        value = getattr(estimator, name)
        # Not words.get: 1 is equal to True.
        text = words[value] if value is None or isinstance(value, bool) else f"{value:,}"
        rows.append((f"`{name}`", text, _prose(meanings[name])))
    return _table(("trait", "value", "meaning"), rows)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [heads, *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    head, *body = (f"| {' | '.join(line)} |\n" for line in lines)
    return "".join((head, f"{'|---' * len(heads)}|\n", *body))


def _prose(text: str) -> str:
    """Return text of a docstring such that Markdown takes nothing in it for a tag or for emphasis."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(
        part if part.startswith("`") else re.sub(r"([*]|<(?=[A-Za-z/!])|\b_|_\b)", r"\\\1", part)
        for part in parts
    )


def kept_section(text: str) -> str:
    """Return the last section of a page that was written before."""
    _, heading, section = text.partition(MEASURED)
    return heading + section if heading else measured_section(())


def write_pages(folder: Path, measured: Path | None = None) -> None:
    """Write the page of every estimator, `<id>.md`.

    Args:
        folder: Where the pages are.
        measured: File of measured values; the pages of estimators in it, and no others, get a new section.
    Raises:
        ValueError: If the file is not as `read_measured` wants it.
    """
    measurements = defaultdict(list)
    for one in read_measured(measured) if measured else ():
        measurements[one.estimator].append(one)
    folder.mkdir(parents=True, exist_ok=True)
    for name, estimator in REGISTRY.items():
        path = folder / f"{name}.md"
        section = kept_section(path.read_text() if path.exists() else "")
        if not estimator.is_random:
            section = f"{MEASURED}\nNeither: the others are measured against it.\n"
        elif measurements[name]:
            section = measured_section(measurements[name])
        path.write_text(page(estimator, section))


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the pages as the command line asks."""
    parser = argparse.ArgumentParser(prog="python -m estimators.pages", description="Write the pages.")
    parser.add_argument("folder", type=Path, help="where the pages are")
    parser.add_argument("--measured", type=Path, help=f"CSV file with the columns {', '.join(_COLUMNS)}")
    chosen = parser.parse_args(arguments)
    write_pages(chosen.folder, chosen.measured)


if __name__ == "__main__":
    main()
