import dataclasses
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainables.data import DATASETS, DataError, fetch, load, verify
from trainables.data.check import failures
from trainables.data.errors import SourceError
from trainables.data.omniglot import sets as sets_module
from trainables.data.omniglot import store as store_module
from trainables.data.omniglot.dataset import OMNIGLOT
from trainables.data.omniglot.images import decode_drawing, shrink
from trainables.data.omniglot.sets import CHARACTERS, expected_images
from trainables.data.omniglot.sources import OmniglotDownload

SMALL = "images_background_small1"
OTHER = "images_background_small2"


def drawing(alphabet: str, character: int, drawer: int) -> np.ndarray:
    """Ink of a made-up drawing: a bar whose place tells alphabet, character and drawer apart."""
    ink = np.zeros((105, 105), dtype=bool)
    ink[15 * character : 15 * character + 15, : 5 * drawer] = True
    ink[90:, : 10 * len(alphabet)] = True
    return ink


def png(ink: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(~ink).convert("1").save(buffer, "PNG")
    return buffer.getvalue()


def write_set(folder: Path, name: str) -> Path:
    for alphabet, count in CHARACTERS[name].items():
        for character in range(1, count + 1):
            place = folder / name / alphabet / f"character{character:02}"
            place.mkdir(parents=True)
            for drawer in range(1, 21):
                content = png(drawing(alphabet, character, drawer))
                (place / f"{character:04}_{drawer:02}.png").write_bytes(content)
    return folder / name


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all four sets, the official alphabets replaced by a few short ones."""
    small = {
        "images_background": {"A": 2, "BB": 1, "CCC": 3},
        "images_evaluation": {"DDDD": 2},
        SMALL: {"A": 2, "BB": 1},
        OTHER: {"BB": 1, "CCC": 3},
    }
    for name, characters in small.items():
        monkeypatch.setitem(sets_module.CHARACTERS, name, characters)
    monkeypatch.setitem(DATASETS, "omniglot", dataclasses.replace(DATASETS["omniglot"], remote=()))
    for name in small:
        write_set(tmp_path / "sets", name)
    return tmp_path / "sets"


def zipped(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder), "zip", folder.parent, folder.name))


@pytest.mark.parametrize("form", ["set folder", "zip", "folder of a set", "folder of a zip"])
def test_set_is_read_from_folder_and_zip(sets: Path, tmp_path: Path, form: str) -> None:
    place = tmp_path / "given"
    if form == "folder of a set":
        shutil.copytree(sets / SMALL, place / SMALL)
    elif form == "folder of a zip":
        place.mkdir()
        zipped(sets / SMALL).rename(place / "any-name.zip")
    elif form == "zip":
        place = zipped(sets / SMALL)
    else:
        place = sets / SMALL
    fetch("omniglot", tmp_path / "data", source=place)
    dataset = load("omniglot", tmp_path / "data")
    assert dataset.train_images.shape == (3 * 16, 784)
    assert dataset.test_images.shape == (3 * 4, 784)
    assert dataset.train_labels.tolist() == [0] * 16 + [1] * 16 + [2] * 16
    assert dataset.test_labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert np.array_equal(dataset.train_images[17], shrink(drawing("A", 2, 2)[None])[0])
    assert np.array_equal(dataset.test_images[-1], shrink(drawing("BB", 1, 20)[None])[0])
    checks = verify("omniglot", tmp_path / "data")
    assert failures(checks) == []
    assert [(check.what, check.detail) for check in checks[-2:]] == [("A", "40 images"), ("BB", "20 images")]


def test_zip_put_into_the_data_folder_counts(sets: Path, tmp_path: Path) -> None:
    target = tmp_path / "data" / "omniglot"
    target.mkdir(parents=True)
    zipped(sets / SMALL).rename(target / f"{SMALL}.zip")
    fetch("omniglot", tmp_path / "data")
    assert failures(verify("omniglot", tmp_path / "data")) == []


def test_drawing_that_two_sets_share_counts_once(sets: Path, tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    for name in (SMALL, OTHER):
        zipped(sets / name).rename(tmp_path / "given" / f"{name}.zip")
    fetch("omniglot", tmp_path / "data", source=tmp_path / "given")
    dataset = load("omniglot", tmp_path / "data")
    assert len(dataset.train_images) + len(dataset.test_images) == 6 * 20
    assert failures(verify("omniglot", tmp_path / "data")) == []


def test_both_official_sets_give_the_official_split(sets: Path, tmp_path: Path) -> None:
    fetch("omniglot", tmp_path / "data", source=sets)
    dataset = load("omniglot", tmp_path / "data")
    assert sorted(set(dataset.train_labels.tolist())) == [0, 1, 2, 3, 4, 5]
    assert sorted(set(dataset.test_labels.tolist())) == [6, 7]
    assert len(dataset.test_images) == 2 * 20


def test_other_sets_replace_the_store_and_the_same_sets_do_not(sets: Path, tmp_path: Path) -> None:
    fetch("omniglot", tmp_path / "data", source=sets / SMALL)
    manifest = tmp_path / "data" / "omniglot" / "manifest.json"
    written = manifest.stat().st_mtime_ns
    fetch("omniglot", tmp_path / "data", source=sets / SMALL)
    assert manifest.stat().st_mtime_ns == written
    fetch("omniglot", tmp_path / "data", source=sets / OTHER)
    assert json.loads(manifest.read_text())["sets"] == [OTHER]
    assert len(load("omniglot", tmp_path / "data").test_images) == 4 * 4


def test_incomplete_set_is_refused_by_alphabet(sets: Path, tmp_path: Path) -> None:
    next((sets / SMALL / "A").rglob("*.png")).unlink()
    with pytest.raises(DataError, match="not the published set: A has 39 images, expected 40"):
        fetch("omniglot", tmp_path / "data", source=sets / SMALL)
    assert not (tmp_path / "data" / "omniglot" / "manifest.json").exists()


def test_file_that_is_no_drawing_is_named(sets: Path, tmp_path: Path) -> None:
    path = sets / SMALL / "A" / "character01" / "0001_01.png"
    path.write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"A/character01/0001_01\.png is not a PNG picture"):
        fetch("omniglot", tmp_path / "data", source=sets / SMALL)


def test_one_changed_bit_is_caught(sets: Path, tmp_path: Path) -> None:
    fetch("omniglot", tmp_path / "data", source=sets / SMALL)
    path = tmp_path / "data" / "omniglot" / "test_images.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert [check.what for check in failures(verify("omniglot", tmp_path / "data"))] == ["test_images.npy"]


def test_manifest_that_claims_another_set_is_caught(sets: Path, tmp_path: Path) -> None:
    fetch("omniglot", tmp_path / "data", source=sets / SMALL)
    path = tmp_path / "data" / "omniglot" / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "sets": [OTHER]}))
    failed = failures(verify("omniglot", tmp_path / "data"))
    assert [(check.what, check.detail) for check in failed] == [
        ("A", "40 images, expected 0"),
        ("CCC", "0 images, expected 60"),
    ]


def test_arrays_without_a_manifest_are_not_accepted(sets: Path, tmp_path: Path) -> None:
    fetch("omniglot", tmp_path / "data", source=sets / SMALL)
    (tmp_path / "data" / "omniglot" / "manifest.json").unlink()
    assert [check.what for check in failures(verify("omniglot", tmp_path / "data"))] == ["manifest.json"]
    with pytest.raises(DataError, match="run `catsweep data fetch omniglot`"):
        load("omniglot", tmp_path / "data")


def test_replacement_that_breaks_off_leaves_nothing_to_load(sets: Path, tmp_path: Path, monkeypatch) -> None:
    fetch("omniglot", tmp_path / "data", source=sets / SMALL)
    write = store_module.write_atomically

    def write_one_array(path: Path, content: bytes) -> None:
        if path.name != "train_images.npy":
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(store_module, "write_atomically", write_one_array)
    with pytest.raises(KeyboardInterrupt):
        fetch("omniglot", tmp_path / "data", source=sets / OTHER)
    with pytest.raises(DataError, match=r"manifest\.json is absent; run `catsweep data fetch omniglot`"):
        load("omniglot", tmp_path / "data")


def test_one_official_set_that_arrived_alone_is_not_used(sets: Path, tmp_path: Path, monkeypatch) -> None:
    def only_background(_: str, folder: Path) -> None:
        shutil.copy(zipped(sets / "images_background"), folder)
        raise SourceError("the host is gone")

    monkeypatch.setattr("trainables.data.omniglot.sources.download", only_background)
    monkeypatch.setitem(DATASETS, "omniglot", dataclasses.replace(OMNIGLOT, remote=(OmniglotDownload(),)))
    for _ in range(2):  # nothing is left for the second one to find
        with pytest.raises(DataError, match=r"there are none.*\n.*the host is gone"):
            fetch("omniglot", tmp_path / "data")
    assert list((tmp_path / "data" / "omniglot").iterdir()) == []


def test_both_official_sets_that_were_downloaded_are_used(sets: Path, tmp_path: Path, monkeypatch) -> None:
    def both(_: str, folder: Path) -> None:
        for name in ("images_background", "images_evaluation"):
            shutil.copy(zipped(sets / name), folder)

    monkeypatch.setattr("trainables.data.omniglot.sources.download", both)
    monkeypatch.setitem(DATASETS, "omniglot", dataclasses.replace(OMNIGLOT, remote=(OmniglotDownload(),)))
    fetch("omniglot", tmp_path / "data")
    assert load("omniglot", tmp_path / "data").content == "images_background, images_evaluation"


def test_table_of_sets_has_the_published_totals() -> None:
    assert sum(CHARACTERS["images_background"].values()) == 964
    assert len(CHARACTERS["images_background"]) == 30
    assert sum(CHARACTERS["images_evaluation"].values()) == 659
    assert len(CHARACTERS["images_evaluation"]) == 20
    assert sum(expected_images([SMALL]).values()) == 2_720
    assert sum(expected_images([OTHER]).values()) == 3_120
    assert sum(expected_images(["images_background", SMALL]).values()) == 19_280


def test_ink_is_bright_and_a_pixel_is_its_share_of_ink() -> None:
    ink = np.zeros((2, 105, 105), dtype=bool)
    ink[0] = True
    ink[1, :, 0] = True
    images = shrink(ink).reshape(2, 28, 28)
    assert (images[0] == 255).all()
    assert (images[1, :, 0] == round(255 / 3.75)).all()
    assert not images[1, :, 1:].any()


def test_shrinking_agrees_with_exact_area_averaging() -> None:
    ink = np.random.default_rng(3).random((3, 105, 105)) < 0.3
    fine = ink.repeat(4, axis=1).repeat(4, axis=2).reshape(3, 28, 15, 28, 15)
    exact = np.rint(fine.mean(axis=(2, 4)) * 255).astype(np.uint8)
    assert np.array_equal(shrink(ink).reshape(3, 28, 28), exact)


def test_black_is_ink() -> None:
    ink = drawing("A", 1, 7)
    assert np.array_equal(decode_drawing(png(ink), "any"), ink)
