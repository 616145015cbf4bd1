"""Data sets of users: files and functions of theirs, known by what is in them.

    >>> from trainables.own_data import dataset
    >>> @dataset
    ... def stripes():
    ...     return {"train": train, "test": test}  # arrays as an .npz file of yours has them

NumPy is imported where arrays are read, since a spec needs names and versions alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, overload

from trainables.schema.dataset_names import DATASET_NAMES
from trainables.user_error import UserError

if TYPE_CHECKING:
    from trainables.image_dataset import ImageDataset

Function = TypeVar("Function", bound=Callable[[], Any])

DECLARED_DATA = "catsweep_dataset"
"""The attribute of a function or class that holds the name of the data set that it makes."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class OwnDataError(UserError):
    """Data of a user's that break a rule; the message names them and says which."""


@dataclass(frozen=True)
class OwnDataset:
    """A data set of a user's.

    Args:
        name: The stem of its file, or what it was declared as; no part of a member's identity.
        version: Which images and labels they are: a hash.
        image_shape: Height and width of an image.
        num_classes: One more than the largest label; none without labels, or where only a store knows it.
        images: The images and labels; none where only a store knows of them.
    """

    name: str
    version: str
    image_shape: tuple[int, int]
    num_classes: int | None = None
    images: ImageDataset | None = field(default=None, compare=False, repr=False)

    @property
    def shape_text(self) -> str:
        """Height and width as params state them, for example "16x16"."""
        return "x".join(map(str, self.image_shape))

    def to_train(self) -> ImageDataset:
        """Return the images and labels.

        Raises:
            OwnDataError: If only a store knows of them.
        """
        if self.images is None:
            raise OwnDataError(f"dataset {self.name} must be there to train on: only its results are")
        return self.images


OWN_DATA: dict[str, OwnDataset] = {}
"""Those that specs of this process have named, by name, as last read."""
DECLARED: dict[str, Callable[[], Any]] = {}
"""What makes those that files under `use` declare, by name."""


@overload
def dataset(function: Function) -> Function: ...
@overload
def dataset(*, name: str) -> Callable[[Function], Function]: ...


def dataset(function: Function | None = None, *, name: str = "") -> Function | Callable[[Function], Function]:
    """Declare a function, or a class, without arguments to be a data set that specs may name.

    Args:
        function: Returns a mapping of arrays by name, `train`, `test` and maybe `train_labels` and
            `test_labels`, or an object with these attributes.
        name: What specs call it; the function's own name unless given.
    Raises:
        OwnDataError: If the name is no such name, or that of a data set that ships.
    """
    if function is None:
        return lambda given: _declared(given, name)
    return _declared(function, function.__name__)


def _declared(function: Function, name: str) -> Function:
    setattr(function, DECLARED_DATA, checked_name(name))
    return function


def checked_name(name: str) -> str:
    """Return a name that a data set of a user's may have.

    Raises:
        OwnDataError: If it may not.
    """
    if name in DATASET_NAMES:
        raise OwnDataError(f"{name} is the name of a data set that ships; yours must have another")
    if not _NAME.fullmatch(name):
        rule = "must have a name of up to 64 letters, digits, '.', '_' and '-', the first a letter or digit"
        raise OwnDataError(f"a data set {rule}, got {name!r}")
    return name
