"""The one place where torchvision is imported, only when something is to be downloaded.

torchvision's wheel on the package index is compiled for the CUDA builds of torch. Beside a CPU-only torch
its compiled library cannot be loaded, so `import torchvision` stops at "operator torchvision::nms does not
exist", then at "torchvision::qnms": it attaches Python code to two operators that nobody has declared.
Declaring their signatures (not their code: calling them still fails) lets the import go through, and
`torchvision.datasets` needs no more.

Not done up front: where the compiled library does load, it declares the same two operators itself and a
second declaration would be an error. So the plain import is tried first, and a proper build never gets past
it.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import suppress
from types import ModuleType
from typing import Any

from trainables.data.errors import SourceError

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[Any] = []  # torch forgets a declaration together with the Library object that made it


def torchvision_datasets() -> ModuleType:
    """Import `torchvision.datasets`.

    Returns:
        The module.

    Raises:
        SourceError: If torchvision or torch is not installed or cannot be imported for another reason.
    """
    try:
        return importlib.import_module("torchvision.datasets")
    except ImportError as error:
        raise SourceError(f"torchvision cannot be imported: {error}") from error
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise SourceError(f"torchvision cannot be imported: {error}") from error
    _declare_operators()
    try:
        return importlib.import_module("torchvision.datasets")
    except (ImportError, RuntimeError) as error:
        raise SourceError(f"torchvision cannot be imported: {error}") from error


def _declare_operators() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]  # the half-imported package
    if not _declared:
        library = importlib.import_module("torch.library").Library("torchvision", "FRAGMENT")
        for schema in _SCHEMAS:
            with suppress(RuntimeError):  # already declared, by a build that has one of the two
                library.define(schema)
        _declared.append(library)
