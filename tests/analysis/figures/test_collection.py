import math

import numpy as np
import pytest

from analysis.figure_error import FigureError
from analysis.figures import figures
from analysis.figures.bars import bar_panels, point_panels
from analysis.figures.results import Results
from analysis.figures.styles import ESTIMATOR_STYLES
from analysis.runs.frame import load_runs
from analysis.statistics.bootstrap import mean_interval

METRIC = "train_neg_elbo"


def level(base):
    """Seed s is at base + s in every epoch, and 10 / epoch above it."""
    return lambda seed: {step: base + seed + 10 / step for step in range(1, 5)}


def drawn(figure, panel=0):
    """Return the lines of a panel that have a label of ours, by it."""
    lines = figure.axes[panel].get_lines()
    return {line.get_label(): line for line in lines if not line.get_label().startswith("_")}


def band(figure, panel=0):
    """Return the ends of the first band at its last position."""
    (path,) = figure.axes[panel].collections[0].get_paths()
    x = path.vertices[:, 0].max()
    y = path.vertices[path.vertices[:, 0] == x, 1]
    return y.min(), y.max()


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def said(figure):
    (text,) = figure.texts
    return " ".join(text.get_text().split())


@pytest.fixture(scope="module")
def curves(log_members, request_for):
    st, reinmax = request_for("st", seeds=(0, 1, 2)), request_for("reinmax", seeds=(0, 1, 2))

    def seconds(seed):
        return dict.fromkeys(range(1, 5), 2.0 + seed)

    metrics = {METRIC: level(100), "test_neg_elbo": level(103), "epoch_seconds": seconds}
    store = log_members((st, metrics, "FINISHED"), (reinmax, {METRIC: level(90)}, "FINISHED"))
    return store, (st, reinmax)


@pytest.mark.parametrize(
    ("spread", "error"), [("std", 1.0), ("sem", 1 / math.sqrt(3)), ("sem-population", math.sqrt(2) / 3)]
)
def test_a_curve_is_the_mean_over_the_seeds_with_its_band(spread, error, curves):
    store, requests = curves
    figure = figures(store.uri, requests, metrics=[METRIC], spread=spread)[f"{METRIC}-epoch"]
    lines = drawn(figure)
    assert list(lines) == ["ST", "ReinMax"]
    np.testing.assert_allclose(lines["ST"].get_xydata(), [(e, 101 + 10 / e) for e in range(1, 5)])
    np.testing.assert_allclose(lines["ReinMax"].get_ydata()[-1], 93.5)
    np.testing.assert_allclose(band(figure), (103.5 - error, 103.5 + error))
    assert "n = 3 seeds" in said(figure)


def test_a_band_can_be_the_interval_that_a_table_shows(curves):
    store, requests = curves
    figure = figures(store.uri, requests, metrics=[METRIC], spread="ci")[f"{METRIC}-epoch"]
    low, high = mean_interval(np.array([102.5, 103.5, 104.5]))
    assert band(figure) == (pytest.approx(low), pytest.approx(high))
    assert "Bands: 95% bootstrap interval of the mean (BCa, 9,999 resamples" in said(figure)
    with pytest.raises(FigureError, match="an interval takes the single runs, which are not published"):
        figures(store.uri, requests, metrics=[METRIC], spread="ci", compare="published")


def test_final_values_have_intervals_of_two_sides(log_members, request_for):
    grid = [request_for("reinmax_rk2", seeds=range(5), beta=beta) for beta in (0.0, 0.5, 1.0)]
    values = [100.0, 101.0, 101.5, 102.0, 110.0]
    metrics = {METRIC: lambda seed: {4: values[seed]}}
    store = log_members(*((request, metrics, "FINISHED") for request in grid))
    figure = figures(store.uri, grid, spread="ci")[f"{METRIC}-beta"]
    low, high = mean_interval(np.array(values))
    assert high - 102.9 > 1.5 * (102.9 - low)  # the values lean to the high side, and ± could not
    assert band(figure) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize("value", [0.1, 0.7, 0.9601, 0.3333])
def test_equal_seeds_have_an_interval_of_no_width_whatever_rounding_makes_of_their_mean(
    value, log_members, request_for
):
    grid = [request_for("reinmax_rk2", seeds=range(10), beta=beta) for beta in (0.0, 0.5)]
    store = log_members(*((one, {METRIC: lambda _seed: {4: value}}, "FINISHED") for one in grid))
    results = Results.from_runs(load_runs(store.uri, metrics=METRIC), grid, METRIC, "ci")
    assert (results.errors([0, 1]) >= 0).all()
    np.testing.assert_allclose(results.errors([0, 1]), 0, atol=1e-15)
    assert figures(store.uri, grid, spread="ci")


