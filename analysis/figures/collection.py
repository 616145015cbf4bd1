"""From a store to the figures of a spec."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from analysis.choices import check_choice
from analysis.comparison import COMPARISONS
from analysis.figure_error import FigureError
from analysis.figures.caption import caption, legend_suffixes
from analysis.figures.choice import EPOCH, Choice, choose
from analysis.figures.curves import curve_panels, mean_curves
from analysis.figures.drawing import Panel
from analysis.figures.heat_maps import heat_panels
from analysis.figures.heat_plot import draw_heat_maps
from analysis.figures.limits import check_number_of_panels
from analysis.figures.line_plot import draw_lines
from analysis.figures.look import own_look
from analysis.figures.published_lines import with_published
from analysis.figures.results import Results
from analysis.figures.settings import lines_by_row, setting_panels
from analysis.history import load_history
from analysis.statistics import SPREADS
from analysis.store import load_runs
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
        against: "epoch", "seconds" or a hyperparameter; two hyperparameters for a heat map. By default what
            the spec varies suggests (`analysis.figures.choice.choose`).
        spread: What bands and bars are: "std", "sem" or "sem-population".
        compare: "published" adds the printed values, "curves" the authors' training curves at 8x4, where
            there are any.
        is_search: Whether cells that have no run are left out, since nobody asked for all.
    Raises:
        UnknownNameError: If the axis, the spread or the comparison is unknown.
        FigureError: If nothing has finished, or the figure could not be read.
    """
    check_choice("spread", spread, SPREADS)
    if compare is not None:
        check_choice("comparison", compare, COMPARISONS)
    choices = choose([request.cell for request in requests], metrics, against)
    names = dict.fromkeys(metric for choice in choices for metric in choice.metrics)
    runs = load_runs(tracking_uri, metrics=tuple(names))
    if is_search:
        begun = set(runs["cell"])
        requests = [request for request in requests if request.cell.hash in begun]
    wanted = {member.hash for request in requests for member in request.members}
    runs = runs[runs["member"].isin(wanted)]
    found = {name: Results.from_runs(runs, requests, name, spread) for name in names}
    with own_look():
        return {
            choice.name: _figure(choice, [found[name] for name in choice.metrics], tracking_uri, compare)
            for choice in choices
        }


def _figure(choice: Choice, results: Sequence[Results], tracking_uri: str, compare: str | None) -> Figure:
    if choice.is_heat_map:
        return _heat_maps(choice, results[0], compare)
    panels: list[Panel] = []
    num_dropped, without_points = 0, dict[str, None]()
    for one in results:
        if choice.is_curves:
            curves = _curves(one, choice.against[0], tracking_uri)
            own = curve_panels(one, curves, choice.against[0])
            num_dropped += curves.attrs["num_dropped"]
            without_points |= dict.fromkeys(curves.attrs["without_points"])
        else:
            own = setting_panels(one, choice.against[0])
        panels += own if compare is None else with_published(own, one, choice.against[0], compare)
    check_number_of_panels(len(panels))
    first = results[0]
    line_of = dict(enumerate(first.labels)) if choice.is_curves else lines_by_row(first, choice.against[0])
    said = caption(
        panels, first, num_dropped=num_dropped, without_points=list(without_points), compare=compare
    )
    return draw_lines(tuple(panels), legend_suffixes(line_of, first.frame), said)


def _curves(results: Results, against: str, tracking_uri: str) -> pd.DataFrame:
    needed = [results.metric] if against == EPOCH else [results.metric, EPOCH_SECONDS]
    history = load_history(tracking_uri, list(dict.fromkeys(needed)), list(results.counted["run_id"]))
    return mean_curves(history, results, against)


def _heat_maps(choice: Choice, results: Results, compare: str | None) -> Figure:
    panels = heat_panels(results, choice.against, compare)
    if not panels:
        raise FigureError(f"nothing to draw: no estimator with a mean has both of {','.join(choice.against)}")
    check_number_of_panels(len(panels))
    return draw_heat_maps(tuple(panels), caption(panels, results, compare=compare))
