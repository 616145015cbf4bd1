"""From a store to the figures of a spec."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from analysis.choices import check_choice
from analysis.figure_error import FigureError
from analysis.figures.bar_plot import draw_bars
from analysis.figures.bars import bar_panels
from analysis.figures.caption import caption, legend_suffixes
from analysis.figures.choice import SECONDS, Choice, choose
from analysis.figures.curves import curve_panels, mean_curves
from analysis.figures.final_values import lines_by_row, setting_panels
from analysis.figures.heat_maps import heat_panels
from analysis.figures.heat_plot import draw_heat_maps
from analysis.figures.limits import check_number_of_panels
from analysis.figures.line_plot import draw_lines
from analysis.figures.look import own_look
from analysis.figures.part import Part
from analysis.figures.published_lines import with_published
from analysis.figures.results import Results
from analysis.published.comparison import COMPARISONS
from analysis.runs.frame import load_runs
from analysis.runs.history import load_history
from analysis.statistics.spread import INTERVAL, SPREADS, TABLE_SPREADS
from trainables.schema import EPOCH_SECONDS, CellRequest


def figures(
    tracking_uri: str,
    requests: Sequence[CellRequest],
    *,
    metrics: Sequence[str] | None = None,
    against: Sequence[str] | None = None,
    spread: str = "std",
    compare: str | None = None,
    is_search: bool = False,
) -> dict[str, Figure]:
    """Return figures of a spec's cells by their names, such as "test_neg_elbo-epoch".

    A mean is over the members that count in a table: finished, not diverged. What is not said of a figure's
    making stands below it.

    Args:
        tracking_uri: The store.
        requests: The cells and seeds of the spec.
        metrics: A figure for each; by default what the task and the axis suggest.
        against: "epoch", "seconds", "iteration", "estimator" or a hyperparameter; two hyperparameters for a
            heat map. By default what the task and the spec suggest (`analysis.figures.choice.choose`).
        spread: What bands and bars are: "std", "sem" or "sem-population", or "ci", an interval.
        compare: "published" adds the printed values, "curves" the authors' training curves at 8x4, where
            there are any.
        is_search: Whether cells that have no run are left out, since nobody asked for all.
    Raises:
        UnknownNameError: If the axis, the spread or the comparison is unknown.
        FigureError: If nothing has finished, the figure could not be read, or an interval is to be compared.
    """
    check_choice("spread", spread, TABLE_SPREADS)
    if compare is not None:
        check_choice("comparison", compare, COMPARISONS)
        if spread == INTERVAL:
            raise FigureError(
                f"spread must be {', '.join(SPREADS)} beside published numbers, got {spread!r}: "
                "an interval takes the single runs, which are not published"
            )
    choices = choose([request.cell for request in requests], metrics, against)
    names = tuple(dict.fromkeys(metric for choice in choices for metric in choice.metrics))
    found = _results(tracking_uri, requests, names, spread, is_search=is_search)
    with own_look():
        return {
            choice.name: _figure(choice, [found[name] for name in choice.metrics], tracking_uri, compare)
            for choice in choices
        }


def _results(
    tracking_uri: str,
    requests: Sequence[CellRequest],
    names: tuple[str, ...],
    spread: str,
    *,
    is_search: bool,
) -> dict[str, Results]:
    """Return what the store has of each metric."""
    runs = load_runs(tracking_uri, metrics=names)
    if is_search:
        begun = set(runs["cell"])
        requests = [request for request in requests if request.cell.hash in begun]
    wanted = {member.hash for request in requests for member in request.members}
    runs = runs[runs["member"].isin(wanted)]
    return {name: Results.from_runs(runs, requests, name, spread) for name in names}


def parts_of(
    choice: Choice, results: Sequence[Results], tracking_uri: str, compare: str | None = None
) -> list[Part]:
    """Return what a figure shows of each of its metrics, whoever draws it.

    Args:
        choice: The figure.
        results: The members that count, of each of its metrics.
        tracking_uri: The store, for the histories.
        compare: As for `figures`.
    Raises:
        FigureError: If there is nothing to draw, or the figure could not be read.
    """
    if choice.is_bars:
        bars = tuple(bar_panels(results))
        check_number_of_panels(len(bars))
        return [Part(one, bars=bars) for one in results]
    if choice.is_heat_map:
        parts = [Part(one, maps=tuple(heat_panels(one, choice.against, compare))) for one in results]
    else:
        parts = [_lines(one, choice, tracking_uri, compare) for one in results]
    check_number_of_panels(sum(len(part.maps) + len(part.panels) for part in parts))
    if choice.is_heat_map and not any(part.maps for part in parts):
        raise FigureError(f"nothing to show: no estimator with a mean has both of {','.join(choice.against)}")
    return parts


def _figure(choice: Choice, results: Sequence[Results], tracking_uri: str, compare: str | None) -> Figure:
    parts = parts_of(choice, results, tracking_uri, compare)
    if choice.is_bars:
        return draw_bars(parts[0].bars, caption(parts, compare))
    if choice.is_heat_map:
        maps = tuple(panel for part in parts for panel in part.maps)
        return draw_heat_maps(maps, caption(parts, compare))
    panels = tuple(panel for part in parts for panel in part.panels)
    return draw_lines(panels, legend_suffixes(parts), caption(parts, compare))


def _lines(results: Results, choice: Choice, tracking_uri: str, compare: str | None) -> Part:
    axis = choice.against[0]
    if choice.is_curves:
        curves = _curves(results, axis, tracking_uri)
        own = curve_panels(results, curves, axis)
        dropped, without_points = curves.attrs["num_dropped"], tuple(curves.attrs["without_points"])
        line_of = dict(enumerate(results.labels))
    else:
        own = setting_panels(results, axis)
        dropped, without_points = 0, ()
        line_of = lines_by_row(results, axis)
    panels = own if compare is None else with_published(own, results, axis, compare)
    return Part(results, tuple(panels), line_of=line_of, num_dropped=dropped, without_points=without_points)


def _curves(results: Results, against: str, tracking_uri: str) -> pd.DataFrame:
    needed = [results.metric, EPOCH_SECONDS] if against == SECONDS else [results.metric]
    history = load_history(tracking_uri, list(dict.fromkeys(needed)), list(results.counted["run_id"]))
    return mean_curves(history, results, against)
