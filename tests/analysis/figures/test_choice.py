import pytest

from analysis.choices import UnknownNameError
from analysis.figure_error import FigureError
from analysis.figures.choice import Choice, choose, curve_axis

LOSS, TEST = "train_neg_elbo", "test_neg_elbo"


def cells(request_for, *settings):
    return [request_for(**setting).cell for setting in settings]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ([{}, {"estimator": "reinmax"}], [((LOSS,), ("epoch",)), ((TEST,), ("epoch",))]),
        ([{"lr": 0.1}, {"lr": 0.2}], [((LOSS,), ("epoch",)), ((TEST,), ("epoch",))]),
        ([{"lr": 0.1}, {"lr": 0.2}, {"lr": 0.3}], [((LOSS,), ("lr",))]),
        ([{}, {"note": "as printed", "lr": 0.2}], [((LOSS,), ("epoch",)), ((TEST,), ("epoch",))]),
        ([{"estimator": "reinmax_rk2", "beta": beta} for beta in (0.1, 0.5)], [((LOSS,), ("beta",))]),
        (
            [
                {"estimator": "reinmax_cv", "temperature": temperature, "eta": eta}
                for temperature in (0.1, 1)
                for eta in (0.5, 1)
            ],
            [((LOSS,), ("temperature", "eta"))],
        ),
        (
            [{"task": "gradient_quality"}],
            [(("gradient_cosine_batch", "gradient_relative_std"), ("epoch",))],
        ),
        (
            [{"task": "synthetic_gradient", "num_samples": 1}],
            [(("gradient_bias", "cosine_variance"), ("estimator",))],
        ),
        (
            [{"task": "synthetic_optimisation", "iterations_per_epoch": 20}],
            [
                (("expected_value",), ("iteration",)),
                (("expected_value",), ("seconds",)),
                (("estimate_variance",), ("iteration",)),
            ],
        ),
    ],
)
def test_what_varies_decides_the_figure(settings, expected, request_for):
    assert choose(cells(request_for, *settings)) == tuple(Choice(*one) for one in expected)


def test_metrics_and_axis_can_be_chosen(request_for):
    several = cells(request_for, {"lr": 0.1}, {"lr": 0.2})
    assert choose(several, ["test_kl"], ["lr"]) == (Choice(("test_kl",), ("lr",)),)


@pytest.mark.parametrize(
    ("against", "error", "message"),
    [
        (
            ["tau"],
            UnknownNameError,
            r"unknown axis 'tau'; allowed: epoch, seconds, iteration, estimator, beta",
        ),
        (["eta"], FigureError, r"with several values in this spec, got 'eta'; several values has lr"),
        (["lr", "lr"], FigureError, r"two different hyperparameters for a heat map, got 'lr,lr'"),
        (["epoch", "lr"], FigureError, r"got 'epoch,lr'"),
        (["lr", "eta", "beta"], FigureError, r"got 'lr,eta,beta'"),
        (["estimator", "lr"], FigureError, r"got 'estimator,lr'"),
        (["iteration"], FigureError, r"must not be iteration: the task of this spec does not count them"),
    ],
)
def test_axes_that_cannot_be_are_refused(against, error, message, request_for):
    with pytest.raises(error, match=message):
        choose(cells(request_for, {"lr": 0.1}, {"lr": 0.2}), against=against)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("mnist_vae", "seconds of training and testing"),
        ("bernoulli_vae", "seconds of training and testing"),
        ("mnist_addition", "seconds of training and testing"),
        ("synthetic_optimisation", "seconds of training"),
        ("a task of yesterday", "seconds of training"),
    ],
)
def test_an_axis_of_seconds_says_what_they_are_of(task, said, request_for):
    cells = [request_for(task=task).cell]
    assert curve_axis("seconds", cells) == said
    assert curve_axis("epoch", cells) == "epoch"
