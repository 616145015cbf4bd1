"""How mkdocstrings is to read docstrings whose sections follow each other without empty lines."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_SECTION = re.compile(r"^(Args|Returns|Raises|Attributes|Cost|Use|Source):", re.MULTILINE)
_SENTENCE = re.compile(r"^(Cost|Use|Source):", re.MULTILINE)


class Sections(Extension):
    """Sets sections apart, and those that are prose in paragraphs of their own."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:  # noqa: ARG002
        """Change the docstring of an object that was loaded."""
        if obj.docstring is not None:
            apart = _SECTION.sub(r"\n\g<0>", obj.docstring.value)
            obj.docstring.value = _SENTENCE.sub(r"**\1.**", apart)
