"""What is said below a figure: what mean and spread are, over how many seeds, and what is missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from analysis.figures.choice import SECONDS_AXES
from analysis.figures.panels import reaches_zero
from analysis.figures.part import Part
from analysis.figures.published_caption import published_sentences
from analysis.statistics.spread import INTERVAL, TABLE_SPREADS

_MOST_NAMED = 8
_UPPER_HALVES = "On the logarithmic axis, only the upper half of a spread whose lower end is 0 or less"


def caption(parts: Sequence[Part], compare: str | None = None) -> tuple[str, ...]:
    """Return the sentences below a figure.

    Args:
        parts: What it shows of each of its metrics.
        compare: What it is compared with.
    """
    return (
        *_meaning(parts),
        *_of_each(parts, _missing),
        *_of_each(parts, _store),
        *_cuts(parts),
        *_of_each(parts, _without_points),
        *published_sentences(parts, compare),
    )


def legend_suffixes(parts: Sequence[Part]) -> dict[str, str]:
    """Return what the legend adds to the label of each line of which seeds are missing: "n = 8 of 10".

    Args:
        parts: What the figure shows of each of its metrics; the suffix names them where they differ.
    """
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for part in parts:
        for label in dict.fromkeys(part.line_of.values()):
            suffix = _suffix(part, label)
            if suffix is not None:
                found[label][part.metric_text] = suffix
    suffixes = {}
    for label, by_metric in found.items():
        if len(set(by_metric.values())) == 1:
            suffixes[label] = next(iter(by_metric.values()))
        else:
            suffixes[label] = "; ".join(
                f"{metric}: {suffix}" for metric, suffix in by_metric.items() if suffix
            )
    return {label: suffix for label, suffix in suffixes.items() if suffix}


def _suffix(part: Part, label: str) -> str | None:
    """Return what one metric adds to a label: nothing where no seed is missing; None if it is not drawn."""
    frame = part.results.frame
    rows = frame.loc[[row for row in frame.index if part.line_of.get(row) == label and frame["n"][row]]]
    if rows.empty:
        return None
    if (rows["n"] == rows["num_requested"]).all() and frame["num_requested"].nunique() <= 1:
        return ""
    counts, asked = sorted(set(rows["n"])), sorted(set(rows["num_requested"]))
    return f"n = {_range(counts)} of {_range(asked)}"


def _range(counts: Sequence[int]) -> str:
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _of_each(parts: Sequence[Part], say: Callable[[Part], Iterator[str]]) -> Iterator[str]:
    """Yield what is said of each metric: once where it is true of all, else after the metric's name."""
    said = [tuple(say(part)) for part in parts]
    of_all = set(said[0]).intersection(*said[1:])
    yield from (sentence for sentence in said[0] if sentence in of_all)
    for part, sentences in zip(parts, said, strict=True):
        name = part.metric_text
        for sentence in sentences:
            if sentence not in of_all:
                yield f"{name[0].upper()}{name[1:]}: {sentence[0].lower()}{sentence[1:]}"


def _counts(part: Part) -> list[int]:
    frame = part.results.frame
    return sorted(set(frame.loc[frame["n"] > 0, "n"]))


def _seeds(parts: Sequence[Part]) -> str:
    """Return over how many seeds a mean is; of each metric where they differ."""
    said = {part.metric_text: _counts(part) for part in parts}
    words = {
        metric: f"n = {_range(counts)} {'seed' if counts[-1] == 1 else 'seeds'}"
        for metric, counts in said.items()
    }
    if len(set(words.values())) == 1:
        return next(iter(words.values()))
    return ", ".join(f"{text} ({metric})" for metric, text in words.items())


def _spread(parts: Sequence[Part]) -> str:
    kind = parts[0].results.spread
    has_single = any(1 in _counts(part) for part in parts)
    sign = "" if kind == INTERVAL else "± "
    return f"{sign}{TABLE_SPREADS[kind]}{'; one seed has none' if has_single else ''}"


def _meaning(parts: Sequence[Part]) -> Iterator[str]:
    if any(part.maps for part in parts):
        yield f"Numbers: mean over {_seeds(parts)}{_after(parts)}."
        return
    if parts[0].bars:
        yield from _meaning_of_bars(parts)
        return
    panels = [panel for part in parts for panel in part.panels]
    lines = [line for panel in panels for line in panel.lines if not line.is_published]
    has_seeds = any(line.seeds is not None for line in lines)
    joined, banded = all(line.is_joined for line in lines), {line.has_band for line in lines}
    spread = "Bands and bars" if len(banded) > 1 else "Bands" if True in banded else "Bars"
    yield (
        f"{'Lines' if joined else 'Points'}: mean over {_seeds(parts)}{_after(parts) if has_seeds else ''}. "
        f"{spread}: {_spread(parts)}."
    )
    for label in dict.fromkeys(panel.x_label for panel in panels if panel.x_label in SECONDS_AXES):
        yield f"{label[0].upper()}{label[1:]}: their mean over the seeds at the end of each epoch."
    if has_seeds:
        yield "Small circles: single seeds."
    if not joined:
        every = "Every point and every level line" if any(line.is_joined for line in lines) else "Every point"
        yield f"{every} is a cell; other hyperparameters differ between them."


