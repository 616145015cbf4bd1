"""The runner: a plan becomes Tune trials, and their results runs in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout
from ray import tune

from sweep.cluster.cluster import Joined, cluster
from sweep.cluster.environment import code, environment, provenance
from sweep.execution.display import Display, make_display
from sweep.execution.kept_packs import KeptPack, kept_pack, trained_packs
from sweep.execution.outbox import Outbox
from sweep.execution.pack_events import PackEvents
from sweep.execution.progress import Progress
from sweep.execution.run_writer import RunWriter
from sweep.execution.tracking import Tracker, open_experiment
from sweep.execution.training import REAL, Training
from sweep.execution.tune_inputs import Walk, grid_walk, resources_of_trial
from sweep.execution.writes import Write
from sweep.home import Home, HomeError
from sweep.messages import say
from sweep.planning.namesake import note_of_others
from sweep.planning.pack_sizes import measure_pack_sizes
from sweep.planning.packing import finished_folders, forget_pack, stores_waiting
from sweep.planning.placement import MOST_PACKS_TO_A_GPU, placed, with_share
from sweep.planning.plan import Plan
from sweep.planning.shard import Shard
from sweep.plans import plan_of
from sweep.spec.sweep_spec import Spec
from sweep.spec.use import check_code
from sweep.store.dataset_content import require_same_content
from sweep.store.lease import Lease
from sweep.store.moved_home import settle
from sweep.store.refusal import STORE_AWAY
from sweep.store.store import Store, StoredMember, StoreError
from sweep.store.store_file import StoreFile
from trainables.data import ImageDataset
from trainables.error_reason import reason_of
from trainables.pack import Pack
from trainables.schema import Member
from trainables.task_registry import task_of

RETRIES_OF_A_PACK = 2
"""How often a pack whose process died starts again from its checkpoint before it counts as failed."""
_TUNE = "tune"
"""Folder of Tune's own records, of which nothing is read."""


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
        HomeError: If another driver is at work, or this one may not lock the home.
    """
    lock = FileLock(home.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise HomeError(
            f"another catsweep run is at work in {home.path}; wait for it, or choose another home with --home"
        ) from None
    except (OSError, NotImplementedError) as error:
        raise HomeError(
            f"{home.lock} must be a file that this user can lock ({reason_of(error)}); remove it if it is of "
            f"another user, or choose another home with --home"
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
    training: Training | None = None,
    shard: Shard | None = None,
) -> Outcome:
    """Do what of a spec is not done yet.

    Args:
        spec: The spec.
        spec_text: Its YAML, kept with the sweep.
        home: Where things are kept.
        address: Address of a Ray cluster; none starts one on this machine.
        retry_failed: Whether members that failed before run again.
        training: What trains the packs; none stands for what every command trains them by.
        shard: What part of the spec to do; none stands for all of it.

    Raises:
        HomeError: If the home cannot be written, or another driver is at work in it.
        StoreError: If the tracking store does not answer.
        DataError: If the dataset is not to be had, or is not what the store's members were trained on.
        ClusterError: If the cluster does not fit the spec.
    """
    store, training = Store(home), training or REAL
    planned = partial(plan_of, home=home, retry_failed=retry_failed, shard=shard)
    if home.sqlite_path is None:
        store.check()  # before a folder is made; an SQLite store needs the folder first
    home.make_folders()
    with driver_lock(home):
        store.check()
        settle(home, say)
        _say_what_waits(home)
        if not spec.search.is_grid and shard is None:
            return _search(spec, spec_text, store, address, training, retry_failed=retry_failed)
        plan = planned(spec, store.members())
        check_code(plan.members_to_run)
        reported = Progress(plan)
        if not plan.packs or any(trained_packs(plan.packs, home.checkpoints)):
            with _lease(spec, store) as lease:
                # Anew, since another driver may have been at work until now.
                reported = _report(planned(spec, store.members()), store, lease, spec_text)
            plan = planned(spec, store.members())
            if not plan.packs:
                return _outcome(reported, is_interrupted=False)
        dataset = _images(spec, plan.stored, training, home)
        joining = cluster(address, spec.resources, home.checkpoints, training.gpu_problem)
        with joining as joined, _lease(spec, store) as lease:
            spec, why = _placed(spec, joined, plan.members_to_run, dataset, home)
            # Anew, since another driver may have been at work until now.
            plan = planned(spec, store.members())
            require_same_content(plan.stored, dataset, home)
            walk = grid_walk(plan, home, joined.capacity, lease.stopped_cells, is_fixed=address is None)
            trained = _train(walk, store, lease, spec_text, training.trainable, dataset, joined.scratch, why)
            return replace(trained, num_run=trained.num_run + reported.num_members_run)


def _say_what_waits(home: Home) -> None:
    """Say what else waits in a home for a store that was away."""
    for name, count in stores_waiting(home.checkpoints).items():
        if name != home.store_name:
            say(f"checkpoints of {count} packs are kept for tracking store {name}, which lacks their results")
    if any(home.old_spool.glob("*.jsonl")):
        say(
            f"{home.old_spool} is of an older version and is not read: each sweep's next run reports from "
            f"checkpoints what the store lacks, or trains it; after that, remove the folder"
        )


def _report(plan: Plan, store: Store, lease: Lease, spec_text: str) -> Progress:
    """Tell the store what it lacks of packs that were trained to their end, since it was away then."""
    kept, progress = [*trained_packs(plan.packs, store.home.checkpoints)], Progress(plan)
    for one in kept:
        progress.ended(one.pack, has_failed=False)
    if kept:
        say(f"{progress.num_members_run} members are reported from checkpoints, without training them again")
    tracker = _tracker(plan, store, lease, spec_text, kept=kept)
    tracker.close(is_complete=progress.is_complete)
    return progress


def _search(
    spec: Spec,
    spec_text: str,
    store: Store,
    address: str | None,
    training: Training,
    *,
    retry_failed: bool,
) -> Outcome:
    """Do what of a search is not done yet; arguments as for `run_sweep`."""
    from sweep.search.planning import open_queue, search_plan  # Optuna, which grids do without
    from sweep.search.progress import SearchProgress
    from sweep.search.walk import search_walk

    home = store.home
    with _lease(spec, store) as lease:
        stored = store.members()
        queue = open_queue(spec, stored, home, retry_failed=retry_failed)
        if queue.is_empty:
            plan = search_plan(spec, stored, home)
            tracker = _tracker(plan.for_store, store, lease, spec_text, pruned=queue.unnoted())
            tracker.close(is_complete=True)
            return _outcome(SearchProgress(plan, queue=queue), is_interrupted=False)
        dataset = _images(spec, stored, training, home)
        with cluster(address, spec.resources, home.checkpoints, training.gpu_problem) as joined:
            spec = placed(spec, joined.placement)
            walk = search_walk(search_plan(spec, stored, home), queue, home, joined.capacity)
            why = str(joined.placement)
            return _train(walk, store, lease, spec_text, training.trainable, dataset, joined.scratch, why)


def _placed(
    spec: Spec, joined: Joined, members: Sequence[Member], dataset: ImageDataset | None, home: Home
) -> tuple[Spec, str]:
    """Return the spec with what packs get, and that as a line for people; what is not known is measured."""
    placement = joined.placement
    if placement.resources.is_pack_size_measured and dataset is not None:
        most = MOST_PACKS_TO_A_GPU if placement.is_share_open else 1
        measure_pack_sizes(members, placement.resources, dataset, home, packs_to_a_gpu=most)
    placement = with_share(placement, members, joined.capacity, home)
    return placed(spec, placement), str(placement)


def _images(
    spec: Spec, stored: Mapping[str, StoredMember], training: Training, home: Home
) -> ImageDataset | None:
    """Return what to train on, which is what the store's members of that name were trained on.

    Raises:
        DataError: If it is not to be had, or is something else.
    """
    dataset = training.data_of(spec.dataset, home.data)
    require_same_content(stored, dataset, home)
    return dataset


@contextmanager
def _lease(spec: Spec, store: Store) -> Iterator[Lease]:
    """Hold the lease of the sweep's experiment."""
    try:
        experiment_id = open_experiment(store.client, spec.name, store.home, task=task_of(spec.task))
    except STORE_AWAY as error:
        raise _refuses(store, error) from None
    with Lease(store.client, experiment_id, say) as lease:
        yield lease


