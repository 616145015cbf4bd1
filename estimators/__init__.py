"""Gradient estimators for categorical latent variables: the mathematics alone, on torch alone.

Each is a function importable under its id, a drop-in for `torch.nn.functional.gumbel_softmax(hard=True)`:

    >>> from estimators import reinmax
    >>> sample = reinmax(logits, temperature=1.3, generator=generator)
"""

from estimators.gst import gst
from estimators.gumbel_rao import gumbel_rao
from estimators.registry import REGISTRY, Estimator, get
from estimators.reinmax import reinmax
from estimators.reinmax_cv import reinmax_cv
from estimators.reinmax_cv_alg2 import reinmax_cv_alg2
from estimators.reinmax_rao import reinmax_rao
from estimators.st import st
from estimators.stgs import stgs

__all__ = [
    "REGISTRY",
    "Estimator",
    "get",
    "gst",
    "gumbel_rao",
    "reinmax",
    "reinmax_cv",
    "reinmax_cv_alg2",
    "reinmax_rao",
    "st",
    "stgs",
]
