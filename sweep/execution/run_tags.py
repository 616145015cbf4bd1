"""Tags by which a run is recognised, and those of a member that say how it was made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from mlflow.entities import Dataset, DatasetInput, InputTag

from sweep.execution.writes import StartMember
from trainables.schema import (
    KIND_MEMBER,
    SCHEMA_VERSION,
    TAG_CELL,
    TAG_CODE,
    TAG_DATASET_CONTENT,
    TAG_ESTIMATOR,
    TAG_KIND,
    TAG_MEMBER,
    TAG_NOTE,
    TAG_PACK_SIZE,
    TAG_SCHEMA_VERSION,
    Member,
)

_DIGITS = 8
"""Hexadecimal digits of a data set's digest; MLflow keeps 36 characters."""


def kind_tags(kind: str, note: str = "") -> dict[str, str]:
    """Return the tags by which a run of this kind is recognised, and its note where there is one."""
    return {TAG_KIND: kind, TAG_SCHEMA_VERSION: SCHEMA_VERSION, **_stated(TAG_NOTE, note)}


def member_tags(member: Member, start: StartMember) -> dict[str, str]:
    """Return the tags of a member's run, its parent left out."""
    return {
        **kind_tags(KIND_MEMBER, start.note),
        TAG_MEMBER: member.hash,
        TAG_CELL: member.cell.hash,
        TAG_PACK_SIZE: str(start.pack_size),
        **_stated(TAG_DATASET_CONTENT, start.dataset_content),
        **_stated(TAG_CODE, start.code),
        **_stated(TAG_ESTIMATOR, start.estimator),
    }


def dataset_inputs(params: Mapping[str, str], content: str) -> list[DatasetInput]:
    """Return the images that a member trains on, as MLflow shows data sets; none where it has none.

    Args:
        params: The member's.
        content: What the images were made from, as `ImageDataset` has it; its hash is the digest.
    """
    name = params.get("dataset")
    if name is None:
        return []
    digest = hashlib.sha256(content.encode()).hexdigest()[:_DIGITS]
    source = json.dumps({"content": content})
    of_training = [InputTag("mlflow.data.context", "training")]
    return [DatasetInput(Dataset(name, digest, source_type="catsweep", source=source), of_training)]


def _stated(tag: str, value: str) -> dict[str, str]:
    return {tag: value} if value else {}
