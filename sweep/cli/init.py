"""`catsweep init`: a folder to begin with, which runs at once."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from trainables.terminal import echo

_FILES = ("estimators.py", "spec.yaml", "README.md")
_NAME = "NAME"


def command(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the folder to make, and of the sweep.")
    ],
) -> None:
    """Write a starter: a folder with a spec, a file with an estimator of your own, and a README.

    It runs as it is. A folder that is there is left alone.

    Example: `catsweep init soft`
    """
    from sweep.spec.file import SpecError
    from sweep.spec.values import SpecValueError, sweep_name

    folder = Path(name)
    try:
        own = sweep_name(folder.name)
        folder.mkdir(parents=True)
    except SpecValueError as error:
        raise SpecError(str(error)) from None
    except OSError as error:
        raise SpecError(f"folder {folder} cannot be made ({error.strerror}); choose another name") from None
    for file in _FILES:
        text = (resources.files("sweep") / "starter" / file).read_text(encoding="utf-8")
        (folder / file).write_text(text.replace(_NAME, own), encoding="utf-8")
    echo(f"{folder}: {', '.join(_FILES)}")
    echo(f"next: cd {folder} && catsweep check estimators.py && catsweep run spec.yaml")
