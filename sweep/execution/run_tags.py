"""Tags by which a run is recognised, and those of a member that say how it was made."""

from __future__ import annotations

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


def _stated(tag: str, value: str) -> dict[str, str]:
    return {tag: value} if value else {}
