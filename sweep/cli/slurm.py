"""`catsweep slurm`: a job of SLURM that runs a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sweep.cli.options import (
    CpusOption,
    GpusOption,
    HomeOption,
    PackSizeOption,
    SpecArgument,
    TrackingOption,
    typed_resources,
)
from trainables.terminal import echo


def command(
    spec: SpecArgument,
    nodes: Annotated[int, typer.Option(min=1, help="Nodes; of several, one Ray cluster is made.")] = 1,
    cpus_per_node: Annotated[
        int | None, typer.Option(min=1, help="Cores on each node. [default: whole nodes]")
    ] = None,
    gpus_per_node: Annotated[
        str | None, typer.Option(metavar="G", help="GPUs on each node: a number, or type:number.")
    ] = None,
    memory: Annotated[str | None, typer.Option(metavar="M", help="Memory on each node, such as 16G.")] = None,
    time: Annotated[str | None, typer.Option(metavar="T", help="Longest time, such as 8:00:00.")] = None,
    partition: Annotated[str | None, typer.Option(metavar="P", help="Partition.")] = None,
    account: Annotated[str | None, typer.Option(metavar="A", help="Account.")] = None,
    array: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="An array of N jobs, each of which runs a shard of the sweep."),
    ] = None,
    sbatch: Annotated[
        list[str] | None, typer.Option(metavar="OPTION", help="Another option of sbatch; may be repeated.")
    ] = None,
    submit: Annotated[bool, typer.Option("--submit", help="Hand it to SLURM, and print its answer.")] = False,
    gpus: GpusOption = None,
    cpus: CpusOption = None,
    members_per_pack: PackSizeOption = None,
    tracking_uri: TrackingOption = None,
    home: HomeOption = None,
) -> None:
    """Print a job script of SLURM that runs a sweep, or submit it.

    The job that runs out of time ends in good order, is requeued, and goes on from its last checkpoints.

    Example: `catsweep slurm table2 --nodes 2 --gpus-per-node 4 --time 8:00:00 --home /shared/me/sweeps`
    """
    from sweep.cluster.slurm import SlurmJob
    from sweep.home import Home
    from sweep.spec.file import load_spec

    resources = typed_resources(gpus, cpus, members_per_pack)
    name = load_spec(spec, resources).name  # a mistake is told now, and not by a job
    place = Home.resolve(home, tracking_uri)
    if array and nodes > 1:
        raise typer.BadParameter("jobs of an array have one node each", param_hint="--nodes")
    words = ["run", _absolute(spec), "--home", str(place.path)]
    words += ["--tracking-uri", tracking_uri] if tracking_uri else []
    for key, value in resources.items():
        words += [f"--{key.replace('_', '-')}", value]
    job = SlurmJob(
        name=name,
        words=words,
        nodes=nodes,
        cpus_per_node=cpus_per_node,
        gpus_per_node=gpus_per_node,
        memory=memory,
        time=time,
        partition=partition,
        account=account,
        shards=array,
        more=sbatch or (),
    )
    echo(job.submit() if submit else job.script(), nl=submit)


def _absolute(spec: str) -> str:
    """Return a spec such that a job finds it from any folder."""
    from sweep.spec.file import preset_names

    return spec if spec in preset_names() else str(Path(spec).absolute())
