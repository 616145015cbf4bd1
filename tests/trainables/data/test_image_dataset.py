import numpy as np
import pytest

from trainables.data import ImageDataset

IMAGES = np.zeros((4, 784), dtype=np.uint8)
LABELS = np.zeros(4, dtype=np.uint8)


def test_bytes_of_the_right_shape_are_accepted() -> None:
    dataset = ImageDataset("any", IMAGES, LABELS, IMAGES[:1], LABELS[:1].astype(np.uint16))
    assert dataset.train_images is IMAGES


@pytest.mark.parametrize(
    ("position", "wrong", "message"),
    [
        (0, IMAGES.astype(np.float32), "train_images must be uint8"),
        (0, IMAGES.reshape(4, 28, 28), "train_images must be uint8"),
        (1, LABELS[:3], r"train_labels must be .* \(4,\)"),
        (2, IMAGES[:, :783], "test_images must be uint8"),
        (3, LABELS.astype(np.int64), "test_labels must be uint8 or uint16"),
    ],
)
def test_other_shapes_and_dtypes_are_refused(position: int, wrong: np.ndarray, message: str) -> None:
    arrays = [IMAGES, LABELS, IMAGES, LABELS]
    arrays[position] = wrong
    with pytest.raises(ValueError, match=message):
        ImageDataset("any", *arrays)
