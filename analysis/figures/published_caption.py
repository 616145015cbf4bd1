"""What is said below a figure of the published numbers that it shows, or that there are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.figures.part import Part
from analysis.published import printed as published
from analysis.published.comparison import COMPARISONS, CURVES, has_other_settings, has_published
from analysis.statistics.spread import SPREADS


def published_sentences(parts: Sequence[Part], compare: str | None) -> tuple[str, ...]:
    """Return the sentences on the published numbers.

    Args:
        parts: What the figure shows of each of its metrics.
        compare: What it is compared with; None for nothing.
    """
    if compare is None:
        return ()
    return tuple(dict.fromkeys(sentence for part in parts for sentence in _sentences(part, compare)))


def _sentences(part: Part, compare: str) -> Iterator[str]:
    if any(panel.published for panel in part.maps):
        yield _framed(part)
    elif estimators := {line.estimator for panel in part.panels for line in panel.lines if line.is_published}:
        yield _hollow(part, compare)
        yield from _other_settings(part, estimators, compare)
    else:
        yield (
            f"Nothing published is shown of the {part.metric_text}: {COMPARISONS[compare]} have no number "
            "that fits these cells and axes."
        )


def _framed(part: Part) -> str:
    result = published.results_of(part.results.metric)[0]
    error = f"; its ± is the {SPREADS[part.results.spread]}" if result.has_error else ""
    return (
        f"Framed: the setting of the published value, which the title gives: as printed{_after(result)}, "
        f"{result.basis}{error}."
    )


def _hollow(part: Part, compare: str) -> str:
    if compare == CURVES:
        return "Hollow, dashed: the authors' own runs at 8x4, 10 seeds, with bars of the same kind."
    result = published.results_of(part.results.metric)[0]
    error = ", with bars of the same kind" if result.has_error else ""
    return f"Hollow: Beyond ReinMax as printed{_after(result)}{error}, {result.basis}."


def _after(result: published.PublishedResult) -> str:
    return "" if result.epochs is None else f", after {result.epochs} epochs"


def _other_settings(part: Part, estimators: set[str], compare: str) -> Iterator[str]:
    """Yield which of the cells beside published numbers have other hyperparameters, where cells are lines."""
    results = part.results
    if any(line.seeds is not None for panel in part.panels for line in panel.lines):
        return
    other = [
        label
        for cell, label in zip(results.cells, results.labels, strict=True)
        if cell.estimator in estimators and not cell.note and has_other_settings(cell)
        if has_published(cell, results.metric, compare)
    ]
    if other:
        names = ", ".join(dict.fromkeys(other))
        yield f"The published values were made with other hyperparameters than ours of {names}."
