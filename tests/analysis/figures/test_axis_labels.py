import pytest

from analysis.figures.axis_labels import has_log_axis, metric_label
from trainables.task_registry import METRIC


@pytest.mark.parametrize(
    ("metric", "label"),
    [
        ("test_kl", "test KL term (nats per image)"),
        ("gradient_cosine_batch", "cosine with the exact gradient, of the batch"),
        ("gradient_variance", "gradient variance over mean (nats per image)"),
        ("gradient_relative_std", "gradient standard deviation over mean"),
        ("gradient_std", "gradient standard deviation (nats per image)"),
        ("mine", "mine"),
    ],
)
def test_an_axis_has_the_metrics_name_and_its_unit_where_it_has_one(metric, label):
    assert metric_label(metric) == label


def test_the_spreads_of_gradients_are_on_logarithmic_axes():
    assert [metric for metric in METRIC if has_log_axis(metric)] == [
        "gradient_variance",
        "gradient_relative_std",
        "gradient_std",
        "cosine_variance",
        "estimate_variance",
    ]
