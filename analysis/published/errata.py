"""What is known to be wrong with a published number, in the words of a footnote."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping

import pandas as pd

from analysis.published import printed as published

FORMULA_ERRATA: Mapping[str, str] = {
    "reinmax_rao": (
        "ReinMax-Rao: Eq. 17 and Algorithm 1 print the last term in two ways; the published results were "
        "made with that of temperature 1 at the logits themselves, and so are ours."
    ),
    "reinmax_cv": (
        "ReinMax-CV: the published results were made with the relaxed sample where Algorithm 2 prints the "
        "Gumbels, and so are ours; reinmax_cv_alg2 is the algorithm to the letter."
    ),
}
"""What the paper prints otherwise than it was run, by estimator: true of all its latents."""


def erratum(estimator: str, latent: str) -> str:
    """Return what is wrong with a result of Tables 2 and 3 or its settings; empty where nothing is known."""
    parts = [
        f"the paper has {fix.printed} seeds, the printed result is of {fix.as_run} ({fix.evidence})"
        if fix.field == published.NUM_SEEDS
        else f"Table 5 prints {fix.field} {fix.printed}, the printed result was made with {fix.as_run} "
        f"({fix.evidence})"
        for fix in (*published.result_corrections(), *published.corrections())
        if (fix.estimator, fix.latent) == (estimator, latent)
    ]
    return "; ".join(parts)


def footnote_marks(frame: pd.DataFrame) -> dict[str, str]:
    """Return the letter that marks each erratum of a table, in the order of its rows.

    Args:
        frame: A table with a comparison.
    """
    texts = dict.fromkeys(text for text in frame["erratum"] if text)
    return dict(zip(texts, string.ascii_lowercase, strict=False))


def formula_notes(estimators: Iterable[str]) -> list[str]:
    """Return what the paper prints otherwise than it was run, of these estimators, each once."""
    return [FORMULA_ERRATA[name] for name in dict.fromkeys(estimators) if name in FORMULA_ERRATA]