def _tracker(
    plan: Plan,
    store: Store,
    lease: Lease,
    spec_text: str,
    show: Callable[[str], None] = say,
    pruned: Iterable[tuple[Pack, int]] = (),
    dataset_content: str = "",
    kept: Iterable[KeptPack] = (),
) -> Tracker:
    if note := note_of_others(plan):
        show(note)
    checkpoints, name = store.home.checkpoints, store.home.store_name
    made_by = provenance(plan.spec.name)
    writer = RunWriter(store.client, lease.experiment_id, plan.stored, checkpoints, name, made_by)
    try:
        writer.open_sweep(spec_text, environment())
    except STORE_AWAY as error:
        raise _refuses(store, error) from None
    finished = {key for key, stored in plan.stored.items() if stored.is_finished}
    for folder in finished_folders(checkpoints, finished):
        forget_pack(checkpoints, folder.name, name)
    file = StoreFile(store.home.sqlite_path)

    def apply(write: Write) -> None:
        file.check()
        lease.check()
        writer.apply(write)

    tracker = Tracker(plan, Outbox(apply, store.home.shown_uri, show), dataset_content, code())
    for one in kept:
        tracker.report(one)
        tracker.finish(one.pack, one.records[-1])
    for pack, epoch in pruned:
        if (before := kept_pack(pack, checkpoints)).records:
            tracker.report(before)
        tracker.prune(pack, epoch)
    return tracker


