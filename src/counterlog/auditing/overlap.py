"""Can weighting by the logged propensities carry an answer, and are they what they claim to be?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from counterlog.auditing.exposed import Exposed
from counterlog.auditing.finding import Finding, Status, number, percent
from counterlog.auditing.resample import MIN_USERS, percentile_interval, replicate, stacked_sums
from counterlog.logs.log import InteractionLog


@dataclass(frozen=True)
class OverlapThresholds:
    """When weights are too uneven to carry an answer.

    The effective sample size of weights w is (sum w)^2 / sum w^2. Below a tenth of the rows the interval of a weighted
    mean is more than three times as wide as the row count suggests; below a hundredth, or below 30 rows in all, the
    normal interval itself is not to be trusted. ``review_half``: the smallest share of rows that carries half of the
    weight (a half if all weigh the same).
    """

    review_share: float = 0.1
    fail_share: float = 0.01
    fail_rows: float = 30.0
    review_half: float = 0.02


@dataclass(frozen=True)
class CalibrationThresholds:
    """When logged propensities do not fit what was shown.

    ``alpha`` is for the chi-squared test over ten bins (Hosmer and Lemeshow with known probabilities); the mean
    absolute gap between shown and promised, relative to the mean propensity, must be worth it as well.
    """

    alpha: float = 0.001
    review_gap: float = 0.05
    fail_gap: float = 0.25
    bins: int = 10


def check_overlap(exposed: Exposed, thresholds: OverlapThresholds, rng: np.random.Generator) -> Finding:
    """Effective sample size of inverse propensity weights for a policy that shows all items alike."""
    keep = exposed.known(exposed.propensity)
    p = exposed.propensity[keep] if exposed.propensity is not None else np.empty(0)
    users = exposed.users[keep]
    positive = p > 0
    p, users = p[positive], users[positive]
    rows = len(p)
    smallest = float(p.min()) if rows else None
    # Relative to the largest weight: a propensity of 1e-300 must not overflow.
    weights = smallest / p if smallest else np.empty(0)
    ess = effective_size(weights)
    share = ess / rows if rows else 0.0
    ordered = np.sort(weights)[::-1]
    half = (int(np.searchsorted(np.cumsum(ordered), ordered.sum() / 2 * (1 - 1e-9))) + 1) / rows if rows else 0.0
    status: Status = "PASS"
    if share < thresholds.fail_share or (ess < thresholds.fail_rows and share < 0.5):
        status = "FAIL"
    elif share < thresholds.review_share or half < thresholds.review_half:
        status = "REVIEW"
    interval = None
    if np.count_nonzero(np.bincount(users, minlength=1)) >= MIN_USERS:
        interval = percentile_interval(_ess_replicates(weights, users, exposed.n_users, rng))
    told = f", 90% interval {number(interval[0])} to {number(interval[1])} by a bootstrap of users" if interval else ""
    return Finding(
        name="propensity_overlap",
        quantity="effective sample size under uniform exposure",
        status=status,
        value=ess,
        interval=interval,
        message=(
            f"Weighted to a policy that shows all items alike, {rows:,} exposures are worth {number(ess)}{told}; "
            f"{percent(half)} of the rows carry half of the weight, and the smallest propensity is "
            f"{number(smallest) if smallest is not None else 'unknown'}."
        ),
        advice=(
            "No evidence against overlap with the uniform policy; other policies need their own check."
            if status == "PASS"
            else "Do not rest an answer on inverse propensity weights alone: use a fitted model or a doubly robust "
            "estimate, ask for a policy nearer to the logged one, or log more exploration."
        ),
        details={
            "ess": ess,
            "ess_share": share,
            "min_propensity": smallest,
            "rows": rows,
            "half_weight_share": half,
            "largest_weight_share": float(ordered[0] / ordered.sum()) if rows else None,
        },
        sees="Few rows that carry most of the weight.",
        cannot_see=(
            "Items that could never be shown: they have no rows, hence no weights. After a bootstrap without the "
            "heaviest row the effective size looks better than it is."
        ),
    )


def check_calibration(log: InteractionLog, thresholds: CalibrationThresholds) -> Finding:
    """Logged propensities against what was shown, in bins of equal size."""
    if log.exposure is None or log.propensity is None:
        shown, p = np.empty(0), np.empty(0)
    else:
        keep = np.isfinite(log.exposure) & np.isfinite(log.propensity)
        shown, p = log.exposure[keep], log.propensity[keep]
    bins = _bins(p, shown, thresholds.bins)
    rows = max(len(p), 1)
    gap = sum(abs(b["shown"] - b["promised"]) * b["rows"] for b in bins) / rows
    noise = sum(np.sqrt(2 / np.pi * b["variance"]) for b in bins) / rows
    chi2 = sum((b["shown"] - b["promised"]) ** 2 * b["rows"] ** 2 / max(b["variance"], 1e-12) for b in bins)
    p_value = float(stats.chi2.sf(chi2, max(len(bins), 1)))
    mean = float(p.mean()) if len(p) else 0.0
    relative = gap / mean if mean else 0.0
    status: Status = "PASS"
    if p_value < thresholds.alpha and relative >= thresholds.review_gap:
        status = "FAIL" if relative >= thresholds.fail_gap else "REVIEW"
    difference = float(shown.mean() - mean) if len(p) else 0.0
    half = 1.645 * float(np.sqrt(np.sum(p * (1 - p)))) / rows
    return Finding(
        name="propensity_calibration",
        quantity="share shown less mean propensity",
        status=status,
        value=difference,
        interval=(difference - half, difference + half),
        message=(
            f"Shown less promised is {number(difference)} on average (90% interval {number(difference - half)} to "
            f"{number(difference + half)}, independent rows), and {number(gap)} in absolute value over {len(bins)} "
            f"bins of propensity, where chance gives {number(noise)} (chi-squared test p = {number(p_value)})."
        ),
        advice=(
            "No evidence against the propensities; nothing to do for this point."
            if status == "PASS"
            else "The propensities do not describe what was shown. Find out which policy they belong to; until then "
            "estimate them with a fit instead of using them as weights."
        ),
        details={
            "mean_absolute_gap": gap,
            "gap_by_chance": noise,
            "p_value": p_value,
            "bins": [{k: v for k, v in b.items() if k != "variance"} for b in bins],
        },
        sees="Propensities that are too high, too low or of another policy.",
        cannot_see="Errors that cancel inside a bin, and confounders that the propensities leave out.",
    )


def effective_size(weights: np.ndarray) -> float:
    """The number of equally weighted rows that estimate as surely: ``(sum w)^2 / sum w^2``; 0 without rows."""
    squares = float(weights @ weights)
    return float(weights.sum() ** 2 / squares) if squares > 0 else 0.0


def _ess_replicates(weights: np.ndarray, users: np.ndarray, n_users: int, rng: np.random.Generator) -> np.ndarray:
    sums = stacked_sums(users, n_users, weights, weights**2)

    def ess(block: np.ndarray) -> np.ndarray:
        first, second = block.astype(np.float64)
        return np.where(second > 0, first**2 / np.where(second > 0, second, 1), np.nan)

    return replicate(sums, ess, rng)


def _bins(p: np.ndarray, shown: np.ndarray, bins: int) -> list[dict[str, float]]:
    """Mean exposure and mean propensity in bins of about equal size, with the variance of the number shown."""
    if not len(p):
        return []
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    codes = np.searchsorted(edges, p, side="left")
    size = np.bincount(codes, minlength=len(edges) + 1)
    sums = [np.bincount(codes, weights=v, minlength=len(edges) + 1) for v in (p, shown, p * (1 - p))]
    return [
        {"rows": int(n), "promised": float(a / n), "shown": float(b / n), "variance": float(v)}
        for n, a, b, v in zip(size, *sums, strict=True)
        if n
    ]
