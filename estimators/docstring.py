"""The parts of a docstring in the form that public functions here have: summary, equation, sections."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SECTIONS = ("Args", "Returns", "Raises", "Cost", "Use", "Source")
"""The sections of a public function, in their order."""

_HEADER = re.compile(rf"({'|'.join(SECTIONS)}):(?: (.*))?")
_ENTRY = re.compile(r"(\w+): (.*)")
_INDENT = "    "


@dataclass(frozen=True)
class Docstring:
    """A docstring, taken apart.

    Args:
        summary: Its first paragraph, on one line.
        paragraphs: The others before the first section; an equation keeps its indentation.
        sections: The text of each section, dedented.
    """

    summary: str
    paragraphs: tuple[str, ...]
    sections: Mapping[str, str]

    @property
    def equation(self) -> tuple[str, ...]:
        """The paragraphs up to the last equation, with what they say about it."""
        return self.paragraphs[: self._num_until_last_equation]

    @property
    def properties(self) -> tuple[str, ...]:
        """The paragraphs after the last equation."""
        return self.paragraphs[self._num_until_last_equation :]

    @property
    def _num_until_last_equation(self) -> int:
        equations = [index for index, text in enumerate(self.paragraphs) if text.startswith(_INDENT)]
        return equations[-1] + 1 if equations else 0

    def text(self, section: str) -> str:
        """Return a section on one line, empty if there is none."""
        return _on_one_line(self.sections.get(section, "").splitlines())

    def entries(self, section: str) -> dict[str, str]:
        """Return a section of the form `name: text` by name, each text on one line."""
        found: dict[str, list[str]] = {}
        for line in self.sections.get(section, "").splitlines():
            entry = _ENTRY.fullmatch(line)
            if entry:
                found[entry[1]] = [entry[2]]
            else:
                found[next(reversed(found))].append(line)
        return {name: _on_one_line(lines) for name, lines in found.items()}


def read_docstring(documented: Callable[..., Any]) -> Docstring:
    """Take the docstring of a function or a class apart.

    Raises:
        ValueError: If it has none.
    """
    text = inspect.getdoc(documented)
    if not text:
        raise ValueError(f"{documented.__name__} must have a docstring")
    before: list[str] = []
    sections: dict[str, list[str]] = {}
    current = before
    for line in text.splitlines():
        header = _HEADER.fullmatch(line)
        if header:
            current = sections.setdefault(header[1], [header[2]] if header[2] else [])
        else:
            current.append(line if current is before else line.removeprefix(_INDENT))
    summary, *paragraphs = "\n".join(before).strip("\n").split("\n\n")
    return Docstring(
        _on_one_line(summary.splitlines()),
        tuple(
            text if text.startswith(_INDENT) else _on_one_line(text.splitlines())
            for text in (paragraph.strip("\n") for paragraph in paragraphs)
        ),
        {name: "\n".join(lines).strip("\n") for name, lines in sections.items()},
    )


def _on_one_line(lines: Iterable[str]) -> str:
    return " ".join(line.strip() for line in lines if line.strip())
