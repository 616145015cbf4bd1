"""Arguments and options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SpecArgument = Annotated[str, typer.Argument(metavar="SPEC", help="A YAML file, or the name of a preset.")]
HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Folder with everything local. [default: $CATSWEEP_HOME, else ./.catsweep]"),
]
TrackingOption = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri", help="MLflow store. [default: $MLFLOW_TRACKING_URI, else SQLite in the home]"
    ),
]
EstimateAddressOption = Annotated[
    str | None,
    typer.Option(
        "--address", help="Estimate for this Ray cluster: auto or host:port. [default: this machine]"
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
