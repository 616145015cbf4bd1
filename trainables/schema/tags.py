"""What the tracking store calls things: tags, kinds of runs, artifacts, and metrics that every task has.

Change a name or the meaning of a hash, and `SCHEMA_VERSION` goes up.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

SCHEMA_VERSION = "1"

TAG_KIND = "catsweep.kind"
TAG_SCHEMA_VERSION = "catsweep.schema_version"
TAG_MEMBER = "catsweep.member"
TAG_CELL = "catsweep.cell"
TAG_DIVERGED = "catsweep.diverged"
TAG_PRUNED = "catsweep.pruned"
TAG_ERROR = "catsweep.error"
TAG_NOTE = "catsweep.note"
TAG_PACK_SIZE = "catsweep.pack_size"
TAG_DATASET_CONTENT = "catsweep.dataset_content"
TAG_CODE = "catsweep.code"
"""Of a member's run: version, hash and commit of the code that trained it, of all where it was several."""
TAG_DEVICE = "catsweep.device"
TAG_ESTIMATOR = "catsweep.estimator"
"""Of a member's run whose estimator does not ship: its declaration, as JSON."""
TAG_HOST = "catsweep.host"
"""Of a member's run: the name of the machine that trained it."""
TAG_VERSIONS = "catsweep.versions"
"""Of any run: the versions of what made it."""
TAG_CURVES = "catsweep.curves"
"""Of a cell's run: which members its curves are of."""
TAG_PARENT = "mlflow.parentRunId"

KIND_MEMBER = "member"
KIND_CELL = "cell"
KIND_SWEEP = "sweep"

SPEC_ARTIFACT = "spec.yaml"
ENVIRONMENT_ARTIFACT = "environment.json"
PICTURES_ARTIFACT = "pictures.png"
"""Of a sweep's run: its spec, and what it was made with. Of a member's: test images, their reconstructions,
and samples."""

EPOCH_SECONDS = "epoch_seconds"
MEASUREMENT_SECONDS = "measurement_seconds"
NUM_SEEDS = "num_seeds"


def experiment_names(sweep: str) -> Iterator[str]:
    """Return the names that a sweep's experiment may have, the first that is not deleted being its own.

    MLflow lets no other experiment have the name of one that was deleted.
    """
    yield sweep
    for number in count(2):
        yield f"{sweep} ({number})"