def test_a_single_measured_epoch_has_bars_in_place_of_a_band_without_width(log_members, request_for):
    request = request_for("reinmax", task="gradient_quality", epochs=4)
    metrics = {"gradient_cosine": lambda seed: {4: 0.5 + 0.2 * seed}}
    store = log_members((request, metrics, "FINISHED"))
    figure = figures(store.uri, [request], metrics=["gradient_cosine"])["gradient_cosine-epoch"]
    ((bar,),) = [collection.get_segments() for collection in figure.axes[0].collections]
    std = 0.2 / math.sqrt(2)
    np.testing.assert_allclose(bar, [(4, 0.6 - std), (4, 0.6 + std)])
    assert "Bars: ± sample standard deviation" in said(figure)


def test_curves_have_their_estimators_colour_and_marker(curves):
    store, requests = curves
    lines = drawn(figures(store.uri, requests, metrics=[METRIC])[f"{METRIC}-epoch"])
    for label, estimator in (("ST", "st"), ("ReinMax", "reinmax")):
        style = ESTIMATOR_STYLES[estimator]
        assert (lines[label].get_color().upper(), lines[label].get_marker()) == (style.color, style.marker)


def test_seconds_are_the_mean_of_the_seeds_sums(curves):
    store, (st, _) = curves
    figure = figures(store.uri, [st], metrics=[METRIC], against=["seconds"])[f"{METRIC}-seconds"]
    np.testing.assert_allclose(drawn(figure)["ST"].get_xdata(), [3, 6, 9, 12])
    assert figure.axes[0].get_xlabel() == "seconds of training and testing"
    assert "Seconds of training and testing: their mean over the seeds at the end of each epoch." in said(
        figure
    )


def test_cell_without_a_needed_history_is_named(curves):
    store, requests = curves
    figure = figures(store.uri, requests, metrics=[METRIC], against=["seconds"])[f"{METRIC}-seconds"]
    assert list(drawn(figure)) == ["ST"]
    assert "Not drawn, no epoch has a finite value of every seed: ReinMax 8x4." in said(figure)


def test_a_plain_spec_gives_training_and_test_loss(curves):
    store, (st, _) = curves
    assert list(figures(store.uri, [st])) == [f"{METRIC}-epoch", "test_neg_elbo-epoch"]


def test_nothing_finished_is_one_error(curves, request_for):
    store, _ = curves
    with pytest.raises(FigureError, match=r"none of the 2 members has finished with a .* \(2 missing\)"):
        figures(store.uri, [request_for("gst")], metrics=[METRIC])


def test_missing_and_diverged_seeds_are_in_the_legend_and_left_out_of_the_mean(log_members, request_for):
    st, gst = request_for("st", seeds=(0, 1, 2, 3)), request_for("gst")

    def bad(seed):
        return {1: 1.0, 4: math.nan}

    store = log_members(
        (request_for("st"), {METRIC: level(100)}, "FINISHED"),
        (request_for("st", seeds=(2,)), {METRIC: bad}, "FINISHED"),
        (request_for("st", seeds=(3,)), {METRIC: level(0)}, "RUNNING"),
    )
    figure = figures(store.uri, [st, gst], metrics=[METRIC])[f"{METRIC}-epoch"]
    np.testing.assert_allclose(drawn(figure)["ST"].get_ydata()[-1], 103.0)
    assert legend(figure) == ["ST (n = 2 of 4)"]
    assert "Fewer seeds than asked for: ST 8x4 (2 of 4; 1 running, 1 diverged)." in said(figure)
    assert "Not drawn, no seed has finished: GST-1.0 8x4." in said(figure)


def test_epoch_in_which_a_seed_has_no_finite_value_is_left_out_and_counted(log_members, request_for):
    request = request_for()

    def gap(seed):
        return {1: 5.0, 2: math.nan if seed else 4.0, 3: 3.0, 4: 2.0}

    figure = figures(log_members((request, {METRIC: gap}, "FINISHED")).uri, [request], metrics=[METRIC])[
        f"{METRIC}-epoch"
    ]
    assert list(drawn(figure)["ST"].get_xdata()) == [1, 3, 4]
    assert "1 point is left out, since a seed has no finite value there." in said(figure)


def test_one_seed_has_no_band(log_members, request_for):
    request = request_for(seeds=(0,))
    figure = figures(log_members((request, {METRIC: level(1)}, "FINISHED")).uri, [request], metrics=[METRIC])
    assert not figure[f"{METRIC}-epoch"].axes[0].collections
    assert "n = 1 seed. Bands: ± sample standard deviation (ddof=1); one seed has none." in said(
        figure[f"{METRIC}-epoch"]
    )


