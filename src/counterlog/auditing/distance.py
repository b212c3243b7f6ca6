"""How far real and synthetic counts are apart, beyond what parts of the real log are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse, stats

from counterlog.auditing.batch import Batch
from counterlog.auditing.finding import Finding, Status, number
from counterlog.auditing.resample import MIN_USERS, percentile_interval

#: Random splits of the users.
SPLITS = 100
MEANT = (
    "The batch was made under an intervention, so a difference here is meant and no fault; compare the outcome given "
    "the item instead."
)
TUNE = (
    "Look at the fit (converged? right outcome family?) before training on these rows, or generate from another model."
)


@dataclass(frozen=True)
class LikenessThresholds:
    """When a difference between real and synthetic rows is worth a word.

    Distances are total variations (the share of rows that would have to change) beyond that of two parts of the real
    log: at a twentieth a histogram looks different, at a quarter it is another one. ``quantile`` is how sure it must
    be that there is a difference at all. ``review_activity`` is a Kolmogorov distance
    between numbers of rows a user over their mean. ``review_unseen``: synthetic rows of items that the log does not
    know; some are meant where items are cold. ``review_order``: the least correlation of item means, as a part of what
    two samples of these sizes would show.
    """

    review_excess: float = 0.05
    fail_excess: float = 0.25
    quantile: float = 0.998
    review_activity: float = 0.2
    review_unseen: float = 0.0
    fail_unseen: float = 0.5
    review_order: float = 0.5
    fail_order: float = 0.0


def distance_finding(
    name: str,
    what: str,
    real: sparse.csr_array,
    made: sparse.csr_array,
    batch: Batch,
    limits: LikenessThresholds,
    rng: np.random.Generator,
    details: dict[str, Any],
    sees: str,
    cannot_see: str,
) -> Finding:
    """A finding on the total variation between real and synthetic counts, both ``[cells, users]``."""
    counted = float(_variation(real.sum(axis=1)[:, None], made.sum(axis=1)[:, None])[0])
    users = min(np.count_nonzero(real.sum(axis=0)), np.count_nonzero(made.sum(axis=0)))
    excess, interval, chance, sure = counted, None, 0.0, counted >= limits.fail_excess
    if users >= MIN_USERS:
        between, within = halves(real, made, rng)
        chance = float(within.mean())
        beyond = (between - within) / np.maximum(1 - within, 1e-9)
        excess = float(beyond.mean())
        interval = percentile_interval(beyond)
        sure = excess > float(stats.norm.ppf(limits.quantile)) * float(beyond.std())
    status: Status = "PASS"
    if sure and excess >= limits.review_excess and not batch.intervened:
        status = "FAIL" if excess >= limits.fail_excess else "REVIEW"
    told = (
        f"90% interval {number(interval[0])} to {number(interval[1])} over {SPLITS} random splits of the users"
        if interval
        else f"no interval: {users} users are too few"
    )
    meant = MEANT if batch.intervened else "No evidence against likeness here; nothing to do for this point."
    return Finding(
        name=name,
        quantity="total variation beyond chance",
        status=status,
        value=excess,
        interval=interval,
        message=(
            f"Real and synthetic rows differ in {what} by a total variation of {number(excess)} beyond that of two "
            f"halves of the real log ({told}); as counted it is {number(counted)}."
        ),
        advice=meant if status == "PASS" else TUNE,
        details={
            "distance_counted": counted,
            "distance_of_halves": chance,
            "meant_to_differ": batch.intervened,
            **details,
        },
        sees=sees,
        cannot_see=cannot_see,
    )


def halves(real: sparse.csr_array, made: sparse.csr_array, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Total variations ``[SPLITS]`` of real to synthetic users and of real to other real users, all samples of one
    size.

    The users of the real log are split at random; the first part is compared with as many rows of random synthetic
    users and with the second part. Both distances carry the same counting noise, so that it cancels in their
    difference, however sparse the counts; over halves, the spread of the difference is that of the whole (the
    delete-half jackknife).
    """
    n_real, n_made = float(real.sum()), float(made.sum())
    rows = min(n_real / 2, n_made)
    between, within = np.empty(SPLITS), np.empty(SPLITS)
    step = max(1, min(SPLITS, int(64_000_000 // (4 * max(*real.shape, *made.shape)))))
    for start in range(0, SPLITS, step):
        size = min(step, SPLITS - start)
        draw = rng.random((real.shape[1], size))
        share = rows / n_real
        first = real @ (draw < share).astype(np.float32)
        second = real @ (draw >= 1 - share).astype(np.float32)
        other = made @ (rng.random((made.shape[1], size)) < rows / n_made).astype(np.float32)
        between[start : start + size] = _variation(first, other)
        within[start : start + size] = _variation(first, second)
    return between, within


def _variation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return 0.5 * np.abs(_shares(a.astype(np.float64)) - _shares(b.astype(np.float64))).sum(axis=0)


def _shares(counts: np.ndarray) -> np.ndarray:
    total = counts.sum(axis=0)
    return counts / np.where(total > 0, total, 1)
