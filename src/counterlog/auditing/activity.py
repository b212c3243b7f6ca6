"""Does the log speak for its users, or for a few busy ones? And was it logged what they were shown?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from counterlog.auditing.exposed import Exposed
from counterlog.auditing.finding import Finding, Status, number, percent
from counterlog.auditing.resample import MIN_USERS, corrected, replicate, stacked_sums
from counterlog.logs.log import InteractionLog


@dataclass(frozen=True)
class ActivityThresholds:
    """When busy users are worth a word.

    The effective number of users is (sum n)^2 / sum n^2 for n exposures a user: a mean over events is about as sure as
    one over that many equally busy users. Lognormal activity, as recommenders usually have it, leaves 37% of the users
    at a log-sd of 1 and 10% at 1.5; below 5% a few users dominate, and below 1% one robot may be most of the log.
    Fewer than 5 effective users are no population, but in a small log they may be chance.
    """

    review_effective_share: float = 0.05
    fail_effective_share: float = 0.01
    review_effective_users: float = 5.0


def check_activity(exposed: Exposed, thresholds: ActivityThresholds, rng: np.random.Generator) -> Finding:
    """How evenly exposures are spread over users, by the effective number of users."""
    counts = exposed.by_user[exposed.by_user > 0].astype(float)
    users = len(counts)
    effective = float(counts.sum() ** 2 / (counts @ counts)) if users else 0.0
    share = effective / users if users else 0.0
    few = effective < thresholds.review_effective_users
    status: Status = "PASS"
    if share < thresholds.fail_effective_share or (few and share < thresholds.review_effective_share):
        status = "FAIL"
    elif share < thresholds.review_effective_share or few:
        status = "REVIEW"
    interval = None
    if users >= MIN_USERS:
        # Each user is one code of their own: a replicate is the users drawn, with what each has.
        weights = _activity_replicates(counts, rng)
        _, interval = corrected(effective, weights)
    busiest = np.sort(counts)[::-1][: max(1, users // 100)].sum() / counts.sum() if users else 0.0
    who = f"{'Only ' * (users < MIN_USERS)}{users:,} user{'s have' if users != 1 else ' has'} exposures"
    method = (
        f", 90% interval {number(interval[0])} to {number(interval[1])} by a bootstrap of users" if interval else ""
    )
    return Finding(
        name="user_activity",
        quantity="effective number of users",
        status=status,
        value=effective,
        interval=interval,
        message=(
            f"{who}; they weigh in a mean over events like {number(effective)} equally busy ones{method}, and the "
            f"busiest {'1%' if users >= 100 else 'one'} account for {percent(float(busiest))} of the exposures."
        ),
        advice=(
            "Nothing to do for this point."
            if status == "PASS"
            else "Report means by user (each user once) beside means by event, and trust no interval that treats "
            "events as independent."
        ),
        details={
            "users": users,
            "effective_users": effective,
            "effective_share": share,
            "busiest_share": float(busiest),
        },
        sees="Logs in which a few users, robots perhaps, do most of what is seen.",
        cannot_see="Users who left no event, and one person under several ids.",
    )


def _activity_replicates(counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Effective numbers of users in bootstrap samples, at the size of the log."""
    # The scale keeps squares of large counts inside single precision.
    scaled = counts / counts.max()
    sums = stacked_sums(np.arange(len(counts)), len(counts), scaled, scaled**2)

    def effective(block: np.ndarray) -> np.ndarray:
        first, second = block.astype(np.float64)
        return np.where(second > 0, first**2 / np.where(second > 0, second, 1), np.nan)

    return replicate(sums, effective, rng)


def check_what_was_shown(log: InteractionLog, exposed: Exposed) -> Finding:
    """Is it known what was shown and not taken? A log of positive outcomes alone cannot say."""
    outcome = exposed.outcome
    known = outcome[np.isfinite(outcome)] if outcome is not None else np.empty(0)
    kind = log.roles.outcome_kind
    unexposed = log.exposure is not None and bool(np.any(log.exposure == 0))
    share = float(np.mean(known > 0)) if len(known) and kind != "rating" else None
    taken = kind in ("click", "count") and len(known) > 0 and bool(np.all(known > 0))
    always = kind == "positive" and len(known) == exposed.rows > 0 and not unexposed
    status: Status = "REVIEW"
    if log.exposure is None and taken:
        message = (
            f"All {exposed.rows:,} rows are positive outcomes and exposure was not logged: what else was shown, and "
            "not taken, is unknown."
        )
    elif log.exposure is None:
        message = (
            f"The {exposed.rows:,} rows are interactions only: it is unknown which of the other user-item pairs were "
            "shown, and whether these rows exist because of their outcome."
        )
    elif taken or always:
        message = (
            f"Every one of the {exposed.rows:,} exposed rows has a positive outcome, so exposure was probably filled "
            "in from the outcome: what was shown and not taken is unknown."
        )
    else:
        status = "PASS"
        message = f"Exposure is logged: {exposed.rows:,} of {log.rows:,} rows were shown" + (
            f", and {percent(share)} of these have a positive outcome." if share is not None else "."
        )
    return Finding(
        name="what_was_shown",
        quantity="share of exposures with a positive outcome",
        status=status,
        value=share,
        interval=None,
        message=message,
        advice=(
            "Nothing to do for this point."
            if status == "PASS"
            else "Log impressions if you can. Until then use a model that treats exposure as latent (latent_exposure) "
            "or lets the outcome cause it (self_selection), and check it on a randomised part of the traffic."
        ),
        details={
            "exposure_logged": log.exposure is not None,
            "rows": log.rows,
            "exposed_rows": exposed.rows,
            "positive_share": share,
        },
        sees="Logs without impressions, and exposure columns that were made up from outcomes.",
        cannot_see="Impressions that were dropped for some users, items or devices only.",
    )
