"""Members in a file, as they leave a store and come into another: a table, a row for every epoch of a member.

Parquet, or CSV for people and for git; both hold every number exactly. A metric that was not logged is empty,
which is something else than `nan`.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.atomic_file import atomic_file
from trainables.error_reason import reason_of
from trainables.schema import MEMBER_PARAMS, own_names
from trainables.user_error import UserError

if TYPE_CHECKING:  # takes a fifth of a second to import
    import pyarrow as pa

INTEGERS = ("diverged", "pruned", "pack_size", "start_time", "end_time")
"""Epochs, a count, and milliseconds since 1970; empty where there is none."""
LEADING = (
    "member", "cell", "experiment", "status", *MEMBER_PARAMS, "error", "note", "dataset_content", "code",
    "declaration", *INTEGERS,
)  # fmt: skip
"""The columns that say which member a row is of: hashes, name of the sweep's experiment, MLflow's status,
params as in the store, and tags of the schema, empty where not stated. So do the columns that the params
`hyperparameters` name: those of users' estimators alone."""
EPOCH = "epoch"
"""The step of a row's metrics, the columns after it; empty in the one row of a member without any."""
FORMS = (".parquet", ".csv.gz", ".csv")
_OWN = "hyperparameters"
_NEEDED = ("status", "seed", EPOCH)


class MemberFileError(UserError, ValueError):
    """A file of members that cannot be written or read; the message names it and says why."""


def check_form(path: Path) -> str:
    """Return which of `FORMS` a file's name says that it has.

    Raises:
        MemberFileError: If it says none.
    """
    for form in FORMS:
        if path.name.endswith(form):
            return form
    raise MemberFileError(f"the name of a file of members must end with {', '.join(FORMS)}; got {path}")


def write_members(table: pa.Table, path: Path) -> None:
    """Write a table of members; a file that is there is replaced whole, or stays as it is.

    Args:
        table: Of `analysis.load_members`.
        path: The file, whose name says its form.
    Raises:
        MemberFileError: If the name says none, or it cannot be written.
    """
    from pyarrow import csv, parquet

    form = check_form(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as file:
            if form == ".parquet":
                parquet.write_table(table, file, compression="zstd")
                return
            plain = typed(table)
            if form == ".csv":
                csv.write_csv(plain, file)
                return
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped:  # equal content, equal bytes
                csv.write_csv(plain, zipped)
    except OSError as error:
        raise MemberFileError(f"{path} cannot be written ({reason_of(error)})") from None


def read_members(path: Path) -> pa.Table:
    """Read a table of members, with the types that `write_members` was given.

    Args:
        path: A file that `write_members` wrote, or any other of its form.
    Raises:
        MemberFileError: If it is not there, is none, or has a value that is not of its column's type.
    """
    import pyarrow as pa
    from pyarrow import csv, parquet

    form = check_form(path)
    try:
        if form == ".parquet":
            table = parquet.ParquetFile(path).read()
        else:
            names = _heading(path, form)
            rules = {"null_values": [""], "strings_can_be_null": True}
            texts = csv.ConvertOptions(
                column_types=_schema(names), include_columns=[_OWN] if _OWN in names else [], **rules
            )
            own = params_in(csv.read_csv(path, convert_options=texts)) if _OWN in names else ()
            options = csv.ConvertOptions(column_types=_schema(names, own), **rules)
            table = csv.read_csv(path, convert_options=options)
        if missing := [name for name in _NEEDED if name not in table.column_names]:
            raise MemberFileError(f"{path} is no file of members: it has no column {', '.join(missing)}")
        return typed(table)
    except (OSError, EOFError, pa.ArrowException) as error:
        raise MemberFileError(f"{path} cannot be read as members ({reason_of(error)})") from None


def typed(table: pa.Table) -> pa.Table:
    """Return a table with the one type of every column: text, integer, or 64-bit float for a metric."""
    return table.cast(_schema(table.column_names, params_in(table)))


def params_in(table: pa.Table) -> tuple[str, ...]:
    """Return the names of the params that a table has: the schema's, and those of users' estimators alone."""
    texts = table.column(_OWN).unique().to_pylist() if _OWN in table.column_names else []
    own = (name for text in texts for name in own_names({_OWN: text}))
    return tuple(dict.fromkeys((*MEMBER_PARAMS, *own)))


def _heading(path: Path, form: str) -> list[str]:
    opened = gzip.open if form == ".csv.gz" else open
    with opened(path, "rb") as file:
        first = file.readline(1_000_000).decode(errors="replace")
    return [name.strip('"') for name in first.strip().split(",")]


def _schema(names: list[str], params: Iterable[str] = ()) -> pa.Schema:
    """Return the type of every column: what is not of the schema is a metric."""
    import pyarrow as pa

    types = dict.fromkeys((*LEADING, *params), pa.string()) | dict.fromkeys((*INTEGERS, EPOCH), pa.int64())
    return pa.schema([(name, types.get(name, pa.float64())) for name in names])
