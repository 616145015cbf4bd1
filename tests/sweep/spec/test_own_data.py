"""Data sets of users in a spec: what is read, what is refused, and which members follow."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweep.spec.file import SpecError, load_spec
from sweep.spec.use import register_data
from trainables import own_data
from trainables.data import dataset
from trainables.own_data import OWN_DATA, OwnDataset
from trainables.pack import Pack
from trainables.schema import Cell, Member
from trainables.training.training_data import TrainingData

TEXT = """
name: own
task: {task}
dataset: {data}
epochs: 1
batch_size: 5
seeds: 1
grid:
  - {{estimator: reinmax, latent: {latent}, lr: 0.001{more}}}
{last}"""


@pytest.fixture(autouse=True)
def only_what_ships() -> Iterator[None]:
    yield
    OWN_DATA.clear()
    own_data.DECLARED.clear()


def _grey(count: int, *shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)


def _arrays(*shape: int) -> dict[str, np.ndarray[Any, Any]]:
    return {"train": _grey(20, *shape), "test": _grey(10, *shape)}


def _hash(folder: Path, **stated: str) -> str:
    return _cell(folder, **stated).hash


def _cell(folder: Path, **stated: str) -> Cell:
    path = folder / "own.yaml"
    default = {"task": "mnist_vae", "data": "{file: mine.npz}", "latent": "8x4", "more": "", "last": ""}
    path.write_text(TEXT.format(**{**default, **stated}))
    (request,) = load_spec(path).requests()
    return request.cell


def test_members_are_known_by_what_the_file_holds(tmp_path: Path) -> None:
    arrays = _arrays(16, 12)
    np.savez(tmp_path / "mine.npz", **arrays)
    np.savez_compressed(tmp_path / "again.npz", **arrays)
    cell = _cell(tmp_path)
    assert cell.params["dataset"] == "mine"
    assert cell.params["dataset_version"].startswith("sha256:")
    assert cell.params["image_shape"] == "16x12"
    assert _hash(tmp_path, data="{file: again.npz}") == cell.hash
    arrays["test"][0, 0, 0] ^= 1
    np.savez(tmp_path / "mine.npz", **arrays)
    assert _hash(tmp_path) != cell.hash


def test_shapes_and_kinds_that_mean_the_same_are_the_same_members(tmp_path: Path) -> None:
    arrays = _arrays(6, 6)
    np.savez(tmp_path / "mine.npz", **arrays)
    np.savez(tmp_path / "flat.npz", **{name: one.reshape(len(one), 36) for name, one in arrays.items()})
    np.savez(tmp_path / "float.npz", **{name: one / np.float32(255) for name, one in arrays.items()})
    np.savez(tmp_path / "turned.npz", **{name: np.asfortranarray(one) for name, one in arrays.items()})
    expected = _hash(tmp_path)
    for name in ("flat", "float", "turned"):
        assert _hash(tmp_path, data=f"{{file: {name}.npz}}") == expected, name
    np.savez(tmp_path / "row.npz", train=_grey(20, 30), test=_grey(10, 30))
    assert _cell(tmp_path, data="{file: row.npz}").params["image_shape"] == "1x30"


def test_shipped_names_of_params_and_hashes_stay(tmp_path: Path) -> None:
    cell = _cell(tmp_path, data="mnist", more=", encoder: [512, 256], decoder: [256, 512], activation: relu")
    assert cell == _cell(tmp_path, data="mnist")
    assert not {"encoder", "decoder", "activation", "dataset_version", "image_shape"} & cell.params.keys()


def _with(**changes: Any) -> dict[str, Any]:
    arrays = {**_arrays(4, 4), **changes}
    return {name: one for name, one in arrays.items() if one is not None}


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        (_with(test=None), "must have the arrays train and test"),
        (_with(train_labels=np.zeros(20, int)), "or neither of these, got train, test, train_labels"),
        (_with(train=np.zeros((20, 4, 4), np.int64)), "array train must be uint8, or floats in [0, 1]"),
        (_with(test=_grey(10, 4, 4).astype(float)), "array test must be uint8, or floats in [0, 1]"),
        (_with(train=np.full((20, 4, 4), np.nan)), "got values from nan to nan"),
        (_with(test=_grey(10, 4, 5)), "array test must have images of the size of train's, got 4x4 and 4x5"),
        (_with(train=_grey(0, 4, 4)), "array train must not be empty, got shape (0, 4, 4)"),
        (_with(train=np.ones((20, 4, 4), np.uint8)), "make it float, or multiply it by 255"),
        (_with(train=np.array([{}] * 20)), "array train must be of numbers, got Python objects"),
        (_with(train_labels=np.zeros(3, int), test_labels=np.zeros(10, int)), "of shape (20,), one an image"),
        (_with(train_labels=-np.ones(20, int), test_labels=np.zeros(10, int)), "integers from 0 to 65,535"),
    ],
)
def test_other_arrays_are_refused_by_name(tmp_path: Path, arrays: dict[str, Any], problem: str) -> None:
    np.savez(tmp_path / "mine.npz", **arrays)
    with pytest.raises(SpecError) as refused:
        _cell(tmp_path)
    message = str(refused.value)
    assert "own.yaml, line 4: dataset: mine.npz: " in message and problem in message
    assert "\n" not in message


def _claims(shape: tuple[int, ...]) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return header.getvalue()


def test_files_that_are_no_such_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(problem: str, **stated: str) -> None:
        with pytest.raises(SpecError) as error:
            _cell(tmp_path, **stated)
        assert problem in str(error.value)

    refused("mine.npz is not there: no file ")
    (tmp_path / "mine.npz").write_bytes(b"no archive")
    refused("mine.npz must be an .npz file, as numpy.savez writes it")
    with zipfile.ZipFile(tmp_path / "mine.npz", "w") as archive:
        archive.writestr("train.npy", _claims((10**9, 1000)))
    refused("mine.npz: array train must be whole")
    np.savez_compressed(tmp_path / "mine.npz", train=np.zeros((4000, 16, 16)), test=np.zeros((1, 16, 16)))
    monkeypatch.setattr("trainables.data.own.npz_file.MOST_BYTES", 1_000_000)
    refused("mine.npz must hold arrays of at most 1,000,000 bytes, got 8,")
    np.savez(tmp_path / "mnist.npz", **_arrays(4, 4))
    refused("mnist is the name of a data set that ships", data="{file: mnist.npz}")
    refused("dataset must be a name, or {file: FILE}", data="{path: mine.npz}")


def test_a_declared_function_is_the_same_data_as_a_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", **_arrays(4, 4))
    (tmp_path / "data.py").write_text(
        "import numpy as np\nfrom pathlib import Path\nfrom trainables.data import dataset\n"
        "@dataset\ndef squares():\n    return np.load(Path(__file__).parent / 'mine.npz')\n"
        "@dataset(name='broken')\ndef other():\n    raise RuntimeError('no disk')\n"
    )
    cell = _cell(tmp_path, data="squares", last="use: [data.py]")
    assert (cell.params["dataset"], cell.hash) == ("squares", _hash(tmp_path))
    with pytest.raises(SpecError, match=r"data set broken: RuntimeError: no disk \(.*data.py, line 9\)"):
        _cell(tmp_path, data="broken", last="use: [data.py]")


def test_a_class_of_a_notebook_will_do(tmp_path: Path) -> None:
    @dataset
    class Mine:
        train, test = _grey(20, 4, 4), _grey(10, 4, 4)

    register_data(Mine)
    assert _cell(tmp_path, data="Mine").params["image_shape"] == "4x4"


def test_without_its_file_a_spec_is_read_with_what_the_store_knows(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", **_arrays(4, 4))
    cell = _cell(tmp_path)
    (tmp_path / "mine.npz").unlink()
    known = OwnDataset("mine", cell.params["dataset_version"], (4, 4))
    (request,) = load_spec(tmp_path / "own.yaml", declared=lambda: [known]).requests()
    assert request.cell == cell
    with pytest.raises(SpecError, match=r"mine\.npz is not there"):
        load_spec(tmp_path / "own.yaml", declared=list)


def test_digit_sums_need_digits(tmp_path: Path) -> None:
    stated = {"task": "mnist_addition", "latent": "10x2"}
    labels = {"train_labels": np.arange(20) % 10, "test_labels": np.arange(10)}

    def problem(**arrays: Any) -> str:
        np.savez(tmp_path / "mine.npz", **arrays)
        try:
            text = TEXT.format(**stated, data="{file: mine.npz}", more="", last="")
            (tmp_path / "own.yaml").write_text(text.replace("reinmax", "indecater"))
            load_spec(tmp_path / "own.yaml")
        except SpecError as error:
            return str(error)
        return ""

    assert problem(**_arrays(28, 28), **labels) == ""
    assert "dataset must have images of 28x28" in problem(**_arrays(4, 4), **labels)
    assert "labels from 0 to 9" in problem(**_arrays(28, 28))
    labels["test_labels"][0] = 10
    assert "mine has labels up to 10" in problem(**_arrays(28, 28), **labels)


JUDGED = "measure: {epochs: 1, draws: 2}"


@pytest.mark.parametrize(
    ("task", "latent", "last"),
    [("mnist_vae", "3x2", ""), ("gradient_quality", "3x2", JUDGED), ("bernoulli_vae", "2x3", "")],
)
def test_every_task_of_images_trains_on_them(tmp_path: Path, task: str, latent: str, last: str) -> None:
    np.savez(tmp_path / "mine.npz", **_arrays(6, 5))
    more = ", encoder: [9], decoder: [7, 8, 5], activation: gelu"
    cell = _cell(tmp_path, task=task, latent=latent, last=last, more=more)
    pack = Pack((Member(cell, 0),))
    trainer = pack.task.trainer(pack, TrainingData.of(OWN_DATA["mine"].to_train()))
    metrics = trainer.run_epoch().metrics[0]
    assert metrics is not None and metrics["test_neg_elbo"] > 0
    assert trainer.parameters.shape[1] == pack.task.num_parameters(pack.shared)
    (picture,) = trainer.pictures()
    assert (picture is not None) == pack.task.draws_pictures


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (", encoder: []", "encoder must be widths of hidden layers, at least one"),
        (", decoder: [64, 0]", "decoder must be widths of hidden layers"),
        (", encoder: [[64], []]", "encoder must be widths of hidden layers, at least one"),
        (", activation: swish", "activation must be one of relu, leaky_relu, elu, tanh, sigmoid, silu, gelu"),
    ],
)
def test_networks_that_there_are_not_are_refused(tmp_path: Path, more: str, problem: str) -> None:
    with pytest.raises(SpecError) as refused:
        _cell(tmp_path, data="mnist", more=more)
    assert problem in str(refused.value)


def test_lists_of_widths_multiply(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    more = ", encoder: [[512, 256], [64]], activation: [relu, silu]"
    path.write_text(TEXT.format(task="mnist_vae", data="mnist", latent="8x4", last="", more=more))
    cells = [request.cell for request in load_spec(path).requests()]
    found = [(one.params.get("encoder"), one.params.get("activation")) for one in cells]
    assert found == [(None, None), (None, "silu"), ("64", None), ("64", "silu")]
