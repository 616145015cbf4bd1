import pytest

from analysis.names import ESTIMATOR_NAMES, applicable_defaults, estimator_name, metric_name
from estimators.registry import REGISTRY
from trainables import schema


@pytest.mark.parametrize("name", REGISTRY)
def test_defaults_are_those_of_the_hyperparameters_that_the_estimator_takes(name):
    takes = {parameter.name for parameter in REGISTRY[name].hyperparameters}
    assert set(applicable_defaults(name)) == {"task_version", "batch_size"} | takes


def test_every_name_is_of_an_estimator():
    assert set(ESTIMATOR_NAMES) <= set(REGISTRY)


def test_estimator_without_a_name_goes_by_its_id():
    assert estimator_name("mine") == "mine"


def test_unknown_estimator_has_only_the_defaults_of_every_run():
    assert applicable_defaults("mine") == {"task_version": "1", "batch_size": "100"}


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


def test_every_metric_of_the_schema_has_a_unit():
    assert all("logged" not in metric_name(metric).unit for metric in schema.METRICS)
