"""The runner: a plan becomes Tune trials, and their results runs in the store."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from ray import tune

from sweep.cluster import cluster
from sweep.display import Display, make_display, say
from sweep.environment import environment
from sweep.home import Home, HomeError
from sweep.lease import Lease
from sweep.outbox import STORE_AWAY, Outbox
from sweep.pack_events import PackEvents
from sweep.pack_sizes import measure_pack_sizes
from sweep.packing import finished_folders
from sweep.planning import Plan, make_plan
from sweep.progress import Progress
from sweep.run_writer import RunWriter
from sweep.spec import Spec
from sweep.spool import Spool
from sweep.store import Store, StoreError
from sweep.sync import send_spools
from sweep.tracking import Tracker, open_experiment
from trainables.checkpoint import CheckpointFolder
from trainables.data import ImageDataset, fetch, load
from trainables.pack_trainable import PACK, PackTrainable

RETRIES_OF_A_PACK = 2
"""How often a pack whose process died starts again from its checkpoint before it counts as failed."""


@dataclass(frozen=True)
class Outcome:
    """How a run of a sweep ended.

    Args:
        num_run: Members that finished in this run.
        num_failed: Members asked for that have failed, now or before.
        is_interrupted: Whether the user stopped it.
    """

    num_run: int
    num_failed: int
    is_interrupted: bool


@contextmanager
def driver_lock(home: Home) -> Iterator[None]:
    """Keep every other driver out of this home; the lock ends with the process, however it ends.

    Raises:
        HomeError: If another driver is at work.
    """
    lock = FileLock(home.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise HomeError(
            f"another catsweep run is at work in {home.path}; wait for it, or choose another home with --home"
        ) from None
    try:
        yield
    finally:
        lock.release()


def run_sweep(
    spec: Spec,
    spec_text: str,
    home: Home,
    *,
    address: str | None = None,
    retry_failed: bool = False,
) -> Outcome:
    """Do what of a spec is not done yet.

    Args:
        spec: The spec.
        spec_text: Its YAML, kept with the sweep.
        home: Where things are kept.
        address: Address of a Ray cluster; none starts one on this machine.
        retry_failed: Whether members that failed before run again.

    Raises:
        HomeError: If the home cannot be written, or another driver is at work in it.
        StoreError: If the tracking store does not answer.
        DataError: If the dataset is not to be had.
        ClusterError: If the cluster does not fit the spec.
    """
    store = Store(home)
    if home.sqlite_path is None:
        store.check()  # before a folder is made; an SQLite store needs the folder first
    home.make_folders()
    with driver_lock(home):
        store.check()
        send_spools(store, say)
        plan = make_plan(spec, store.members(), home, retry_failed=retry_failed)
        if not plan.packs:
            with _lease(plan, store) as experiment_id:
                _tracker(plan, store, experiment_id, spec_text).close(is_complete=True)
            return _outcome(plan, Progress(plan), is_interrupted=False)
        fetch(spec.dataset, home.data)
        dataset = load(spec.dataset, home.data)
        with cluster(address, spec.resources), _lease(plan, store) as experiment_id:
            if spec.resources.is_pack_size_measured:
                measure_pack_sizes(plan.members_to_run, spec.resources, dataset, home)
            # Anew, since another driver may have been at work until now.
            plan = make_plan(spec, store.members(), home, retry_failed=retry_failed)
            return _train(plan, store, experiment_id, spec_text, dataset)


@contextmanager
def _lease(plan: Plan, store: Store) -> Iterator[str]:
    """Hold the sweep's lease, and give the id of its experiment."""
    try:
        experiment_id = open_experiment(store.client, plan.spec.name, store.home)
    except STORE_AWAY as error:
        raise _refuses(store, error) from None
    with Lease(store.client, experiment_id, say):
        yield experiment_id


def _tracker(
    plan: Plan,
    store: Store,
    experiment_id: str,
    spec_text: str,
    show: Callable[[str], None] = say,
) -> Tracker:
    checkpoints = store.home.checkpoints
    writer = RunWriter(store.client, experiment_id, plan.stored, checkpoints)
    try:
        writer.open_sweep(spec_text, environment())
    except STORE_AWAY as error:
        raise _refuses(store, error) from None
    finished = {key for key, stored in plan.stored.items() if stored.is_finished}
    for folder in finished_folders(checkpoints, finished):
        CheckpointFolder(folder).remove()
    spool = Spool.new(store.home.spool, plan.spec.name, store.home.shown_uri)
    return Tracker(plan, Outbox(writer.apply, spool, show))


def _refuses(store: Store, error: Exception) -> StoreError:
    reason = str(error).splitlines()[0]
    return StoreError(f"tracking store {store.home.shown_uri} refuses the sweep: {reason}")


def _train(plan: Plan, store: Store, experiment_id: str, spec_text: str, dataset: ImageDataset) -> Outcome:
    progress = Progress(plan)
    is_interrupted = False
    with make_display(progress) as display, tempfile.TemporaryDirectory(prefix="catsweep-tune-") as scratch:
        tracker = _tracker(plan, store, experiment_id, spec_text, display.say)
        display.say(_announcement(plan))
        try:
            _tuner(plan, store.home, dataset, Path(scratch), tracker, progress, display).fit()
        except KeyboardInterrupt:
            is_interrupted = True
        finally:
            tracker.close(is_complete=progress.is_complete)
    return _outcome(plan, progress, is_interrupted=is_interrupted or not progress.is_complete)


def _tuner(
    plan: Plan,
    home: Home,
    dataset: ImageDataset,
    scratch: Path,
    tracker: Tracker,
    progress: Progress,
    display: Display,
) -> tune.Tuner:
    resources = plan.spec.resources
    trainable = tune.with_parameters(
        PackTrainable, train_images=dataset.train_images, test_images=dataset.test_images
    )
    configs = [
        {
            "members": pack.to_params(),
            "checkpoint_folder": str(home.checkpoints / pack.hash),
            "num_threads": resources.cpus,
            "device": "cuda" if resources.gpus > 0 else "cpu",
        }
        for pack in plan.packs
    ]
    return tune.Tuner(
        tune.with_resources(trainable, {"cpu": resources.cpus, "gpu": resources.gpus}),
        param_space={PACK: tune.grid_search(configs)},
        tune_config=tune.TuneConfig(reuse_actors=True),
        run_config=tune.RunConfig(
            name=plan.spec.name,
            storage_path=str(scratch),
            callbacks=[PackEvents(tracker, progress, display, home.checkpoints)],
            # Packs keep checkpoints of their own, from which any later run goes on.
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=RETRIES_OF_A_PACK),
            verbose=0,
        ),
    )


def _announcement(plan: Plan) -> str:
    done = len(plan.members) - len(plan.members_to_run)
    return (
        f"{plan.spec.name}: {len(plan.requests)} cells, {len(plan.members)} members; "
        f"{done} done before, {len(plan.members_to_run)} to run in {len(plan.packs)} packs"
    )


def _outcome(plan: Plan, progress: Progress, *, is_interrupted: bool) -> Outcome:
    run = sum(member.hash in progress.finished for member in plan.members_to_run)
    return Outcome(run, progress.num_members_failed, is_interrupted)