def test_beta_is_drawn_against_the_final_loss_with_single_seeds_and_level_lines(log_members, request_for):
    rk2 = [
        request_for("reinmax_rk2", latent, beta=beta)
        for latent in ("8x4", "4x24")
        for beta in (1.2, -0.2, 0.5)
    ]

    def final(beta):
        return lambda seed: {4: 100 + seed + beta}

    cells = [(one, {METRIC: final(float(one.cell.params["beta"]))}, "FINISHED") for one in rk2]
    reinmax = request_for("reinmax")
    store = log_members(*cells, (reinmax, {METRIC: lambda seed: {4: 99.0}}, "FINISHED"))
    ((name, figure),) = figures(store.uri, [*rk2, reinmax]).items()
    assert name == f"{METRIC}-beta"
    assert [axes.get_title() for axes in figure.axes] == ["8x4", "4x24"]
    lines = drawn(figure)
    np.testing.assert_allclose(lines["ReinMax-RK2"].get_xydata(), [(-0.2, 100.3), (0.5, 101.0), (1.2, 101.7)])
    np.testing.assert_allclose(lines["ReinMax"].get_xydata(), [(-0.2, 99.0), (1.2, 99.0)])
    seeds = [line for line in figure.axes[0].get_lines() if line.get_linestyle() == "None"]
    assert {tuple(point) for line in seeds for point in line.get_xydata()} >= {(-0.2, 99.8), (-0.2, 100.8)}
    assert "after 4 epochs" in said(figure)


def test_gradient_quality_is_two_panels_over_sparse_epochs(log_members, request_for):
    request = request_for("reinmax", task="gradient_quality", epochs=10)
    metrics = {
        "gradient_cosine_batch": lambda seed: {1: 0.9, 5: 0.8, 10: 0.7 + 0.02 * seed},
        "gradient_relative_std": lambda seed: {1: 1.0, 5: 10.0, 10: 100.0},
    }
    store = log_members((request, metrics, "FINISHED"))
    ((name, figure),) = figures(store.uri, [request], compare="published").items()
    assert name == "gradient_cosine_batch-gradient_relative_std-epoch"
    assert [axes.get_yscale() for axes in figure.axes] == ["linear", "log"]
    np.testing.assert_allclose(drawn(figure)["ReinMax"].get_xydata(), [(1, 0.9), (5, 0.8), (10, 0.71)])
    np.testing.assert_allclose(drawn(figure, 1)["ReinMax"].get_ydata(), [1, 10, 100])


def test_temperature_and_eta_make_a_heat_map_with_n_where_seeds_are_missing(log_members, request_for):
    grid = [
        request_for("reinmax_cv", seeds=(0, 1), temperature=temperature, eta=eta)
        for temperature in (1.0, 0.5)
        for eta in (0.3, 1.5)
    ]

    def value(one):
        return float(one.cell.params["temperature"]) * 100 + float(one.cell.params["eta"])

    def final(one):
        return {METRIC: lambda seed: {4: value(one) + seed}}

    store = log_members(
        *((one, final(one), "FINISHED") for one in grid[:2]),
        (request_for("reinmax_cv", seeds=(0,), temperature=0.5, eta=0.3), final(grid[2]), "FINISHED"),
    )
    ((name, figure),) = figures(store.uri, grid).items()
    assert name == f"{METRIC}-temperature-eta"
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0.5", "1.0"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["0.3", "1.5"]
    (image,) = axes.get_images()
    np.testing.assert_allclose(image.get_array().filled(np.nan), [[50.3, 100.8], [np.nan, 102.0]])
    assert [text.get_text() for text in axes.texts] == ["50.30\nn=1", "100.80", "n=0", "102.00"]


def test_too_many_lines_of_one_estimator_are_refused_for_curves_and_points_for_final_values(
    log_members, request_for
):
    grid = [
        request_for("reinmax", lr=lr, temperature=temperature, seeds=(0,))
        for lr in (0.1, 0.2, 0.3, 0.4)
        for temperature in (0.5, 1.0, 1.5)
    ]
    store = log_members(*((one, {METRIC: level(5)}, "FINISHED") for one in grid))
    with pytest.raises(FigureError, match=r"at most 20 lines, and 10 of one.*12; .*--against lr.*lr,temp"):
        figures(store.uri, grid, metrics=[METRIC], against=["epoch"])
    lines = drawn(figures(store.uri, grid)[f"{METRIC}-lr"])
    assert len(lines) == 3
    assert len({(line.get_color(), line.get_fillstyle()) for line in lines.values()}) == 3


