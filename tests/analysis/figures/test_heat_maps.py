import pytest

from analysis.figures.caption import caption
from analysis.figures.heat_maps import heat_panels
from analysis.figures.heat_plot import draw_heat_maps
from analysis.figures.part import Part

AXES = ("temperature", "eta")
PAPER = {"optimizer": "adam", "lr": "0.0005", "temperature": "1.0", "eta": "1.5"}


def grid(*values, estimator="reinmax_cv", **params):
    settings = [("1.0", "0.5"), ("1.0", "1.5"), ("1.5", "0.5"), ("1.5", "1.5")]
    return [
        (estimator, "8x4", [value, value], {**PAPER, **params, "temperature": temperature, "eta": eta})
        for value, (temperature, eta) in zip(values, settings, strict=True)
    ]


def fields(panels):
    return [text.get_text() for text in draw_heat_maps(tuple(panels), ()).axes[0].texts]


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("gradient_cosine_batch", ["0.9700", "0.9900", "0.9712", "0.9713"]),
        ("train_neg_elbo", ["0.97", "0.99", "0.97", "0.97"]),
    ],
)
def test_fields_have_the_digits_that_a_table_of_the_metric_has(metric, expected, results_of):
    results = results_of(metric, *grid(0.97, 0.9712, 0.99, 0.9713))
    assert fields(heat_panels(results, AXES, None)) == expected


def test_fields_are_as_wide_as_their_longest_number(results_of):
    def width(value):
        panels = heat_panels(results_of("gradient_std", *grid(value, 1.0, 1.0, 1.0)), AXES, None)
        return draw_heat_maps(tuple(panels) * 2, ()).get_size_inches()[0]

    assert width(1.0) == width(1000.0)  # two columns of the smallest map
    assert width(1e20) > width(1.0)


def test_setting_of_a_printed_number_is_framed_and_the_number_said_with_what_it_is(results_of):
    results = results_of("train_neg_elbo", *grid(125.0, 126.0, 127.0, 128.0), epochs=160)
    (panel,) = heat_panels(results, AXES, "published")
    assert panel.published == (1, 0, "124.94 ± 0.80")  # 0.24 * sqrt(10 / 9) * sqrt(10)
    said = " ".join(caption([Part(results, maps=(panel,))], "published"))
    assert "which the title gives: as printed, after 160 epochs, over 10 seeds" in said
    assert "its ± is the sample standard deviation (ddof=1)" in said


def test_printed_seconds_have_no_error(results_of):
    results = results_of("epoch_seconds", *grid(7.0, 7.0, 7.0, 7.0), epochs=5)
    (panel,) = heat_panels(results, AXES, "published")
    assert panel.published == (1, 0, "7.57")
    said = " ".join(caption([Part(results, maps=(panel,))], "published"))
    assert "gives: as printed, in seconds on the authors' GPU; the paper prints no ±." in said
    assert "10 seeds" not in said


def test_an_axis_of_epochs_frames_the_epochs_of_the_printed_number(results_of):
    cells = [
        ("reinmax_cv", "8x4", [125.0, 126.0], {**PAPER, "lr": lr, "epochs": epochs})
        for lr in ("0.0005", "0.001")
        for epochs in (50, 160)
    ]
    (panel,) = heat_panels(results_of("train_neg_elbo", *cells), ("lr", "epochs"), "published")
    assert panel.published[:2] == (1, 0)


@pytest.mark.parametrize("compare", ["published", "curves"])
def test_map_without_a_published_number_says_so(compare, results_of):
    results = results_of("train_kl", *grid(1.0, 2.0, 3.0, 4.0))
    panels = heat_panels(results, AXES, compare)
    said = " ".join(caption([Part(results, maps=tuple(panels))], compare))
    assert "Nothing published is shown of the train KL term" in said
