"""Sending spools: what an earlier driver could not write, because the store was away, is written now."""

from __future__ import annotations

from collections.abc import Callable

from sweep.execution.run_writer import RunWriter
from sweep.execution.spool import Spool, SpooledWrites, SpoolError, read_spools
from sweep.execution.tracking import open_experiment
from sweep.execution.writes import Write
from sweep.store.lease import Lease
from sweep.store.refusal import STORE_AWAY, WriteRefusedError
from sweep.store.store import Store, StoreError
from trainables.error_reason import reason_of


def send_spools(store: Store, say: Callable[[str], None]) -> int:
    """Send every spool of the home that is for this store, and return how many writes that were.

    Args:
        store: The store, which answers.
        say: Shows a line to the user.

    Raises:
        StoreError: If a spool cannot be read, the store does not take it, or a driver is at work on its
            sweep or takes it over meanwhile; the spool then stays.
    """
    try:
        waiting = read_spools(store.home.spool)
    except SpoolError as error:
        raise StoreError(str(error)) from None
    num_sent = 0
    for one in waiting:
        if one.spool.store != store.home.shown_uri:
            say(f"spool {one.spool.path} is for store {one.spool.store} and is left alone")
            continue
        num_sent += _send(one, store, say)
    return num_sent


def _send(spooled: SpooledWrites, store: Store, say: Callable[[str], None]) -> int:
    spool = spooled.spool
    try:
        experiment_id = open_experiment(store.client, spool.experiment, store.home, say)
        with Lease(store.client, experiment_id, say) as lease:
            writer = RunWriter(
                store.client,
                experiment_id,
                store.members(),
                store.home.checkpoints,
                incomplete=spool.members_refused(),
            )
            num_sent = 0
            for write in spooled.writes:
                lease.check()
                num_sent += _apply(writer, write, spool, say)
            spool.remove()
    except SpoolError as error:
        raise StoreError(str(error)) from None
    except STORE_AWAY as error:
        raise StoreError(
            f"tracking store {spool.store} did not take spool {spool.path}, which stays: {reason_of(error)}"
        ) from None
    return num_sent


def _apply(writer: RunWriter, write: Write, spool: Spool, say: Callable[[str], None]) -> bool:
    """Send a write, and return whether it was taken; one that is refused for good is set aside."""
    try:
        writer.apply(write)
    except WriteRefusedError as refusal:
        spool.set_aside(write, str(refusal))
        say(f"the tracking store refuses a write for good ({refusal}); kept in {spool.refused_path}")
        return False
    return True
