"""Whether the best of a column is better than the others: Welch's test, Holm's correction, P(better)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import pandas as pd

from trainables.task_registry import metric_of

_FEWEST_VALUES = 2


@dataclass(frozen=True)
class CellTest:
    """How a cell compares with the best of its column; NaN and empty where there is nothing to compare.

    Args:
        best: Hash of the best cell of the column.
        to_best: Its mean less the best's, in the metric's unit.
        p_welch: P-value of `welch_p`.
        p_holm: The same, corrected for all tests of the column.
        p_better: `probability_of_improvement` over the best.
    """

    best: str = ""
    to_best: float = math.nan
    p_welch: float = math.nan
    p_holm: float = math.nan
    p_better: float = math.nan


TEST_COLUMNS = tuple(field.name for field in fields(CellTest))


def add_tests(frame: pd.DataFrame, values: Sequence[pd.Series[float]], columns: pd.Series) -> pd.DataFrame:
    """Return a table with the fields of `CellTest` added.

    Every ranked cell is tested against the best of its column; of several that share the first rank,
    against the one that comes first. A cell without a rank has no test, and the best itself only `best`.

    Args:
        frame: A table, one row per cell.
        values: The values that count, row by row.
        columns: What cells must share to be compared, row by row.
    """
    tests = [CellTest() for _ in values]
    ranked = [row for row, rank in enumerate(frame["rank"]) if pd.notna(rank)]
    for column in dict.fromkeys(columns[row] for row in ranked):
        places = [row for row in ranked if columns[row] == column]
        best = min(places, key=lambda row: int(frame["rank"][row]))
        others = [row for row in places if row != best]
        p_values = [welch_p(values[row], values[best]) for row in others]
        tests[best] = CellTest(frame["cell"][best])
        for row, p, p_holm in zip(others, p_values, holm(p_values), strict=True):
            higher_is_better = metric_of(frame["metric"][row]).is_higher_better
            p_better = probability_of_improvement(
                values[row], values[best], higher_is_better=higher_is_better
            )
            to_best = float(frame["mean"][row] - frame["mean"][best])
            tests[row] = CellTest(frame["cell"][best], to_best, p, p_holm, p_better)
    added = pd.DataFrame([asdict(test) for test in tests], columns=list(TEST_COLUMNS))
    types = {"best": "str", **dict.fromkeys(TEST_COLUMNS[1:], "float64")}
    return pd.concat([frame, added.astype(types)], axis=1)


def welch_p(a: Sequence[float] | pd.Series[float], b: Sequence[float] | pd.Series[float]) -> float:
    """Return the two-sided p-value of Welch's t-test that two means are equal.

    NaN where a side has fewer than two values, and where neither side has any spread.

    Args:
        a: Finite values of one cell.
        b: Finite values of the other.
    Source: Welch (1947); `scipy.stats.ttest_ind_from_stats` with unequal variances.
    """
    sides = [np.asarray(side, dtype=np.float64) for side in (a, b)]
    if min(map(len, sides)) < _FEWEST_VALUES or all(np.ptp(side) == 0 for side in sides):
        return math.nan
    from scipy.stats import ttest_ind_from_stats  # a second of import that no other table need wait for

    statistics = (float(number) for side in sides for number in (side.mean(), side.std(ddof=1), len(side)))
    return float(ttest_ind_from_stats(*statistics, equal_var=False).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected by Holm's step-down method, in their order; NaN stays NaN and is not counted.

    The i-th smallest of m is multiplied by m - i + 1, is no smaller than the ones before, and at most 1.
    statsmodels has it too; these lines are not worth a dependency of that size.

    Args:
        p_values: Uncorrected p-values of one family.
    Source: Holm (1979), A simple sequentially rejective multiple test procedure.
    """
    corrected = np.array(p_values, dtype=np.float64)
    defined = np.flatnonzero(~np.isnan(corrected))
    order = defined[np.argsort(corrected[defined], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(corrected[order] * factors), 1.0)
    return [float(value) for value in corrected]


def probability_of_improvement(
    a: Sequence[float] | pd.Series[float],
    b: Sequence[float] | pd.Series[float],
    *,
    higher_is_better: bool = False,
) -> float:
    """Return the share of pairs in which a value of `a` is better than one of `b`; a tie counts half.

    That is Mann and Whitney's U over n m. NaN where a side has no value.

    Args:
        a: Finite values of one cell.
        b: Finite values of the other.
        higher_is_better: Whether better is higher; lower otherwise.
    Source: Agarwal et al. (2021), Deep RL at the edge of the statistical precipice, Sec. 4.3.
    """
    if not len(a) or not len(b):
        return math.nan
    from scipy.stats import mannwhitneyu

    better, worse = (a, b) if higher_is_better else (b, a)
    u = mannwhitneyu(better, worse, method="asymptotic").statistic
    return float(u) / (len(a) * len(b))
