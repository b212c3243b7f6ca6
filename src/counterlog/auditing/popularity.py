"""Is exposure concentrated on few items, beyond what chance does to evenly shown ones?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from counterlog.auditing.exposed import Exposed, by_user
from counterlog.auditing.finding import Finding, Status, number, percent
from counterlog.auditing.resample import MIN_USERS, corrected, replicate, user_sums


@dataclass(frozen=True)
class PopularityThresholds:
    """When concentration of exposure is worth a word.

    ``excess`` is the part of the way from "evenly shown, counted in a log of this size" (0) to "one item has
    everything" (1) that the log has gone. 0.05 is about the smallest that moves a mean over events visibly away from a
    mean over items; 0.4 is where the most shown fifth of the items holds about two thirds of all exposures, so that a
    mean over events is a mean over those. Top and tail shares are told as ratios to what chance gives: 2 is easily
    seen in a plot; at 5 one item in a hundred outweighs what five should.
    ``deviations`` above the chance distribution are asked for before anything is said: a normal tail of 1 in 740.
    """

    review_excess: float = 0.05
    fail_excess: float = 0.4
    review_top_ratio: float = 2.0
    fail_top_ratio: float = 5.0
    fail_top_share: float = 0.2
    review_tail_ratio: float = 0.75
    fail_tail_ratio: float = 0.33
    deviations: float = 3.0


#: Exposures an item from which the first-order correction is good: below, the interval covers less than it says.
_DENSE = 20

SEES = "Items that were shown much more often than others, whatever made it so."
CANNOT_SEE = (
    "Why: a popular item may be shown more because it is better liked. Items that are in neither the log nor an item "
    "table, and exposures that were not logged, are not counted."
)
ADVICE = (
    "Do not read a mean over these events as a mean over the catalogue. Fit a model in which popularity drives "
    "exposure, and ask for effects under exposure=1; or weight by propensities, if their overlap is good."
)
FINE = "Nothing to do for this point. No evidence against even exposure is not a proof of it."


@dataclass(frozen=True, eq=False)
class Shape:
    """How exposure is spread over items: counted, over bootstrap samples of users, and by chance among evenly shown
    items.

    Each array has the columns Gini, share of the most exposed 1% of items, share of items that hold 80% of exposures;
    ``counted`` ``[3]``, ``replicates`` ``[B, 3]`` (none with fewer than 10 users), ``chance`` ``[C, 3]``.
    """

    counted: np.ndarray
    replicates: np.ndarray
    chance: np.ndarray
    exposures: int
    users: int
    items: int
    never_exposed: int


def exposure_shape(exposed: Exposed, rng: np.random.Generator) -> Shape:
    """Count, bootstrap and simulate the spread of exposures over all known items."""
    counts = exposed.by_item
    if exposed.active_users >= MIN_USERS:
        sums = user_sums(exposed.items, exposed.users, None, (exposed.n_items, exposed.n_users))
        replicates = replicate(sums, spread, rng)
    else:
        replicates = np.empty((0, 3))
    return Shape(
        counted=spread(counts[:, None].astype(float))[0],
        replicates=replicates,
        chance=_chance(exposed.rows, exposed.n_items, rng),
        exposures=exposed.rows,
        users=exposed.active_users,
        items=exposed.n_items,
        never_exposed=int(np.count_nonzero(counts == 0)),
    )


def spread(counts: np.ndarray) -> np.ndarray:
    """Gini, top-1% share and share of items holding 80%, ``[block, 3]``, of counts ``[items, block]``; NaN without
    counts.

    Gini is the mean absolute difference over twice the mean; the top 1% is at least one item.
    """
    ordered = np.sort(counts.T, axis=1).astype(np.float64)
    n = ordered.shape[1]
    total = ordered.sum(axis=1)
    safe = np.where(total > 0, total, np.nan)
    gini = 2 * (ordered @ np.arange(1.0, n + 1)) / (n * safe) - (n + 1) / n
    top = ordered[:, n - max(1, n // 100) :].sum(axis=1) / safe
    from_top = np.cumsum(ordered[:, ::-1], axis=1)
    holding = (from_top < 0.8 * safe[:, None] * (1 - 1e-12)).sum(axis=1) + 1.0
    return np.stack([gini, top, np.where(total > 0, holding / n, np.nan)], axis=1)


def _chance(events: int, items: int, rng: np.random.Generator) -> np.ndarray:
    """The spread ``[C, 3]`` that chance alone gives to ``events`` exposures of ``items`` evenly shown items."""
    draws = int(np.clip(4_000_000 // max(items, 1), 40, 400))
    block = int(np.clip(8_000_000 // max(items, 1), 1, draws))
    even = np.full(items, 1 / items)
    parts = []
    for start in range(0, draws, block):
        size = min(block, draws - start)
        if events > 50 * items:  # a multinomial of many is a normal that sums to zero, and cheaper
            noise = rng.standard_normal((items, size)) * np.sqrt(events / items)
            parts.append(spread(np.maximum(events / items + noise - noise.mean(axis=0), 0)))
        else:
            parts.append(spread(rng.multinomial(events, even, size).T))
    return np.concatenate(parts)


def check_gini(shape: Shape, thresholds: PopularityThresholds) -> Finding:
    """Concentration of exposure over items by the Gini coefficient."""
    counted = float(shape.counted[0])
    mean, sd = _chance_moments(shape, 0)
    excess = (counted - mean) / (1 - mean) if mean < 1 else 0.0
    status: Status = "PASS"
    if excess >= thresholds.review_excess and counted > mean + thresholds.deviations * sd:
        status = "FAIL" if excess >= thresholds.fail_excess else "REVIEW"
    estimate, interval = corrected(counted, shape.replicates[:, 0])
    word = {"PASS": "about as evenly as chance would", "REVIEW": "unevenly", "FAIL": "very unevenly"}[status]
    return Finding(
        name="popularity_gini",
        quantity="Gini of exposure over items, without counting noise",
        status=status,
        value=estimate,
        interval=interval,
        message=(
            f"Exposure is spread over items {word}: Gini {number(counted)} as counted, where evenly shown items would "
            f"give {number(mean)} in a log of this size{_interval_text(shape, estimate, interval)}."
        ),
        advice=FINE if status == "PASS" else ADVICE,
        details={
            "gini_counted": counted,
            "gini_by_chance": mean,
            "excess": excess,
            "bootstrap_mean": float(np.nanmean(shape.replicates[:, 0])) if len(shape.replicates) else None,
            "items": shape.items,
            "exposures": shape.exposures,
        },
        sees=SEES,
        cannot_see=CANNOT_SEE,
    )


def check_top_items(
    shape: Shape, thresholds: PopularityThresholds, most_exposed: Sequence[Mapping[str, Any]] = ()
) -> Finding:
    """Share of exposures that the most exposed 1% of items hold, at least one; ``most_exposed`` goes into the
    details.
    """
    counted = float(shape.counted[1])
    mean, sd = _chance_moments(shape, 1)
    ratio = counted / mean if mean > 0 else 1.0
    status: Status = "PASS"
    if ratio >= thresholds.review_top_ratio and counted > mean + thresholds.deviations * sd:
        heavy = ratio >= thresholds.fail_top_ratio and counted >= thresholds.fail_top_share
        status = "FAIL" if heavy else "REVIEW"
    estimate, interval = corrected(counted, shape.replicates[:, 1])
    top = max(1, shape.items // 100)
    return Finding(
        name="popularity_top_1pct",
        quantity="share of exposures of the top 1% of items, without counting noise",
        status=status,
        value=estimate,
        interval=interval,
        message=(
            f"The most exposed {f'{top:,} items' if top > 1 else 'item'} of {shape.items:,} hold{'s' * (top == 1)} "
            f"{percent(counted)} of all exposures as counted; {percent(mean)} would be chance in a log of this size"
            f"{_interval_text(shape, estimate, interval)}."
        ),
        advice=FINE
        if status == "PASS"
        else "See whether these items were meant to be shown so much (campaigns, defaults, one item under test). A "
        "policy learnt from this log will show them again: simulate under exposure=uniform before training on it.",
        details={
            "share_counted": counted,
            "share_by_chance": mean,
            "ratio": ratio,
            "top_items": top,
            "most_exposed": list(most_exposed),
        },
        sees=SEES,
        cannot_see=CANNOT_SEE,
    )


def check_long_tail(shape: Shape, thresholds: PopularityThresholds) -> Finding:
    """Share of items that together hold 80% of all exposures, the most exposed first."""
    counted = float(shape.counted[2])
    mean, sd = _chance_moments(shape, 2)
    ratio = counted / mean if mean > 0 else 1.0
    status: Status = "PASS"
    if ratio <= thresholds.review_tail_ratio and counted < mean - thresholds.deviations * sd:
        status = "FAIL" if ratio <= thresholds.fail_tail_ratio else "REVIEW"
    estimate, interval = corrected(counted, shape.replicates[:, 2])
    return Finding(
        name="long_tail",
        quantity="share of items that hold 80% of exposures, without counting noise",
        status=status,
        value=estimate,
        interval=interval,
        message=(
            f"{percent(counted)} of the items hold 80% of all exposures as counted, where evenly shown items would "
            f"need {percent(mean)}; {shape.never_exposed:,} of {shape.items:,} known items were never exposed"
            f"{_interval_text(shape, estimate, interval)}."
        ),
        advice=FINE
        if status == "PASS"
        else "Say little about single items of the tail: their numbers rest on few events. Report effects by "
        "popularity, and consider a batch simulated under exposure=uniform to fill the tail.",
        details={
            "share_counted": counted,
            "share_by_chance": mean,
            "never_exposed": shape.never_exposed,
            "never_exposed_share": shape.never_exposed / max(shape.items, 1),
        },
        sees="Items for which the log says next to nothing.",
        cannot_see=CANNOT_SEE,
    )


def _chance_moments(shape: Shape, column: int) -> tuple[float, float]:
    values = shape.chance[:, column]
    return float(values.mean()), float(values.std(ddof=1))


def _interval_text(shape: Shape, estimate: float, interval: tuple[float, float] | None) -> str:
    if interval is None:
        return f" (no interval: {by_user(shape.exposures, shape.users)} are too few)"
    rest = "" if shape.exposures >= _DENSE * shape.items else " to first order, so some counting noise is left in it"
    return (
        f" (without counting noise {number(estimate)}, 90% interval {number(interval[0])} to {number(interval[1])}: "
        f"bootstrap of {shape.users:,} users, corrected for its bias{rest})"
    )
