"""Docstrings taken apart."""

import pytest

from estimators.docstring import read_docstring


def documented(logits, f):
    """Summary that runs
    over two lines.

    With x the sample:

        grad = x
             + y

    Exact for linear f; biased
    otherwise.

    Args:
        logits: First line,
            second line: with a colon.
        f: The objective.
    Returns:
        A tensor.
    Cost: One evaluation,
        forward only.
    Source: A paper.
    """


def test_parts_are_told_apart():
    doc = read_docstring(documented)
    assert doc.summary == "Summary that runs over two lines."
    assert doc.equation == ("With x the sample:", "    grad = x\n         + y")
    assert doc.properties == ("Exact for linear f; biased otherwise.",)
    assert list(doc.sections) == ["Args", "Returns", "Cost", "Source"]


def test_sections_are_one_line_each_or_an_entry_each():
    doc = read_docstring(documented)
    assert doc.text("Cost") == "One evaluation, forward only."
    assert doc.text("Returns") == "A tensor."
    assert doc.text("Use") == ""
    assert doc.entries("Args") == {
        "logits": "First line, second line: with a colon.",
        "f": "The objective.",
    }


def test_function_without_one_is_refused():
    with pytest.raises(ValueError, match="bare must have a docstring"):
        read_docstring(bare)


def bare():
    pass


def test_summary_alone_has_neither_equation_nor_properties():
    def short():
        """Return nothing."""

    doc = read_docstring(short)
    assert (doc.summary, doc.equation, doc.properties, doc.sections) == ("Return nothing.", (), (), {})
