"""`independences`: what the graph says must be independent, tested on the log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from counterlog import rng as _rng
from counterlog.errors import InputError
from counterlog.identification.implied import implied
from counterlog.identification.question import masked
from counterlog.identification.residuals import numbers, residuals

if TYPE_CHECKING:
    from counterlog.logs import InteractionLog
    from counterlog.model import SCM

#: Fewer rows, users or items than these say nothing.
ROWS, CLUSTERS = 200, 10


@dataclass(frozen=True)
class Independence:
    """An independence of two columns that the graph implies, and what the log says to it.

    ``statistic`` is a t value of the generalised covariance, None where there was no test (``note`` says why);
    ``p_value`` is that of this one test; ``rejected`` holds for all tests of the graph together at the stated level
    (Holm).
    """

    a: str
    b: str
    given: tuple[str, ...]
    statistic: float | None
    p_value: float | None
    rejected: bool
    rows: int
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """The result as data."""
        return {
            "a": self.a,
            "b": self.b,
            "given": list(self.given),
            "statistic": self.statistic,
            "p_value": self.p_value,
            "rejected": self.rejected,
            "rows": self.rows,
            "note": self.note,
        }

    def to_text(self) -> str:
        """The result in words."""
        said = f"{self.a} independent of {self.b}" + (f" given {', '.join(self.given)}" if self.given else "")
        if self.statistic is None or self.p_value is None:
            return f"{said}: not tested, {self.note}"
        against = "contradicted by the log" if self.rejected else "no evidence against it"
        return f"{said}: {against} (t = {self.statistic:.2f}, p = {self.p_value:.2g}, {self.rows:,} rows)"

    def __str__(self) -> str:
        return self.to_text()


def independences(
    scm: SCM,
    log: InteractionLog,
    level: float = 0.01,
    *,
    rng: int = 0,
    limit: int = 20_000,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Independence, ...]:
    """Test on a log the conditional independences among its columns that the program's graph implies.

    One test for each pair of seen sites that a set of seen sites separates (d-separation; unseen sites marginalised),
    given a smallest such set, all features of users and items, and the context columns that are no site: a program
    takes these as given. The statistic is the generalised covariance measure (Shah and Peters 2020, Annals of
    Statistics 48): the mean product of what is left of either column after a flexible regression, cross-fitted by user.
    Rows of a log are not independent, so its standard error is clustered by user and by item (Cameron, Gelbach and
    Miller 2011).

    Parameters
    ----------
    level
        The probability that any independence of a right graph is rejected, over all tests together (Holm 1979).
    rng
        Seed of the sample and of the regressions.
    limit
        Rows that are tested on at most: those of users drawn at random.
    progress
        Called with the tests done and all tests.

    Returns
    -------
    tuple of Independence
        In the program's order; empty where the graph implies nothing that the columns could contradict. No rejection is
        no proof: the measure sees dependence on average only, and a graph with more edges implies less.

    Raises
    ------
    InputError
        For a level outside (0, 1).
    """
    if not 0.0 < level < 1.0:
        raise InputError(f"level is a false-alarm rate between 0 and 1; given {level}")
    if limit < ROWS:
        raise InputError(f"limit={limit}: a test needs at least {ROWS} rows")
    pairs = implied(scm, log)
    found = []
    for number, (a, b, given) in enumerate(pairs):
        found.append(_tested(scm, log, a, b, given, rng, limit))
        if progress is not None:
            progress(number + 1, len(pairs))
    return _holm(found, level)


def _tested(
    scm: SCM, log: InteractionLog, a: str, b: str, given: tuple[str, ...], rng: int, limit: int
) -> Independence:
    rows = _rows(scm, log, (a, b, *given), rng, limit)
    none = Independence(a, b, given, None, None, False, len(rows))
    users, items = log.user_codes[rows], log.item_codes[rows]
    if len(rows) < ROWS:
        return replace(none, note=f"too few rows: {len(rows):,} of the {ROWS} that a test needs")
    for kind, codes in (("users", users), ("items", items)):
        if len(np.unique(codes)) < CLUSTERS:
            return replace(none, note=f"too few {kind}: {len(np.unique(codes))}, a test needs {CLUSTERS}")
    left, right = (numbers(log, _column(scm, log, name), rows) for name in (a, b))
    for name, values in ((a, left), (b, right)):
        if values.shape[1] == 0 or np.all(np.ptp(values, axis=0) == 0):
            return replace(none, note=f"{name} has one value in these rows")
    causes = _causes(scm, log, given, rows)
    first, second = (residuals(values, causes, users, rng) for values in (left, right))
    products = (first[:, :, None] * second[:, None, :]).reshape(len(rows), -1)
    t = np.array([clustered_t(products[:, k], users, items) for k in range(products.shape[1])])
    from scipy.stats import t as student

    freedom = min(len(np.unique(users)), len(np.unique(items))) - 1
    p = 2.0 * student.sf(np.abs(t), freedom)
    best = int(np.argmin(p))
    return replace(none, statistic=float(t[best]), p_value=float(min(1.0, p[best] * len(p))))


def clustered_t(values: np.ndarray, users: np.ndarray, items: np.ndarray) -> float:
    """The mean of ``values`` over its standard error, clustered by user and by item (Cameron, Gelbach and Miller 2011);
    never below that of either alone.
    """
    centred = values - values.mean()
    by_user, by_item = _cluster_square(centred, users), _cluster_square(centred, items)
    both = float(np.sum(_sums(centred, users * (int(items.max()) + 1) + items) ** 2))
    variance = max(by_user + by_item - both, by_user, by_item)
    return float(values.sum() / np.sqrt(variance)) if variance > 0 else 0.0


def _cluster_square(centred: np.ndarray, codes: np.ndarray) -> float:
    """The sum of squared cluster sums, with the correction for the number of clusters."""
    sums = _sums(centred, codes)
    return float(np.sum(sums**2)) * len(sums) / (len(sums) - 1)


def _sums(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.bincount(np.unique(codes, return_inverse=True)[1], weights=values)
    return found


def _rows(scm: SCM, log: InteractionLog, names: tuple[str, ...], rng: int, limit: int) -> np.ndarray:
    """Rows that have every column; exposed ones only, where the outcome is one of the two and seen only there."""
    keep = np.ones(log.rows, bool)
    if log.exposure is not None and scm.outcome in names[:2] and masked(scm, log):
        keep &= log.exposure == 1
    for name in names:
        column = _column(scm, log, name)
        if column is not None:
            keep &= np.asarray(log.table[column].is_valid().to_numpy(zero_copy_only=False))
    rows = np.flatnonzero(keep)
    if len(rows) <= limit:
        return rows
    users = log.user_codes[rows]
    order = _rng.generator(rng, "independences").permutation(int(users.max()) + 1)
    rank = order[users]
    kept = np.sort(rank)[limit - 1]
    return rows[rank < kept] if np.any(rank < kept) else rows[:limit]


def _column(scm: SCM, log: InteractionLog, name: str) -> Any:
    """The log's column of a site; None where all rows have one value of it because they were selected by it."""
    roles = {scm.outcome: log.roles.outcome, scm.exposure: log.roles.exposure}
    if log.roles.position is not None:
        roles["position"] = log.roles.position
    return roles[name] if name in roles else name


def _causes(scm: SCM, log: InteractionLog, given: tuple[str, ...], rows: np.ndarray) -> np.ndarray:
    """What is conditioned on, float64 ``[rows, p]``, without columns that have one value in these rows."""
    columns = [_column(scm, log, name) for name in given]
    columns += [name for name in log.roles.context if name not in scm.sites()]
    parts = [numbers(log, column, rows) for column in columns if column is not None]
    parts += [log.user_features.values[log.user_codes[rows]], log.item_features.values[log.item_codes[rows]]]
    whole = np.concatenate([part.astype(float) for part in parts], axis=1)
    filled = np.where(np.isfinite(whole), whole, 0.0)
    return filled[:, np.ptp(filled, axis=0) > 0] if len(filled) else filled


def _holm(found: list[Independence], level: float) -> tuple[Independence, ...]:
    """Step down from the smallest p-value (Holm 1979)."""
    tested = sorted((k for k, f in enumerate(found) if f.p_value is not None), key=lambda k: found[k].p_value or 0.0)
    for step, k in enumerate(tested):
        p = found[k].p_value
        if p is None or p > level / (len(tested) - step):
            break
        found[k] = replace(found[k], rejected=True)
    return tuple(found)
