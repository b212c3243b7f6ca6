"""Does a generator repeat real events instead of drawing new ones?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from counterlog.auditing.batch import Batch
from counterlog.auditing.exposed import Exposed
from counterlog.auditing.finding import Finding, Status, percent
from counterlog.auditing.resample import MIN_USERS, percentile_interval, replicate, stacked_sums


@dataclass(frozen=True)
class CopyThresholds:
    """When agreement with real events is too good.

    The share of copied rows is (agreement - chance) / (1 - chance): 1 for a generator that repeats rows, 0 for one
    that draws users, items and outcomes apart. A good model of preference lies a little above 0, since it finds the
    same pairs for the same reason; the models of the zoo stay below a tenth. ``pairings`` random pairings make up the
    chance; of a larger batch, ``rows`` rows are looked up.
    """

    review: float = 0.15
    fail: float = 0.4
    pairings: int = 8
    rows: int = 200_000
    deviations: float = 3.0


def check_copies(exposed: Exposed, batch: Batch, limits: CopyThresholds, rng: np.random.Generator) -> Finding:
    """Share of synthetic rows that repeat a real (user, item, outcome), beyond chance.

    Chance pairs each synthetic user's rows with items and outcomes of other synthetic rows, so that popularity,
    activity and outcomes stay what they are.
    """
    known = np.flatnonzero((batch.users >= 0) & (batch.items >= 0))
    share_known = len(known) / len(batch.users)
    if len(known) > limits.rows:
        known = np.sort(rng.choice(known, limits.rows, replace=False))
    users, items = batch.users[known], batch.items[known]
    outcome = np.zeros(len(users)) if batch.outcome is None else batch.outcome[known]
    real_outcome = np.zeros(exposed.rows) if exposed.outcome is None else exposed.outcome
    levels = np.unique(real_outcome[np.isfinite(real_outcome)])
    real = np.sort(_events(exposed.users, exposed.items, real_outcome, levels, exposed.n_items))
    hit = _among(real, _events(users, items, outcome, levels, exposed.n_items))
    # Rows of unknown users or items are no copies, but they are rows.
    total = len(users) / share_known if share_known else len(batch.users)
    agreement = float(hit.sum() / total)
    by_chance = np.empty(limits.pairings)
    for k in range(limits.pairings):
        order = rng.permutation(len(users))
        paired = _events(users, items[order], outcome[order], levels, exposed.n_items)
        by_chance[k] = _among(real, paired).sum() / total
    chance = float(by_chance.mean())
    copied = (agreement - chance) / (1 - chance) if chance < 1 else 0.0
    noise = float(np.sqrt(max(chance * (1 - chance), 0) / total)) + float(by_chance.std())
    status: Status = "PASS"
    if copied >= limits.review and agreement > chance + limits.deviations * noise:
        status = "FAIL" if copied >= limits.fail else "REVIEW"
    interval = None
    if np.count_nonzero(np.bincount(users, minlength=1)) >= MIN_USERS and chance < 1:
        sums = stacked_sums(users, exposed.n_users, hit, np.ones(len(users)))

        def share(block: np.ndarray) -> np.ndarray:
            same, rows = block.astype(float)
            return np.where(rows > 0, same / np.where(rows > 0, rows, 1), np.nan) * share_known

        interval = percentile_interval((replicate(sums, share, rng) - chance) / (1 - chance))
    told = (
        f", 90% interval {percent(max(interval[0], 0))} to {percent(max(interval[1], 0))} by a bootstrap of synthetic "
        "users"
        if interval
        else ""
    )
    return Finding(
        name="likeness_copies",
        quantity="share of copied rows beyond chance",
        status=status,
        value=copied,
        interval=interval,
        message=(
            f"{percent(agreement)} of the synthetic rows have the user, item and outcome of a real event, where random "
            f"pairing gives {percent(chance)}: about {percent(max(copied, 0))} of the rows are copies beyond "
            f"chance{told}."
        ),
        advice=(
            "No evidence of copying; this says nothing about privacy."
            if status == "PASS"
            else "Do not treat these rows as new data or as private: the generator repeats real events. Draw from a "
            "fitted model instead."
        ),
        details={"agreement": agreement, "by_chance": chance, "noise": noise, "rows": len(users)},
        sees="Generators that resample or memorise the rows of the log.",
        cannot_see="Copies with a small change to each row, copies under new user ids, and what can be inferred "
        "about single users. In a log where nearly every pair occurs, copies look like chance.",
    )


def _events(users: np.ndarray, items: np.ndarray, outcome: np.ndarray, levels: np.ndarray, n_items: int) -> np.ndarray:
    """int64 code of each (user, item, outcome); -1 for an outcome that the real log never has."""
    level = np.minimum(np.searchsorted(levels, outcome), max(len(levels) - 1, 0))
    known = levels[level] == outcome if len(levels) else np.zeros(len(users), bool)
    return np.where(known, (users * n_items + items) * max(len(levels), 1) + level, -1)


def _among(known: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """float64: 1 where a code is among the sorted known ones."""
    at = np.minimum(np.searchsorted(known, codes), max(len(known) - 1, 0))
    return ((known[at] == codes) & (codes >= 0)).astype(float) if len(known) else np.zeros(len(codes))
