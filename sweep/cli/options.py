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
GpusOption = Annotated[
    str | None,
    typer.Option(
        "--gpus",
        metavar="N|auto",
        help="GPUs of a pack, parts too; auto,0 takes nodes without GPUs as well. [default: the spec's]",
    ),
]
CpusOption = Annotated[
    str | None, typer.Option("--cpus", metavar="N", help="Cores of a pack. [default: the spec's]")
]
PackSizeOption = Annotated[
    str | None,
    typer.Option(
        "--members-per-pack",
        metavar="N|auto",
        help="Most members that train side by side. [default: the spec's]",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def typed_resources(gpus: str | None, cpus: str | None, members_per_pack: str | None) -> dict[str, str]:
    """Return what was typed in place of a spec's `resources`, by key."""
    typed = {"gpus": gpus, "cpus": cpus, "members_per_pack": members_per_pack}
    return {key: value for key, value in typed.items() if value is not None}