def test_authors_curves_and_printed_values_stand_beside_ours_where_there_are_any(log_members, request_for):
    wanted = [request_for("st", epochs=160), request_for("exact", epochs=160)]

    def final(seed):
        return {1: 205.0, 160: 136.0 + seed}

    store = log_members(*((one, {METRIC: final}, "FINISHED") for one in wanted))
    curve = figures(store.uri, wanted, metrics=[METRIC], compare="curves")[f"{METRIC}-epoch"]
    theirs = drawn(curve)["hollow: the authors' runs"]
    np.testing.assert_allclose(theirs.get_xydata()[[0, -1]], [(1, 205.140), (160, 136.399)])
    assert theirs.get_markerfacecolor() == "white"
    assert theirs.get_color() == drawn(curve)["ST"].get_color()
    assert legend(curve) == ["ST", "Exact", "hollow: the authors' runs"]
    printed = figures(store.uri, wanted, metrics=[METRIC], compare="published")[f"{METRIC}-epoch"]
    np.testing.assert_allclose(drawn(printed)["hollow: published"].get_xydata(), [(160, 136.40)])
    assert "other hyperparameters than ours of ST" in said(printed)
    other = figures(store.uri, wanted[1:], metrics=[METRIC], compare="curves")[f"{METRIC}-epoch"]
    assert legend(other) == ["Exact"]


def test_an_axis_of_iterations_has_so_many_an_epoch_for_each_cell(log_members, request_for):
    task = {"task": "synthetic_optimisation", "latent": "2x200", "epochs": 3}
    cells = [
        request_for("indecater", num_samples=2, iterations_per_epoch=20, **task),
        request_for("rloo", num_samples=2, iterations_per_epoch=5, **task),
    ]
    metrics = {
        "expected_value": lambda seed: {1: 0.25, 2: 0.2505, 3: 0.251 + 0.0002 * seed},
        "estimate_variance": lambda seed: {1: 1e-3, 2: 1e-6, 3: 0.0},
        "epoch_seconds": lambda seed: {1: 2.0, 2: 2.0, 3: 3.0},
    }
    store = log_members(*((one, metrics, "FINISHED") for one in cells))
    made = figures(store.uri, cells)
    assert list(made) == ["expected_value-iteration", "expected_value-seconds", "estimate_variance-iteration"]
    lines = drawn(made["expected_value-iteration"])
    np.testing.assert_allclose(lines["IndeCateR N 2"].get_xydata(), [(20, 0.25), (40, 0.2505), (60, 0.2511)])
    np.testing.assert_allclose(lines["RLOO N 2"].get_xdata(), [5, 10, 15])
    np.testing.assert_allclose(drawn(made["expected_value-seconds"])["RLOO N 2"].get_xdata(), [2, 4, 7])
    assert made["expected_value-seconds"].axes[0].get_xlabel() == "seconds of training"
    axes = made["estimate_variance-iteration"].axes[0]
    assert (axes.get_xlabel(), axes.get_yscale()) == ("iteration", "log")
    variances = drawn(made["estimate_variance-iteration"])["RLOO N 2"].get_ydata()
    np.testing.assert_allclose(variances, [1e-3, 1e-6, math.nan])
    assert "where the mean is 0: IndeCateR N 2, RLOO N 2." in said(made["estimate_variance-iteration"])
    assert "where the mean is 0" not in said(made["expected_value-iteration"])


@pytest.fixture
def bars(log_members, request_for):
    """A function that draws the figure of three cells of which variances and the least bias are given."""

    def make(*variances, lowest=None):
        task = {"task": "synthetic_gradient", "latent": "3x12", "epochs": 1}
        cells = [request_for(name, num_samples=5, **task) for name in ("indecater", "rloo", "stgs")]
        logged = [
            {
                "gradient_bias": lambda seed, at=at: {1: 0.1 * at + 0.02 * seed},
                "cosine_variance": lambda seed, v=v: {1: v},
            }
            for at, v in enumerate(variances)
        ]
        if lowest is not None:
            logged[0]["gradient_bias"] = lambda seed: {1: lowest}
        store = log_members(*((one, own, "FINISHED") for one, own in zip(cells, logged, strict=True)))
        return figures(store.uri, cells)

    return make


def heights(axes):
    return [bar.get_height() for bar in axes.patches]


