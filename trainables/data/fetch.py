"""Make a data set present: try its sources in order, under a lock, until its files are verified."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from trainables.atomic_file import remove_unfinished
from trainables.data.check import describe, failures
from trainables.data.dataset import Dataset
from trainables.data.errors import DataError, SourceError
from trainables.data.registry import dataset_named
from trainables.data.source import Source
from trainables.terminal import echo


def fetch(name: str, folder: Path, *, source: Path | None = None) -> Path:
    """Make a data set present and verified in `folder/<name>`; do nothing where it is.

    Safe to call from several processes at once: one works, the others wait and find the work done.
    Messages go to standard error, one line per source that fails.

    Args:
        name: Registry name, for example "mnist".
        folder: The data folder; created if absent.
        source: A folder or zip that holds the data set's files; no other place is then tried.

    Returns:
        The data set's own folder, absolute.

    Raises:
        DataError: If the name is unknown, `source` does not exist, every source fails, or the folder cannot
            be written.
    """
    dataset = dataset_named(name)
    folder = folder.expanduser().absolute()
    source = source.expanduser().absolute() if source is not None else None
    if source is not None and not source.exists():
        raise DataError(f"the source {source} for {name} does not exist")
    target = folder / name
    if not _is_settled(dataset, target, source):
        try:
            target.mkdir(parents=True, exist_ok=True)
            with _locked(folder / f".{name}.lock", name):
                if not _is_settled(dataset, target, source):
                    remove_unfinished(target)
                    _obtain(dataset, folder, source)
        except OSError as error:
            raise DataError(f"cannot write the data folder {folder} for {name}: {error}") from error
    return target


def _is_settled(dataset: Dataset, target: Path, source: Path | None) -> bool:
    if failures(dataset.verify(target)):
        return False
    return source is None or dataset.is_from(target, source)


def _obtain(dataset: Dataset, folder: Path, source: Path | None) -> None:
    target = folder / dataset.name
    reasons: list[str] = []
    sources = dataset.sources(folder, source)
    for position, place in enumerate(sources):
        reason = _try(dataset, place, target)
        if reason is None:
            _say(f"{dataset.name}: verified in {target} (from {place.title})")
            return
        reasons.append(f"{place.title}: {reason}")
        following = sources[position + 1 :]
        _say(f"{dataset.name}: {reasons[-1]}" + (f"; trying {following[0].title}" if following else ""))
    listed = "\n".join(f"  {number}. {reason}" for number, reason in enumerate(reasons, start=1))
    raise DataError(
        f"cannot fetch {dataset.name}; every source failed:\n{listed}\n"
        f"Put {dataset.files_by_hand} into {target} and run `catsweep data fetch {dataset.name}` again, or "
        f"name a folder or zip that holds them: `catsweep data fetch {dataset.name} --from PATH`."
    )


def _try(dataset: Dataset, place: Source, target: Path) -> str | None:
    """Return why a source did not lead to a verified data set, or None where it did."""
    try:
        place.obtain(target)
    except SourceError as error:
        return str(error)
    failed = failures(dataset.verify(target))
    return describe(failed) if failed else None


@contextmanager
def _locked(path: Path, name: str) -> Iterator[None]:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _say(f"{name}: another process is fetching it; waiting")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _say(text: str) -> None:
    """Print a line for whoever waits; a long one is not folded."""
    echo(" ".join(text.split()), err=True)
