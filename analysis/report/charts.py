"""The figures of a report: those that `catsweep figures` draws, and the curves of a grid's best cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.figure_error import FigureError
from analysis.figures.bars import point_panels
from analysis.figures.caption import caption, legend_suffixes, point_caption
from analysis.figures.choice import CURVE_AXES, EPOCH, ESTIMATOR, Choice, choose, curve_axis
from analysis.figures.collection import parts_of
from analysis.figures.results import Results
from analysis.names import form_of, metric_name
from analysis.published.comparison import CURVES, has_published
from analysis.report.heat_view import heat_view
from analysis.report.line_view import Series, line_views
from analysis.report.palette import Palette
from analysis.report.view import View
from trainables.schema import EPOCH_SECONDS, CellRequest, param_of

_SPREAD = "std"


@dataclass(frozen=True)
class Chart:
    """One figure.

    Args:
        title: What it shows.
        views: Its panels.
        is_map: Whether they are heat maps.
        legend: What each line is called, with what is to be said of its seeds, and how it is drawn.
        levels: What lines across the panels stand for, each once.
        caption: The sentences below.
        problem: Why it could not be drawn; empty where it was.
    """

    title: str
    views: tuple[View, ...] = ()
    is_map: bool = False
    legend: tuple[tuple[str, Series], ...] = ()
    levels: tuple[str, ...] = ()
    caption: tuple[str, ...] = ()
    problem: str = ""


def charts(
    runs: pd.DataFrame,
    requests: Sequence[CellRequest],
    best: Sequence[CellRequest],
    metrics: Sequence[str],
    tracking_uri: str,
    palette: Palette,
) -> list[Chart]:
    """Return the figures that a spec suggests; for a grid, the curves of its best cells too.

    Args:
        runs: A frame of `load_runs` with the metrics of `charted_metrics`.
        requests: The cells and seeds wanted, of one task.
        best: The best cell of each estimator and latent; empty where there was nothing to choose from.
        metrics: What the curves of the best cells are of.
        tracking_uri: The store, for the histories.
        palette: Collects the colours.
    """
    found = []
    has_curves = False
    for choice in choose([request.cell for request in requests]):
        chart = _chart(choice, runs, requests, tracking_uri, palette)
        if choice.is_curves and chart.problem and best:
            continue
        has_curves |= choice.is_curves
        found.append(chart)
    if best and not has_curves:
        found += [
            _chart(Choice((metric,), (EPOCH,)), runs, best, tracking_uri, palette, "the best cells")
            for metric in metrics
        ]
    return found


def charted_metrics(requests: Sequence[CellRequest]) -> tuple[str, ...]:
    """Return the metrics that the figures of a spec need."""
    chosen = choose([request.cell for request in requests])
    return (*(metric for choice in chosen for metric in choice.metrics), EPOCH_SECONDS)


def _chart(
    choice: Choice,
    runs: pd.DataFrame,
    requests: Sequence[CellRequest],
    tracking_uri: str,
    palette: Palette,
    of_what: str = "",
) -> Chart:
    title = _title(choice, requests) + (f", {of_what}" if of_what else "")
    wanted = {member.hash for request in requests for member in request.members}
    asked = runs[runs["member"].isin(wanted)]
    compare = CURVES if choice.against == (EPOCH,) and _has_authors_curves(choice, requests) else None
    try:
        results = [Results.from_runs(asked, requests, metric, _SPREAD) for metric in choice.metrics]
        parts = parts_of(choice, results, tracking_uri, compare)
    except FigureError as error:
        return Chart(title, problem=str(error))
    panels = [(panel, form_of(part.results.metric)) for part in parts for panel in part.panels]
    if choice.is_bars:
        forms = [form_of(metric) for metric in choice.metrics]
        panels = [one for bars in parts[0].bars for one in zip(point_panels(bars), forms, strict=True)]
    views, series = line_views(panels, palette)
    maps = [heat_view(panel) for part in parts for panel in part.maps]
    suffixes = legend_suffixes(parts)
    said = point_caption(parts) if choice.is_bars else caption(parts, compare)
    return Chart(
        title,
        views=(*views, *maps),
        is_map=bool(maps),
        legend=tuple((_with_suffix(one.label, suffixes), one) for one in series),
        levels=tuple(dict.fromkeys(panel.level.label for panel, _ in panels if panel.level is not None)),
        caption=said,
    )


def _with_suffix(label: str, suffixes: Mapping[str, str]) -> str:
    return f"{label} ({suffixes[label]})" if label in suffixes else label


def _title(choice: Choice, requests: Sequence[CellRequest]) -> str:
    cells = [request.cell for request in requests]
    of_curves = {axis: curve_axis(axis, cells) for axis in CURVE_AXES}
    axes = {**{name: param_of(name).axis for name in choice.against}, **of_curves, ESTIMATOR: ESTIMATOR}
    names = " and ".join(metric_name(metric).text for metric in choice.metrics)
    return f"{names[0].upper()}{names[1:]} against {' and '.join(axes[name] for name in choice.against)}"


def _has_authors_curves(choice: Choice, requests: Sequence[CellRequest]) -> bool:
    return any(has_published(one.cell, metric, CURVES) for one in requests for metric in choice.metrics)
