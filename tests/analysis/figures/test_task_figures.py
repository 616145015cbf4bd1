"""Figures that tasks have of their own: against the logarithm of epochs, beside a level to compare with."""

import numpy as np
import pytest

from analysis.figures import figures
from tests.analysis.figures.test_collection import drawn, legend

LABEL = "0.99^D: each digit right 99 % of the time"


@pytest.fixture(scope="module")
def addition(log_members, request_for):
    shape = {"task": "mnist_addition", "num_samples": 10, "epochs": 100}
    requests = [request_for("indecater", latent, (0, 1), **shape) for latent in ("10x4", "10x8")]
    accuracy = {1: 0.1, 10: 0.5, 100: 0.9}
    metrics = {
        "test_sum_accuracy": lambda seed: {step: value + seed / 50 for step, value in accuracy.items()}
    }
    store = log_members(*((request, metrics, "FINISHED") for request in requests))
    ((name, figure),) = figures(store.uri, requests).items()
    assert name == "test_sum_accuracy-epoch"
    return figure


def test_accuracy_of_sums_is_drawn_against_the_logarithm_of_epochs(addition):
    assert [axes.get_xscale() for axes in addition.axes] == ["log", "log"]
    (line,) = (line for label, line in drawn(addition).items() if label.startswith("IndeCateR"))
    np.testing.assert_allclose(line.get_xydata(), [(1, 0.11), (10, 0.51), (100, 0.91)])
    ticks = [label.get_text() for label in addition.axes[0].get_xticklabels()]
    assert ticks == ["1", "10", "100"]


def test_each_panel_has_the_level_of_its_number_of_digits(addition):
    for panel, num_digits in enumerate((4, 8)):
        (level,) = (
            line
            for line in addition.axes[panel].get_lines()
            if line.get_linestyle() == "--" and len(line.get_ydata()) == 2
        )
        np.testing.assert_allclose(level.get_ydata(), 0.99**num_digits)
    assert legend(addition).count(LABEL) == 1


def test_other_metrics_have_neither(log_members, request_for):
    request = request_for("st", epochs=10)
    metrics = {"train_neg_elbo": lambda seed: {step: 100 / step + seed for step in range(1, 11)}}
    store = log_members((request, metrics, "FINISHED"))
    figure = figures(store.uri, [request], metrics=["train_neg_elbo"])["train_neg_elbo-epoch"]
    assert figure.axes[0].get_xscale() == "linear"
    assert LABEL not in legend(figure)


def test_figure_3_is_three_panels_against_seconds_and_a_short_training_stays_in_sight(
    log_members, request_for
):
    def falling(low, seconds, epochs):
        steps = range(1, epochs + 1)
        return {
            "train_neg_elbo": lambda seed: {step: low + 400 / step for step in steps},
            "test_neg_elbo": lambda seed: {step: low + 5 + 400 / step for step in steps},
            "estimate_variance": lambda seed: {step: 1e-3 / step for step in steps},
            "epoch_seconds": lambda seed: dict.fromkeys(steps, seconds),
        }

    shape = {"task": "bernoulli_vae", "num_samples": 2, "num_draws": 10, "latent": "2x200"}
    short = request_for("indecater", seeds=(0,), epochs=2, **shape)
    long = request_for("rloo", seeds=(0,), epochs=50, **shape)
    store = log_members((short, falling(60, 100.0, 2), "FINISHED"), (long, falling(110, 4.0, 50), "FINISHED"))
    ((name, figure),) = figures(store.uri, [short, long]).items()
    assert name == "train_neg_elbo-test_neg_elbo-estimate_variance-seconds"
    assert [axes.get_yscale() for axes in figure.axes] == ["linear", "linear", "log"]
    lines = drawn(figure)
    of_short = next(line for label, line in lines.items() if label.startswith("IndeCateR"))
    np.testing.assert_allclose(of_short.get_xydata(), [(100, 460), (200, 260)])
    assert figure.axes[0].get_ylim()[1] >= 260
    assert {axes.get_xscale() for axes in figure.axes} == {"linear"}


@pytest.mark.parametrize(
    ("against", "seconds", "scale"),
    [("seconds", 50.0, "log"), ("seconds", 49.0, "linear"), ("epoch", 50.0, "linear")],
)
def test_seconds_that_differ_by_far_are_on_a_logarithmic_axis(
    log_members, request_for, against, seconds, scale
):
    def level(seconds):
        return {
            "train_neg_elbo": lambda seed: {1: 100.0, 2: 90.0},
            "epoch_seconds": lambda seed: {1: seconds, 2: seconds},
        }

    shape = {"task": "bernoulli_vae", "num_draws": 10, "latent": "2x200", "seeds": (0,), "epochs": 2}
    few, many = (request_for("rloo", num_samples=count, **shape) for count in (2, 800))
    store = log_members((few, level(1.0), "FINISHED"), (many, level(seconds), "FINISHED"))
    (figure,) = figures(store.uri, [few, many], metrics=["train_neg_elbo"], against=[against]).values()
    assert figure.axes[0].get_xscale() == scale