def test_known_gradients_are_pairs_of_bars_the_variance_on_a_logarithmic_axis_of_its_own(bars):
    ((name, figure),) = bars(1e-26, 1e-5, 1e-4).items()
    assert name == "gradient_bias-cosine_variance-estimator"
    left, right = figure.axes
    assert left.get_title() == "3x12"
    assert (left.get_yscale(), right.get_yscale()) == ("linear", "log")
    np.testing.assert_allclose(heights(left), [0.01, 0.11, 0.21])
    np.testing.assert_allclose(heights(right), [1e-26, 1e-5, 1e-4])
    assert right.get_ylim()[0] < 1e-26 < 1e-4 < right.get_ylim()[1]
    assert [text.get_text() for text in left.get_xticklabels()] == ["IndeCateR N 5", "RLOO N 5", "Gumbel N 5"]
    places = [bar.get_x() + bar.get_width() / 2 for axes in (left, right) for bar in axes.patches]
    assert sorted(places) == pytest.approx([-0.2, 0.2, 0.8, 1.2, 1.8, 2.2])
    assert left.get_position().bounds == right.get_position().bounds
    assert {bar.get_hatch() for bar in left.patches} == {None}
    assert {bar.get_hatch() for bar in right.patches} == {"////"}
    assert "Bars: mean over n = 2 seeds." in said(figure)
    assert "hatched, right axis: variance of the cosine with the exact gradient." in said(figure)


def test_a_variance_of_zero_has_no_bar_on_a_logarithmic_axis_and_the_caption_says_why(bars):
    (figure,) = bars(0.0, 1e-5, 1e-4).values()
    np.testing.assert_allclose(heights(figure.axes[1]), [1e-5, 1e-4])
    assert "No bar on a logarithmic axis: the mean is 0." in said(figure)
    (other,) = bars(1e-30, 1e-5, 1e-4).values()
    assert "No bar on" not in said(other)


def test_a_bar_too_low_to_be_seen_has_its_value_written_at_its_place(bars):
    (figure,) = bars(1e-26, 1e-5, 1e-4, lowest=1.63e-15).values()
    left, right = figure.axes
    (written,) = left.texts
    assert written.get_text() == "1.6e-15"
    assert written.xy == (pytest.approx(left.patches[0].get_x() + left.patches[0].get_width() / 2), 1.63e-15)
    assert not right.texts
    assert "Numbers: means whose bars are too low to be seen." in said(figure)
    (other,) = bars(1e-26, 1e-5, 1e-4).values()
    assert not other.axes[0].texts
    assert "too low" not in said(other)


def test_the_caption_says_of_which_axis_the_bars_have_an_arbitrary_base(bars, log_members, request_for):
    arbitrary = "axis is logarithmic: where its bars begin, and so their height, is arbitrary."
    (figure,) = bars(1e-26, 1e-5, 1e-4).values()
    assert f"The right {arbitrary}" in said(figure)
    assert f"The left {arbitrary}" not in said(figure)
    cell = request_for()
    store = log_members((cell, {"gradient_std": lambda seed: {4: 1.0 + seed}}, "FINISHED"))
    (alone,) = figures(store.uri, [cell], metrics=["gradient_std"], against=["estimator"]).values()
    assert f"The vertical {arbitrary}" in said(alone)


def test_bars_of_one_metric_are_drawn_of_any_task_but_not_of_too_many_cells(log_members, request_for):
    cells = [request_for(lr=0.1 * (1 + number)) for number in range(13)]
    store = log_members(*((one, {METRIC: lambda seed: {4: 100.0 + seed}}, "FINISHED") for one in cells))
    ((name, figure),) = figures(store.uri, cells[:3], metrics=[METRIC], against=["estimator"]).items()
    assert name == f"{METRIC}-estimator"
    assert heights(figure.axes[0]) == [100.5] * 3
    with pytest.raises(FigureError, match=r"at most 12 bars of a metric; 8x4 has 13"):
        figures(store.uri, cells, metrics=[METRIC], against=["estimator"])


def test_bars_can_be_points_a_panel_for_each_metric_and_a_line_for_each_cell(results_of):
    cells = [("indecater", "3x12", [0.0, 0.0], {}), ("rloo", "3x12", [1e-5, 3e-5], {})]
    results = results_of("cosine_variance", *cells, task="synthetic_gradient")
    (panel,) = point_panels(bar_panels([results])[0])
    assert (panel.title, panel.ticks, panel.has_log_y) == ("3x12", ("IndeCateR", "RLOO"), True)
    assert [(line.label, line.x.tolist(), line.is_joined) for line in panel.lines] == [
        ("IndeCateR", [0.0], False),
        ("RLOO", [1.0], False),
    ]
    np.testing.assert_allclose(panel.lines[1].mean, [2e-5])
    np.testing.assert_allclose(panel.lines[1].error, [[2e-5 / math.sqrt(2)]] * 2)
