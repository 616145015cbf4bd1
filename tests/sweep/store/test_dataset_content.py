"""Members that were trained on different sets of Omniglot never share a store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis import load_runs, render, table
from sweep.execution.training import REAL, Training
from sweep.home import Home
from sweep.runner import run_sweep
from sweep.spec.sweep_spec import Spec
from sweep.store.store import Store
from tests.sweep.samples import SPEC_TEXT, Driver, spec_of
from trainables.data import DataError, ImageDataset

SMALL, OFFICIAL = "images_background_small1", "images_background, images_evaluation"


def _spec(num_seeds: int) -> Spec:
    return spec_of(seeds=num_seeds, dataset="omniglot")


def _training(content: str) -> Training:
    images, labels = np.zeros((1, 784), np.uint8), np.zeros(1, np.uint8)
    return Training(
        REAL.trainable, lambda name, _: ImageDataset(name, images, labels, images, labels, content)
    )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home whose store holds a finished member, trained on the small set."""
    home = Home.resolve(tmp_path, None)
    home.make_folders()
    Driver(_spec(1), home, dataset_content=SMALL).train_all({0: 1.0})
    return home


def test_store_says_what_a_member_was_trained_on(home: Home) -> None:
    (stored,) = Store(home).members().values()
    assert stored.dataset_content == SMALL
    assert load_runs(home.tracking_uri)["dataset_content"].tolist() == [SMALL]


def test_other_images_are_refused_before_anything_runs(home: Home) -> None:
    before = load_runs(home.tracking_uri)
    with pytest.raises(DataError, match=f"holds {OFFICIAL}, but run .* made from {SMALL}:") as caught:
        run_sweep(_spec(2), SPEC_TEXT, home, training=_training(OFFICIAL))
    assert before["run_id"].item() in str(caught.value)
    assert load_runs(home.tracking_uri).equals(before)


def test_a_search_refuses_them_too(home: Home) -> None:
    spec = spec_of(seeds=2, dataset="omniglot", search={"kind": "optuna", "trials": 1})
    with pytest.raises(DataError, match=OFFICIAL):
        run_sweep(spec, SPEC_TEXT, home, training=_training(OFFICIAL))


def test_a_table_says_what_was_trained_on_and_warns_of_a_mixture(home: Home) -> None:
    one = load_runs(home.tracking_uri)
    assert f"Here omniglot is made from {SMALL}." in render(table(one), "text")
    Driver(_spec(2), home, dataset_content=OFFICIAL).train_all({1: 2.0})
    text = render(table(load_runs(home.tracking_uri)), "text")
    assert f"Here omniglot is made from {OFFICIAL}; or from {SMALL}." in text
    assert "WARNING: runs in this table saw different images of omniglot: do not compare them." in text
