"""What is said below a figure: what mean and spread are, over how many seeds, and what is missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from analysis import published
from analysis.comparison import CURVES, PUBLISHED, has_other_settings
from analysis.figures.choice import CURVE_AXES, SECONDS
from analysis.figures.drawing import HeatPanel, Panel
from analysis.figures.results import Results
from analysis.statistics import SPREADS

_MOST_NAMED = 8


def caption(
    panels: Sequence[Panel] | Sequence[HeatPanel],
    results: Results,
    *,
    num_dropped: int = 0,
    without_points: Sequence[str] = (),
    compare: str | None = None,
) -> tuple[str, ...]:
    """Return the sentences below a figure.

    Args:
        panels: Its panels.
        results: What they were made from.
        num_dropped: Points that are left out since some seed has no finite value there.
        without_points: Cells of which no point is left.
        compare: What it is compared with.
    """
    return (
        *_meaning(panels, results),
        *_missing(results.frame),
        *_store(results.frame),
        *_cuts(panels, num_dropped, without_points),
        *_published(panels, results, compare),
    )


def legend_suffixes(line_of: Mapping[int, str], frame: pd.DataFrame) -> dict[str, str]:
    """Return what the legend adds to the label of each line of which seeds are missing: "n = 8 of 10".

    Args:
        line_of: The label of the line that each row of the table belongs to.
        frame: The table.
    """
    drawn = frame[frame["n"] > 0]
    suffixes = {}
    for label in dict.fromkeys(line_of.values()):
        rows = drawn.loc[[row for row in drawn.index if line_of.get(row) == label]]
        is_complete = (rows["n"] == rows["num_requested"]).all()
        if rows.empty or (is_complete and frame["num_requested"].nunique() <= 1):
            continue
        counts, asked = sorted(set(rows["n"])), sorted(set(rows["num_requested"]))
        suffixes[label] = f"n = {_range(counts)} of {_range(asked)}"
    return suffixes


def _range(counts: Sequence[int]) -> str:
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _meaning(panels: Sequence[Panel] | Sequence[HeatPanel], results: Results) -> Iterator[str]:
    counts = sorted(set(results.frame.loc[results.frame["n"] > 0, "n"]))
    n = f"n = {_range(counts)} {'seed' if counts[-1] == 1 else 'seeds'}"
    if any(isinstance(panel, HeatPanel) for panel in panels):
        yield f"Numbers: mean over {n}{_after(results.frame)}."
        return
    lines = [line for panel in panels if isinstance(panel, Panel) for line in panel.lines]
    has_seeds = any(line.seeds is not None for line in lines)
    joined = all(line.is_joined for line in lines)
    yield (
        f"{'Lines' if joined else 'Points'}: mean over {n}{_after(results.frame) if has_seeds else ''}. "
        f"{'Bands' if joined else 'Bars'}: ± {SPREADS[results.spread]}"
        f"{'; one seed has none' if counts[0] == 1 else ''}."
    )
    if any(isinstance(panel, Panel) and panel.x_label == CURVE_AXES[SECONDS] for panel in panels):
        yield "Seconds: their mean over the seeds at the end of each epoch."
    if has_seeds:
        yield "Small circles: single seeds."
    if not joined:
        yield "Every point is a cell; other hyperparameters differ between them."


def _after(frame: pd.DataFrame) -> str:
    epochs = sorted(set(frame.loc[frame["n"] > 0, "epochs"].dropna()))
    if not epochs:
        return ""
    return f", after {_range(epochs)} {'epoch' if epochs[-1] == 1 else 'epochs'}"


def _missing(frame: pd.DataFrame) -> Iterator[str]:
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


def _store(frame: pd.DataFrame) -> Iterator[str]:
    if duplicated := frame.attrs.get("num_duplicated", 0):
        members = "1 member has" if duplicated == 1 else f"{duplicated} members have"
        yield f"{members} several finished runs; the latest counts."


def _cuts(
    panels: Sequence[Panel] | Sequence[HeatPanel], num_dropped: int, without_points: Sequence[str]
) -> Iterator[str]:
    if any(isinstance(panel, Panel) and panel.top is not None for panel in panels):
        yield "The first, steep part of the training lies above the axis."
    if num_dropped:
        points = "1 point is" if num_dropped == 1 else f"{num_dropped} points are"
        yield f"{points} left out, since a seed has no finite value there."
    if without_points:
        yield f"Not drawn, no epoch has a finite value of every seed: {', '.join(without_points)}."


def _published(
    panels: Sequence[Panel] | Sequence[HeatPanel], results: Results, compare: str | None
) -> Iterator[str]:
    if any(isinstance(panel, HeatPanel) and panel.published for panel in panels):
        yield (
            f"Framed: the setting of the published value after {published.EPOCHS} epochs, which the title "
            f"gives ± {SPREADS[results.spread]}."
        )
    lines = [line for panel in panels if isinstance(panel, Panel) for line in panel.lines]
    theirs = {line.estimator for line in lines if line.is_published}
    if not theirs:
        return
    if compare == CURVES:
        yield "Hollow, dashed: the authors' own runs at 8x4, 10 seeds, with bars of the same kind."
    elif compare == PUBLISHED:
        yield (
            f"Hollow: Beyond ReinMax as printed, after {published.EPOCHS} epochs, with bars of the same "
            "kind, over 10 seeds, 5 for Gumbel-Rao at 8x16 and 16x12."
        )
    other = [
        row
        for row, cell in enumerate(results.cells)
        if cell.estimator in theirs and not cell.note and has_other_settings(cell)
    ]
    if other and not any(line.seeds is not None for line in lines):
        names = dict.fromkeys(results.labels[row] for row in other)
        yield f"The published values were made with other hyperparameters than ours of {', '.join(names)}."
