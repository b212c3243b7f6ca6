"""Posterior predictive checks: does data drawn from the fit look like the log, statistic by statistic?

What it sees: a mechanism of the wrong shape (link, curve over positions, distribution), a missing cause of exposure or
outcome among users, items, features or their products, wherever it changes one of the named statistics.

What it cannot see: a wrong direction of an arrow or an unseen common cause that leaves what is observed as it is; what
would have happened to unexposed cells; and a model so flexible that it fits anything. Data are used twice, once to fit
and once to check, so that p-values are at least as large as they should be (Meng 1994, Annals of Statistics 22): PASS
is weak evidence, REVIEW is strong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from counterlog import rng as _rng
from counterlog.finding import Finding, Status, number
from counterlog.inference.checks.predicted import Predicted, predict_site, units
from counterlog.inference.checks.seen import Seen, exposures, outcomes
from counterlog.inference.checks.statistics import Statistic, statistics

if TYPE_CHECKING:
    from counterlog.inference.cells import Cells
    from counterlog.inference.fit import Fit

SEES = (
    "a mechanism whose draws do not look like the log in this statistic: a wrong link or distribution, a missing cause"
)
CANNOT_SEE = (
    "a wrong arrow or an unseen common cause that leaves the observed data as they are, nor what unexposed cells would "
    "have done; data are used twice, so that a PASS is weak"
)


@dataclass(frozen=True)
class PredictiveThresholds:
    """When a predictive check says REVIEW or FAIL.

    The rates are of all predictive checks of a fit together (Bonferroni): the probability that any says so where the
    model is right, at most. FAIL needs besides a misfit of ``material`` standard deviations of what is compared, since
    any model is significantly wrong in a log that is long enough.
    """

    review: float = 0.03
    fail: float = 0.005
    material: float = 0.1


@dataclass(frozen=True, eq=False)
class Compared:
    """One statistic of the log among those of replicates: all ``[k]``, and the p-value of the most surprising of them,
    corrected for their number. ``worst`` is its index.
    """

    statistic: Statistic
    observed: np.ndarray
    expected: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: float
    worst: int
    size: float


def predictive(
    fit: Fit,
    cells: Cells,
    limit: int,
    replicates: int,
    rng: int,
    thresholds: PredictiveThresholds,
    tick: Callable[[float, str], None],
) -> tuple[list[Finding], dict[str, str]]:
    """A finding for every named statistic of outcome and exposure, and what could not be compared and why."""
    skipped: dict[str, str] = {}
    found: list[tuple[Seen, Compared]] = []
    seed = _rng.derive(rng, "predictive")
    asked = {"outcome": outcomes(fit, cells, limit, seed), "exposure": exposures(fit, cells, limit, seed)}
    for index, (name, seen) in enumerate(asked.items()):
        if isinstance(seen, str):
            skipped[f"{name}_predictive"] = seen
            continue
        part = lambda share, k=index: tick((k + share) / 2, "predictive checks")  # noqa: E731
        found += [(seen, each) for each in compare(fit, seen, replicates, seed, cells is not fit.cells, part)]
    return [_finding(fit, seen, each, len(found), replicates, thresholds) for seen, each in found], skipped


def compare(
    fit: Fit, seen: Seen, replicates: int, rng: int, other: bool, tick: Callable[[float], None]
) -> list[Compared]:
    """Every statistic of a site, of the log and of replicates. ``other`` says that the log was not fitted: residuals
    are then taken from the mean prediction, which did not see it.
    """
    asked = statistics(fit, seen)
    value = units(fit, seen, seen.value)
    predictions: list[Predicted] = []
    observed: list[list[np.ndarray]] = [[] for _ in asked]
    replicated: list[list[np.ndarray]] = [[] for _ in asked]
    for index, draw in enumerate(fit.draws(replicates, rng)):
        predicted = predict_site(fit, seen, draw, rng, index)
        if other:
            predictions.append(predicted)
        else:
            for k, statistic in enumerate(asked):
                observed[k].append(statistic.of(value, predicted))
                replicated[k].append(statistic.of(predicted.replicate, predicted))
        tick((index + 1) / replicates)
    if other:
        mean = np.mean([p.mean for p in predictions], 0)
        square = np.mean([p.sd**2 + p.mean**2 for p in predictions], 0)
        average = Predicted(mean, np.sqrt(np.maximum(square - mean**2, 0.0)), value)
        for k, statistic in enumerate(asked):
            observed[k].append(statistic.of(value, average))
            replicated[k] = [statistic.of(p.replicate, average) for p in predictions]
    return [
        surprise(statistic, np.mean(observed[k], 0), np.asarray(replicated[k]), other)
        for k, statistic in enumerate(asked)
    ]


def surprise(statistic: Statistic, observed: np.ndarray, replicated: np.ndarray, other: bool = False) -> Compared:
    """How far the log lies out of its replicates.

    Each of the ``k`` numbers is studentised by the replicates (t with R - 1 degrees of freedom; residuals of the fitted
    log are standard normal as they are), the smallest of the k p-values times k is the statistic's. Where replicates
    lie as far out as the log, their share is a lower bound of the p-value, since a tail may be heavier than normal.
    """
    from scipy.stats import norm, t

    count, k = replicated.shape
    a, b = (np.log(observed), np.log(replicated)) if statistic.upper else (observed, replicated)
    if statistic.residual and not other:
        away, rest = a, b
        tail = norm.sf
    else:
        centre, sd = b.mean(0), b.std(0, ddof=1) * np.sqrt(1.0 + 1.0 / count)
        scaled = lambda x: np.where(  # noqa: E731
            sd > 0, (x - centre) / np.where(sd > 0, sd, 1.0), np.where(np.isclose(x, centre), 0.0, np.inf)
        )
        away, rest = scaled(a), scaled(b)
        tail = lambda z: t.sf(z, count - 1)  # noqa: E731
    sides = 1 if statistic.upper else 2
    far, others = (away, rest) if statistic.upper else (np.abs(away), np.abs(rest))
    worst = int(np.argmax(far))
    p = min(1.0, k * sides * float(tail(far[worst])))
    as_far = int(np.sum(others.max(1) >= far[worst]))
    if as_far:
        p = max(p, as_far / (count + 1))
    low, high = np.quantile(replicated, [0.05, 0.95], axis=0)
    expected = replicated.mean(0)
    return Compared(statistic, observed, expected, low, high, p, worst, statistic.size(observed, expected))


def _finding(
    fit: Fit, seen: Seen, each: Compared, among: int, replicates: int, thresholds: PredictiveThresholds
) -> Finding:
    statistic, worst = each.statistic, each.worst
    status: Status = "PASS"
    if each.p < thresholds.review / among:
        status = "REVIEW"
    if each.p < thresholds.fail / among and each.size >= thresholds.material:
        status = "FAIL"
    where = f" at {statistic.labels[worst]!r}" if len(statistic.labels) > 1 else ""
    low, high = float(each.low[worst]), float(each.high[worst])
    part = "" if seen.whole else f", of {len(np.unique(seen.part.user)):,} users drawn at random"
    message = (
        f"{statistic.title}{where}: {number(float(each.observed[worst]))} in the log, {number(low)} to {number(high)} "
        f"in nine of ten of {replicates} replicated logs (p = {each.p:.2g}, of {len(each.observed)} numbers; "
        f"{number(each.size, 2)} standard deviations; {len(seen):,} opportunities{part})."
    )
    advice = "" if status == "PASS" else f"{statistic.advice[:1].upper()}{statistic.advice[1:]}."
    return Finding(
        name=statistic.name,
        status=status,
        value=float(each.observed[worst]),
        interval=(low, high),
        message=message,
        advice=advice,
        details={
            "p": each.p,
            "size": each.size,
            "labels": list(statistic.labels),
            "observed": each.observed,
            "expected": each.expected,
            "low": each.low,
            "high": each.high,
            "review_below": thresholds.review / among,
            "fail_below": thresholds.fail / among,
            "replicates": replicates,
        },
        sees=SEES,
        cannot_see=CANNOT_SEE,
        quantity=statistic.title,
    )
