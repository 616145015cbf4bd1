import pytest

from analysis.names import ESTIMATOR_NAMES, applicable_defaults, estimator_name, form_of, metric_name
from estimators.registry import REGISTRY
from trainables.schema import Cell
from trainables.schema.metrics import names_of
from trainables.task_registry import METRIC, TASKS


@pytest.mark.parametrize("name", REGISTRY)
def test_defaults_are_those_of_the_hyperparameters_that_the_estimator_takes(name):
    takes = {parameter.name for parameter in REGISTRY[name].hyperparameters}
    assert set(applicable_defaults(Cell((("estimator", name),)))) == {"task_version", "batch_size"} | takes


def test_every_name_is_of_an_estimator():
    assert set(ESTIMATOR_NAMES) <= set(REGISTRY)


def test_estimator_without_a_name_goes_by_its_id():
    assert estimator_name("mine") == "mine"


def test_unknown_estimator_has_only_the_defaults_of_every_run():
    cell = Cell((("estimator", "mine"),))
    assert applicable_defaults(cell) == {"task_version": "1", "batch_size": "100"}


@pytest.mark.parametrize("task", TASKS)
def test_a_run_of_a_task_without_batches_has_no_batch_size(task):
    defaults = applicable_defaults(Cell.from_params({"task": task, "estimator": "st"}))
    assert ("batch_size" in defaults) == ("batch_size" in TASKS[task].keys)


@pytest.mark.parametrize(
    ("metric", "text", "unit"),
    [
        ("train_neg_elbo", "train negative ELBO", "nats per image"),
        ("test_kl", "test KL term", "nats per image"),
        ("epoch_seconds", "time per epoch", "seconds"),
        ("gradient_std", "gradient standard deviation", "nats per image"),
        ("gradient_norm", "gradient_norm", "the unit it was logged in"),
    ],
)
def test_metrics_have_names_and_units(metric, text, unit):
    name = metric_name(metric)
    assert (name.text, name.unit) == (text, unit)


def test_the_unit_of_every_metric_of_the_schema_is_known_and_ratios_have_none():
    assert all("logged" not in metric_name(metric).unit for metric in METRIC)
    without = {metric for metric in METRIC if not metric_name(metric).unit}
    assert without == {
        "gradient_cosine", "gradient_cosine_batch", "gradient_relative_std", "gradient_bias",
        "cosine_variance", "function_evaluations", "expected_value", "estimate_variance",
        "test_sum_accuracy", "test_digit_accuracy",
    }  # fmt: skip


def test_gradients_and_accuracies_have_four_digits_losses_two_and_what_spans_magnitudes_an_exponent():
    four = {metric for metric in METRIC if form_of(metric) == ".4f"}
    accuracies = {"test_sum_accuracy", "test_digit_accuracy"}
    assert four == (set(names_of(*TASKS["gradient_quality"].measured_metrics)) | accuracies) - {
        "measurement_seconds"
    }
    losses = (*TASKS["mnist_vae"].metrics, "measurement_seconds")
    assert {form_of(metric) for metric in losses} == {".2f"}
    assert {form_of(metric) for metric in ("cosine_variance", "estimate_variance")} == {".1e"}
    assert (form_of("expected_value"), form_of("mine")) == (".6f", ".2f")
