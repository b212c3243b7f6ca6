"""Do synthetic outcomes know the good items from the bad?"""

from __future__ import annotations

import numpy as np

from counterlog.auditing.batch import Batch
from counterlog.auditing.exposed import Exposed
from counterlog.auditing.finding import LEVEL, Finding, Status, number

#: Outcomes that an item needs in both logs, and items that are needed.
_ROWS, _ITEMS, _SPLITS = 5, 10, 20


def check_outcome_by_item(
    exposed: Exposed, batch: Batch, review: float, fail: float, rng: np.random.Generator
) -> Finding | None:
    """Correlation of the items' mean outcomes, real against synthetic, beside what two real samples would show.

    The latter comes from halves of the real users (Spearman and Brown's formula takes them to the sizes at hand). None
    where fewer than 10 items have 5 outcomes in both, or where the real item means are noise (halves that hardly
    agree).
    """
    if exposed.outcome is None or batch.outcome is None:
        return None
    keep, made = exposed.known(exposed.outcome), (batch.items >= 0) & np.isfinite(batch.outcome)
    items, users, y = exposed.items[keep], exposed.users[keep], exposed.outcome[keep]
    n = exposed.n_items
    real_n, real_sum = np.bincount(items, minlength=n), np.bincount(items, weights=y, minlength=n)
    made_n = np.bincount(batch.items[made], minlength=n)
    made_sum = np.bincount(batch.items[made], weights=batch.outcome[made], minlength=n)
    both = (real_n >= _ROWS) & (made_n >= _ROWS)
    if both.sum() < _ITEMS:
        return None
    halves = []
    for _ in range(_SPLITS):
        first = rng.random(exposed.n_users)[users] < 0.5
        a_n, a_sum = np.bincount(items[first], minlength=n), np.bincount(items[first], weights=y[first], minlength=n)
        usable = both & (a_n > 0) & (real_n > a_n)
        if usable.sum() >= _ITEMS:
            halves.append(
                _correlation(a_sum[usable] / a_n[usable], (real_sum - a_sum)[usable] / (real_n - a_n)[usable])
            )
    half = float(np.mean(halves)) if halves else 0.0
    # Fisher's z: its standard error is about that of independent pairs.
    if np.arctanh(min(half, 0.999)) < 2 / np.sqrt(both.sum() - 3):
        return None
    half = min(half, 0.999)
    real_rel = 2 * half / (1 + half)
    ratio = float(np.median(made_n[both] / real_n[both]))
    made_rel = 1 / (1 + (1 / real_rel - 1) / ratio)
    expected = float(np.sqrt(real_rel * made_rel))
    found = _correlation(real_sum[both] / real_n[both], made_sum[both] / made_n[both])
    z = np.arctanh(np.clip(found, -0.999999, 0.999999))
    reach = 1.645 / np.sqrt(both.sum() - 3)
    low, high = float(np.tanh(z - reach)), float(np.tanh(z + reach))
    status: Status = "PASS"
    if high < review * expected:
        status = "FAIL" if high <= fail and not batch.intervened else "REVIEW"
    return Finding(
        name="likeness_outcome_by_item",
        quantity="correlation of item means, real and synthetic",
        status=status,
        value=found,
        interval=(low, high),
        message=(
            f"Over {int(both.sum()):,} items the mean outcomes of real and synthetic rows correlate with "
            f"{number(found)} ({LEVEL:.0%} interval {number(low)} to {number(high)}, Fisher's z over items); two real "
            f"samples of these sizes would reach {number(expected)}."
        ),
        advice=(
            "No evidence that the synthetic outcomes mistake the items; nothing to do for this point."
            if status == "PASS"
            else "The synthetic outcomes do not order the items as the real ones do: check the fit before training on "
            "them."
        ),
        details={
            "expected": expected,
            "items": int(both.sum()),
            "reliability_real": real_rel,
            "meant_to_differ": batch.intervened,
        },
        sees="Outcomes that ignore the item, or have the items the wrong way round.",
        cannot_see=(
            "Differences between users given the item. Under an intervention the real item means carry the log's "
            "selection, so that even perfect rows do not reach the expected correlation."
        ),
    )


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 0.0