def _refuses(store: Store, error: Exception) -> StoreError:
    reason = store.home.redact(reason_of(error))
    return StoreError(f"tracking store {store.home.shown_uri} refuses the sweep: {reason}")


def _train(
    walk: Walk,
    store: Store,
    lease: Lease,
    spec_text: str,
    trainable: type[tune.Trainable],
    dataset: ImageDataset | None,
    scratch: Path,
    placement: str,
) -> Outcome:
    progress = walk.progress
    is_interrupted = False
    with make_display(progress) as display:
        content = dataset.content if dataset is not None else ""
        tracker = _tracker(walk.plan, store, lease, spec_text, display.say, walk.pruned, content)
        display.say(walk.announcement)
        display.say(placement)
        try:
            with_data = tune.with_parameters(trainable, dataset=dataset)
            _tuner(walk, store.home, with_data, scratch / _TUNE, tracker, display).fit()
        except KeyboardInterrupt:
            is_interrupted = True
        finally:
            tracker.close(is_complete=progress.is_complete)
    return _outcome(progress, is_interrupted=is_interrupted or not progress.is_complete)


def _tuner(
    walk: Walk,
    home: Home,
    trainable: type[tune.Trainable],
    scratch: Path,
    tracker: Tracker,
    display: Display,
) -> tune.Tuner:
    spec = walk.plan.spec
    return tune.Tuner(
        tune.with_resources(trainable, resources_of_trial),
        param_space=walk.param_space,
        tune_config=walk.tune_config,
        run_config=tune.RunConfig(
            name=spec.name,
            storage_path=str(scratch),
            callbacks=[PackEvents(tracker, walk.progress, display, home)],
            # Packs keep checkpoints of their own, from which any later run goes on.
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=RETRIES_OF_A_PACK),
            stop=walk.stops,
            verbose=0,
        ),
    )


def _outcome(progress: Progress, *, is_interrupted: bool) -> Outcome:
    return Outcome(progress.num_members_run, progress.num_members_failed, is_interrupted)