def point_caption(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return the sentences below a figure of bars that are drawn as points, a panel for each metric."""
    return (
        f"Points: mean over {_seeds(parts)}. Bars: {_spread(parts)}.",
        *_not_on_log_axis(parts, "point"),
        *_of_each(parts, _missing),
        *_of_each(parts, _store),
    )


def _meaning_of_bars(parts: Sequence[Part]) -> Iterator[str]:
    yield f"Bars: mean over {_seeds(parts)}. Whiskers: {_spread(parts)}."
    if len(parts) > 1:
        yield f"Full bars, left axis: {parts[0].metric_text}; hatched, right axis: {parts[1].metric_text}."
    names = ("left", "right") if len(parts) > 1 else ("vertical",)
    for name, axis in zip(names, parts[0].bars[0].axes, strict=True):
        if axis.has_log_y:
            yield f"The {name} axis is logarithmic: where its bars begin, and so their height, is arbitrary."
    if any(axis.is_too_low.any() for panel in parts[0].bars for axis in panel.axes):
        yield "Numbers: means whose bars are too low to be seen."
    yield from _not_on_log_axis(parts, "bar")


def _not_on_log_axis(parts: Sequence[Part], what: str) -> Iterator[str]:
    """Yield what a logarithmic axis cannot show of bars, which are drawn as such or as points."""
    logarithmic = [(panel, axis) for panel in parts[0].bars for axis in panel.axes if axis.has_log_y]
    if any((axis.mean <= 0).any() for _, axis in logarithmic):
        yield f"No {what} on a logarithmic axis: the mean is 0."
    cut = [
        f"{label} {panel.title}"
        for panel, axis in logarithmic
        for label, is_cut in zip(panel.labels, reaches_zero(axis.mean, axis.error), strict=True)
        if is_cut
    ]
    if cut:
        yield f"{_UPPER_HALVES}: {', '.join(cut)}."


def _after(parts: Sequence[Part]) -> str:
    frames = [part.results.frame for part in parts]
    epochs = sorted({count for frame in frames for count in frame.loc[frame["n"] > 0, "epochs"].dropna()})
    if not epochs:
        return ""
    return f", after {_range(epochs)} {'epoch' if epochs[-1] == 1 else 'epochs'}"


def _missing(part: Part) -> Iterator[str]:
    frame = part.results.frame
    partial = frame[(frame["n"] > 0) & (frame["n"] < frame["num_requested"])]
    if len(partial):
        if len(partial) <= _MOST_NAMED:
            yield f"Fewer seeds than asked for: {_named(partial, with_status=True)}."
        else:
            yield f"{len(partial)} of {len(frame)} cells have fewer seeds than asked for."
    absent = frame[frame["n"] == 0]
    if len(absent):
        if len(absent) <= _MOST_NAMED:
            yield f"Not drawn, no seed has finished: {_named(absent, with_status=False)}."
        else:
            yield f"{len(absent)} of {len(frame)} cells are not drawn: no seed has finished."


def _named(frame: pd.DataFrame, *, with_status: bool) -> str:
    places: dict[str, list[str]] = defaultdict(list)
    for label, latent, status in frame[["label", "latent", "status"]].itertuples(index=False):
        places[label].append(f"{latent} ({status})" if with_status else latent)
    return "; ".join(f"{label} {', '.join(where)}" for label, where in places.items())


def _store(part: Part) -> Iterator[str]:
    if duplicated := part.results.table.facts.num_duplicated:
        members = "1 member has" if duplicated == 1 else f"{duplicated} members have"
        yield f"{members} several finished runs; the latest counts."


def _cuts(parts: Sequence[Part]) -> Iterator[str]:
    if any(panel.top is not None for part in parts for panel in part.panels):
        yield "The first, steep part of the training lies above the axis."
    zeros = [
        line.label for part in parts for panel in part.panels if panel.has_log_y for line in panel.lines
        if line.has_zeros
    ]  # fmt: skip
    if zeros:
        labels = ", ".join(dict.fromkeys(zeros))
        yield f"No place on the logarithmic axis, and no line, where the mean is 0: {labels}."
    cut = [
        line.label for part in parts for panel in part.panels if panel.has_log_y for line in panel.lines
        if line.has_cut_spread
    ]  # fmt: skip
    if cut:
        yield f"{_UPPER_HALVES}: {', '.join(dict.fromkeys(cut))}."
    if num_dropped := sum(part.num_dropped for part in parts):
        points = "1 point is" if num_dropped == 1 else f"{num_dropped} points are"
        yield f"{points} left out, since a seed has no finite value there."


def _without_points(part: Part) -> Iterator[str]:
    if part.without_points:
        yield f"Not drawn, no epoch has a finite value of every seed: {', '.join(part.without_points)}."
