"""Does the outcome move with the rank in the slate, or with how often an item was shown?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from counterlog.auditing.exposed import Exposed
from counterlog.auditing.finding import Finding, Status, number
from counterlog.auditing.resample import trend, trend_interval, two_sided


@dataclass(frozen=True)
class PositionThresholds:
    """When a trend over positions is worth a word.

    ``alpha`` keeps false alarms to 1 in 200. ``review_change`` and ``fail_change`` are relative to the mean outcome,
    from the first to the 95th percentile position: 10% is below what users' attention usually makes of ten positions,
    a half is plain position bias. FAIL asks for ten times the evidence.
    """

    alpha: float = 0.005
    fail_alpha: float = 0.0005
    review_change: float = 0.1
    fail_change: float = 0.5


@dataclass(frozen=True)
class SelectionThresholds:
    """When outcomes that move with popularity are worth a word.

    The change from the least to the most shown item is in standard deviations of the outcome; a fifth is what Cohen
    calls small. ``alpha`` keeps false alarms to 1 in 200.
    """

    alpha: float = 0.005
    review_change: float = 0.2


def check_position(exposed: Exposed, thresholds: PositionThresholds) -> Finding:
    """Trend of the outcome over log(position), robust to clusters of users and of items."""
    y, x, users, items = _rows(exposed, exposed.position)
    logs = np.log(np.maximum(x, 1))
    slope, error, freedom = trend(logs, y, users, items)
    reach = float(np.quantile(logs, 0.95) - logs.min()) if len(logs) else 0.0
    mean = float(y.mean()) if len(y) else 0.0
    change = slope * reach
    relative = abs(change) / abs(mean) if mean else 0.0
    p = two_sided(slope, error, freedom)
    status: Status = "PASS"
    if p < thresholds.alpha and relative >= thresholds.review_change:
        sure = p < thresholds.fail_alpha and relative >= thresholds.fail_change
        status = "FAIL" if sure else "REVIEW"
    bounds = trend_interval(slope, error, freedom)
    interval = None if bounds is None else (bounds[0] * reach, bounds[1] * reach)
    last = float(np.exp(logs.min() + reach)) if len(logs) else 0.0
    within = _within_items(logs, y, users, items)
    told = (
        "no interval: one position, or one user or item"
        if interval is None
        else (
            f"90% interval {number(interval[0])} to {number(interval[1])}: least squares on log position, errors "
            "clustered by user and item"
        )
    )
    return Finding(
        name="position",
        quantity="change of the mean outcome from the first to the last positions",
        status=status,
        value=change,
        interval=interval,
        message=(
            f"From the first position to position {last:.0f} the mean outcome changes by {number(change)}, where it is "
            f"{number(mean)} over all ({told})."
        ),
        advice=(
            "No evidence against the same outcome at every position; nothing to do for this point."
            if status == "PASS"
            else "Model examination by position (position_examination) before comparing items, and randomise "
            "positions on a little traffic to tell attention from quality."
        ),
        details={
            "relative_change": relative,
            "p_value": p,
            "rows": len(y),
            "within_items_change": None if within is None else within[0] * reach,
            "by_position": by_position(exposed),
        },
        sees="Outcomes that fall, or rise, with the rank in the slate.",
        cannot_see=(
            "Whether users look less at low positions or worse items are put there: the change within items, in the "
            "details, holds the item fixed but not the user's taste. A trend that goes up and down again may be "
            "missed."
        ),
    )


def check_outcome_by_popularity(exposed: Exposed, thresholds: SelectionThresholds) -> Finding:
    """Trend of the outcome over how often an item was shown: a trace of exposure that depends on the outcome."""
    ranks = popularity_rank(exposed.by_item)
    y, x, users, items = _rows(exposed, ranks[exposed.items])
    slope, error, freedom = trend(x, y, users, items)
    sd = float(y.std()) if len(y) else 0.0
    relative = abs(slope) / sd if sd > 0 else 0.0
    p = two_sided(slope, error, freedom)
    status: Status = "PASS"
    if p < thresholds.alpha and relative >= thresholds.review_change:
        status = "REVIEW"
    interval = trend_interval(slope, error, freedom)
    told = (
        "no interval: too few users or items"
        if interval is None
        else (
            f"90% interval {number(interval[0])} to {number(interval[1])}: least squares on the popularity rank, "
            "errors clustered by user and item"
        )
    )
    return Finding(
        name="outcome_by_popularity",
        quantity="change of the mean outcome from the least to the most shown item",
        status=status,
        value=slope,
        interval=interval,
        message=f"From the least to the most shown item the mean outcome changes by {number(slope)} ({told}).",
        advice=(
            "No evidence that exposure followed the outcome over items; nothing to do for this point."
            if status == "PASS"
            else "Exposure and outcome share causes, so a mean over events is not a mean over items: fit a model in "
            "which preference, or the outcome itself, drives exposure, and ask for the effect under exposure=1."
        ),
        details={"change_in_sd": relative, "p_value": p, "rows": len(y), "by_decile": by_decile(exposed)},
        sees="Items that were shown more and did better, or worse: exposure and outcome with a common cause.",
        cannot_see="Selection that works user by user and cancels out over items.",
    )


def popularity_rank(counts: np.ndarray) -> np.ndarray:
    """float64 ``[items]`` in [0, 1]: the rank of each item by exposures, ties sharing their mean rank."""
    values, inverse, sizes = np.unique(counts, return_inverse=True, return_counts=True)
    middle = np.cumsum(sizes) - (sizes + 1) / 2
    return (middle / max(len(counts) - 1, 1))[inverse] if len(values) > 1 else np.full(len(counts), 0.5)


def by_position(exposed: Exposed, most: int = 30) -> list[dict[str, Any]]:
    """Mean outcome with a 90% interval at each of the first positions; the rest together.

    The intervals treat users as clusters. Keys ``position, rows, mean, low, high``.
    """
    y, x, users, _ = _rows(exposed, exposed.position)
    values = np.unique(x)
    codes = np.minimum(np.searchsorted(values, x), most)
    labels = [f"{v:g}" for v in values[:most]] + ([f"{values[most]:g}+"] if len(values) > most else [])
    return grouped_means(codes, y, users, labels, "position")


def by_decile(exposed: Exposed) -> list[dict[str, Any]]:
    """Mean outcome by decile of item popularity (1: the tenth of the items that was shown least). Keys as
    `by_position`.
    """
    ranks = popularity_rank(exposed.by_item)[exposed.items]
    y, x, users, _ = _rows(exposed, ranks)
    codes = np.minimum((x * 10).astype(int), 9)
    return grouped_means(codes, y, users, [str(d) for d in range(1, 11)], "decile")


def grouped_means(
    codes: np.ndarray, y: np.ndarray, users: np.ndarray, labels: list[str], key: str
) -> list[dict[str, Any]]:
    """Mean of ``y`` a group with a 90% interval that treats users as clusters; groups without rows are left out."""
    n_users = int(users.max()) + 1 if len(users) else 1
    lowest, highest = (float(y.min()), float(y.max())) if len(y) else (0.0, 0.0)
    found = []
    order = np.argsort(codes, kind="stable")
    edges = np.searchsorted(codes[order], np.arange(len(labels) + 1))
    for group, label in enumerate(labels):
        rows = order[edges[group] : edges[group + 1]]
        if not len(rows):
            continue
        mean = float(y[rows].mean())
        sums = np.bincount(users[rows], weights=y[rows] - mean, minlength=n_users)
        clusters = int(np.count_nonzero(np.bincount(users[rows], minlength=n_users)))
        half = 1.645 * float(np.sqrt(sums @ sums * clusters / max(clusters - 1, 1))) / len(rows)
        # A mean cannot leave the range of the outcomes, as a normal interval may.
        bounds = (max(mean - half, lowest), min(mean + half, highest)) if clusters > 1 else (None, None)
        found.append({key: label, "rows": len(rows), "mean": mean, "low": bounds[0], "high": bounds[1]})
    return found


def _within_items(
    x: np.ndarray, y: np.ndarray, users: np.ndarray, items: np.ndarray
) -> tuple[float, float, int] | None:
    """The trend with every item compared to itself only; None if no item was at two positions."""
    if not len(items):
        return None
    sizes = np.maximum(np.bincount(items), 1)
    x = x - (np.bincount(items, weights=x) / sizes)[items]
    y = y - (np.bincount(items, weights=y) / sizes)[items]
    return trend(x, y, users, items) if float(x @ x) > 1e-9 else None


def _rows(exposed: Exposed, x: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Outcome, ``x``, users and items of the exposed rows that have both."""
    empty = np.empty(0)
    if exposed.outcome is None or x is None:
        return empty, empty, np.empty(0, np.int64), np.empty(0, np.int64)
    keep = exposed.known(exposed.outcome, x)
    return exposed.outcome[keep], x[keep], exposed.users[keep], exposed.items[keep]
