"""Why a store does not take a write: it is away, another driver has taken over, or it will never take it."""

from __future__ import annotations

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    BAD_REQUEST,
    INVALID_PARAMETER_VALUE,
    RESOURCE_DOES_NOT_EXIST,
    ErrorCode,
)
from sqlalchemy.exc import SQLAlchemyError

from sweep.redaction import redact

_FOR_GOOD = frozenset(map(ErrorCode.Name, (BAD_REQUEST, INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST)))


STORE_AWAY = (MlflowException, SQLAlchemyError, OSError)
"""What is raised while a store is away: it may take the same write later."""


class TakenOverError(Exception):
    """Another driver writes now what this one would: nothing that waits may be sent any more."""


class WriteRefusedError(Exception):
    """The store will never take this write, whatever it is asked again; the message says why."""

    def __init__(self, message: str) -> None:
        super().__init__(redact(message))


def is_for_good(error: MlflowException) -> bool:
    """Tell whether a request will never succeed, such as one for a run that someone has deleted."""
    return error.error_code in _FOR_GOOD


def is_missing(error: MlflowException) -> bool:
    """Tell whether there is nothing of what the request was for."""
    return bool(error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST))


def named(answer: str, what: str) -> str:
    """Return the name that an answer must have: MLflow's client takes a proxy's `{}` for one without.

    Args:
        answer: The name, or "".
        what: What is named.

    Raises:
        MlflowException: If there is none, as by a store that is away.
    """
    if not answer:
        raise MlflowException(f"what answers is no MLflow server: it names no {what}")
    return answer
