from dataclasses import replace

import pytest

from analysis.choices import UnknownNameError
from analysis.tables.arrangement import arranged


@pytest.fixture
def requests(request_of):
    return [request_of(one, latent) for one in ("st", "reinmax", "stgs") for latent in ("8x4", "4x24")]


def shown(requests):
    return [(one.cell.estimator, one.cell.latent) for one in requests]


def test_all_stay_as_they_are_where_nothing_is_named(requests):
    assert arranged(requests) == requests


def test_what_is_named_stays_in_the_order_of_the_names(requests):
    assert shown(arranged(requests, ["stgs", "st"])) == [
        ("stgs", "8x4"), ("stgs", "4x24"), ("st", "8x4"), ("st", "4x24"),
    ]  # fmt: skip
    assert shown(arranged(requests, ["reinmax"], ["4x24", "8x4"])) == [
        ("reinmax", "4x24"),
        ("reinmax", "8x4"),
    ]
    assert shown(arranged(requests, latents=["4x24"])) == [(one, "4x24") for one in ("st", "reinmax", "stgs")]


def test_a_label_is_a_name_too(requests):
    labelled = replace(requests[0], cell=replace(requests[0].cell, label="Ours"))
    assert arranged([*requests[1:], labelled], ["Ours"]) == [labelled]


def test_a_name_of_nothing_is_an_error(requests):
    with pytest.raises(UnknownNameError, match=r"unknown estimator 'reinmx'.*did you mean 'reinmax'"):
        arranged(requests, ["reinmx"])
    with pytest.raises(UnknownNameError, match="unknown latent '8x5'; allowed: 4x24, 8x4"):
        arranged(requests, latents=["8x5"])
