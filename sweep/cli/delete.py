"""`catsweep delete`: members of a sweep deleted, so that it can be undone."""

from __future__ import annotations

from typing import Annotated

import typer

from sweep.cli.cells import chosen_requests
from sweep.cli.options import HomeOption, SpecArgument, TrackingOption
from trainables.terminal import echo


def command(
    spec: SpecArgument,
    cell: Annotated[
        list[str] | None,
        typer.Option(
            "--cell",
            help="Only the cell of this hash, or cells such as estimator=reinmax,lr=0.0005. Repeatable.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    tracking_uri: TrackingOption = None,
    home: HomeOption = None,
) -> None:
    """Delete a sweep's members from the store, after a question; the next run trains them again.

    They are deleted as MLflow deletes runs: `mlflow gc` removes them for good, and until then
    `MlflowClient().restore_run(id)` brings one back. A member counts in every sweep that asks for it, and is
    gone from all. Members whose checkpoints are in the home go on from there.

    Example: `catsweep delete quickstart --cell estimator=reinmax`
    """
    from sweep import api
    from sweep.exchange.deletion import runs_to_delete
    from sweep.home import Home
    from sweep.store.store import Store
    from trainables.schema import KIND_MEMBER

    place = Home.resolve(home, tracking_uri)
    store = Store(place)
    store.check_readable()
    plan = api.current_plan(spec, place)
    chosen = chosen_requests(plan.requests, cell or ())
    wanted = {member.hash for request in chosen for member in request.members}
    others = {one.member.cell.hash for key, one in plan.stored.items() if one.member and key not in wanted}
    emptied = {request.cell.hash for request in chosen} - others
    runs = list(runs_to_delete(store, wanted, emptied))
    num_members = sum(kind == KIND_MEMBER for kind, _ in runs)
    if not num_members:
        echo(f"the store holds no members of {plan.spec.name} to delete")
        return
    question = f"delete {num_members:,} runs of members of {len(chosen):,} cells from {place.shown_uri}?"
    if not yes and not typer.confirm(question, err=True):
        raise typer.Exit(1)
    for _, run_id in runs:
        store.client.delete_run(run_id)
    echo(f"{num_members:,} runs of members deleted; the next catsweep run {spec} trains them again")
