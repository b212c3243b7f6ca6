"""Named statistics of a data set that replicated data sets are compared in.

A statistic of the data alone is computed in the same way of the log and of each replicate, groups included: grouping
the replicates by what the log shows would compare unlike with unlike, since the most frequent items are so partly by
chance. A statistic of residuals compares the log with a posterior draw, and that draw's own replicate with it (realised
discrepancies: Gelman, Meng, Stern 1996, Statistica Sinica 6).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from counterlog.inference.checks.predicted import Predicted, units

if TYPE_CHECKING:
    from counterlog.inference.checks.seen import Seen
    from counterlog.inference.fit import Fit

#: Groups of items by popularity, and at most of predicted values.
GROUPS = 10
#: Events (and non-events) that a group of predicted values holds at least where the site is yes or no.
PER_GROUP = 20
#: Rows that a user needs to count in the distribution over users, if enough have them.
PER_USER = 5
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
#: Most combinations of a user's and an item's feature that are looked at, those that vary most first.
MOST_FEATURES = 12


@dataclass(frozen=True)
class Statistic:
    """A named statistic.

    ``of(value, predicted)`` gives ``[k]`` numbers, for a statistic of the data alone without looking at ``predicted``;
    ``labels`` names them. ``residual`` says that they are standard normal under the model, ``upper`` that only large
    ones are evidence. ``size(observed, expected)`` is how large a misfit is in units of the site's own spread.
    """

    name: str
    title: str
    labels: tuple[str, ...]
    of: Callable[[np.ndarray, Predicted], np.ndarray]
    size: Callable[[np.ndarray, np.ndarray], float]
    residual: bool = False
    upper: bool = False
    advice: str = ""


def statistics(fit: Fit, seen: Seen) -> list[Statistic]:
    """The statistics that the site's values allow."""
    value = units(fit, seen, seen.value)
    scale = float(value.std()) or 1.0
    exposure = seen.site != fit.scm.outcome
    what = "exposure" if exposure else "outcome"
    in_sds = lambda a, b: float(np.abs(a - b).max(initial=0.0) / scale)  # noqa: E731
    found = [_by_popularity(seen, what, in_sds, value), _by_user(seen, what, scale)]
    if not exposure:
        curve = _position_curve(seen, in_sds)
        found += [curve] if curve else []
        spread = _distribution(fit, value, scale)
        found += [spread] if spread else []
    found += [_by_prediction(what, value, scale), _interaction(seen, what)]
    crossed = _features(seen, what)
    return found + ([crossed] if crossed else [])


def _by_popularity(seen: Seen, what: str, in_sds: Callable[..., float], value: np.ndarray) -> Statistic:
    item = seen.part.item
    rows = np.bincount(item)
    present = np.flatnonzero(rows)
    groups = min(GROUPS, len(present))
    fixed = (
        bool(np.ptp(rows[present])) and what == "outcome"
    )  # else rows say nothing of popularity: the site itself does

    def of(y: np.ndarray, _: Predicted) -> np.ndarray:
        total = np.bincount(item, weights=y, minlength=len(rows))[present]
        by = rows[present] if fixed else total / rows[present]
        order = np.argsort(by, kind="stable")
        group = np.empty(len(present), np.int64)
        group[order] = np.arange(len(present)) * groups // len(present)
        return np.bincount(group, weights=total) / np.bincount(group, weights=rows[present])

    labels = tuple(f"{k + 1}" for k in range(groups))
    return Statistic(
        f"{what}_by_item_popularity",
        f"mean {what} of items, from the least to the most popular {'tenth' if groups == GROUPS else 'group'}",
        labels,
        of,
        in_sds,
        advice="give items a cause of their own in the mechanism (a quality, a popularity), or let popularity act",
    )


def _by_user(seen: Seen, what: str, scale: float) -> Statistic:
    user = seen.part.user
    rows = np.bincount(user)
    enough = rows >= PER_USER
    if enough.sum() < 10:
        enough = rows > 0

    def of(y: np.ndarray, _: Predicted) -> np.ndarray:
        mean = np.bincount(user, weights=y, minlength=len(rows))[enough] / rows[enough]
        return np.concatenate([np.quantile(mean, QUANTILES), [mean.std()]])

    return Statistic(
        "user_activity" if what == "exposure" else "outcome_by_user",
        f"distribution over users of their {'exposure rate' if what == 'exposure' else 'mean outcome'}",
        (*(f"{q:.0%} quantile" for q in QUANTILES), "standard deviation"),
        of,
        lambda a, b: float(np.abs(a - b).max(initial=0.0) / scale),
        advice="let users differ in the mechanism (an activity, a leniency), or by a distribution with heavier tails",
    )


def _position_curve(seen: Seen, in_sds: Callable[..., float]) -> Statistic | None:
    position = seen.part.columns.get("position")
    if position is None:
        return None
    places, group = np.unique(np.minimum(position.astype(np.int64), 20), return_inverse=True)
    counts = np.bincount(group)
    labels = tuple(f"{p}" if p < 20 else "20 and beyond" for p in places.tolist())
    return Statistic(
        "position_curve",
        "mean outcome by position",
        labels,
        lambda y, _: np.bincount(group, weights=y) / counts,
        in_sds,
        advice="give the examination of a position another shape, for example a number for each position",
    )


def _distribution(fit: Fit, value: np.ndarray, scale: float) -> Statistic | None:
    kind = fit.log.roles.outcome_kind
    if kind == "click":
        return None  # a single share, which the means by popularity hold
    if kind == "rating":
        levels = np.asarray(fit.cells.levels)
        return Statistic(
            "level_frequencies",
            "share of each rating level",
            tuple(f"{level:g}" for level in levels),
            lambda y, _: np.bincount(np.searchsorted(levels, y), minlength=len(levels)) / len(y),
            lambda a, b: float(np.abs(a - b).sum()),  # twice the total variation
            advice="free the cut-points, or let people use the scale differently",
        )
    low = (lambda y: [np.mean(y == 0), np.mean(y == 1)]) if kind == "count" else (lambda y: [np.mean(y < 1e-6)])
    names = ("share of 0", "share of 1") if kind == "count" else ("share of 0",)

    def of(y: np.ndarray, _: Predicted) -> np.ndarray:
        # a quantile of counts is a step: the mean of the upper tenth instead
        top = np.sort(y)[-max(1, len(y) // 10) :].mean()
        return np.asarray([*low(y), y.mean(), y.std(), *([] if kind == "count" else [np.median(y)]), top])

    return Statistic(
        "outcome_distribution",
        "distribution of the outcome" + ("" if kind == "count" else ", in log(1 + x)"),
        (*names, "mean", "standard deviation", *(() if kind == "count" else ("median",)), "mean of the top tenth"),
        of,
        lambda a, b: float(np.abs(a - b).max(initial=0.0) / scale),
        advice="choose an outcome distribution with more zeros or heavier tails",
    )


def _by_prediction(what: str, value: np.ndarray, scale: float) -> Statistic:
    binary = bool(np.isin(value, (0.0, 1.0)).all())
    events = min(value.sum(), len(value) - value.sum()) if binary else len(value) / 5.0
    groups = int(np.clip(events / PER_GROUP, 2, GROUPS))

    def of(y: np.ndarray, predicted: Predicted) -> np.ndarray:
        # groups of equal variance: those of equal size would hold no event where the site is rare
        order = np.argsort(predicted.mean, kind="stable")
        variance = predicted.sd[order] ** 2
        mass = np.cumsum(variance)
        group = np.minimum((mass - variance / 2) / max(mass[-1], 1e-300) * groups, groups - 1).astype(np.int64)
        off = np.bincount(group, weights=(y - predicted.mean)[order], minlength=groups)
        return off / np.sqrt(np.maximum(np.bincount(group, weights=variance, minlength=groups), 1e-300))

    rows = len(value) / groups
    return Statistic(
        f"{what}_by_prediction",
        f"{what} less what was predicted, from the lowest to the highest prediction, in standard errors",
        tuple(str(k + 1) for k in range(groups)),
        of,
        lambda a, b: float(np.abs(a - b).max(initial=0.0) / np.sqrt(rows)),
        residual=True,
        advice="the mechanism's shape is wrong: try another link, a floor or a ceiling, or a curved effect of a cause",
    )


def _interaction(seen: Seen, what: str) -> Statistic:
    """Largest singular value of the user by item matrix of residuals, against that of a draw's own replicate."""
    from scipy.sparse import csr_matrix

    users, user = np.unique(seen.part.user, return_inverse=True)
    items, item = np.unique(seen.part.item, return_inverse=True)
    n = len(user)
    start = np.random.default_rng(0).normal(size=(len(items), 8))  # the same for the log and for every replicate

    def of(y: np.ndarray, predicted: Predicted) -> np.ndarray:
        residual = (y - predicted.mean) / max(np.sqrt(np.mean(predicted.sd**2)), 1e-12)
        matrix = csr_matrix((residual, (user, item)), shape=(len(users), len(items)))
        if min(matrix.shape) <= 64:
            small = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
            gram = (small @ small.T).toarray()
            return np.asarray([np.sqrt(max(np.linalg.eigvalsh(gram)[-1], 1e-12))])
        basis = start
        for _ in range(6):  # subspace iteration: near the largest, and a statistic in its own right
            basis, _ = np.linalg.qr(matrix.T @ (matrix @ basis))
        return np.asarray([np.linalg.svd(matrix @ basis, compute_uv=False)[0]])

    return Statistic(
        f"{what}_interaction",
        f"largest singular value of the residuals of {what}, users by items",
        ("largest singular value",),
        of,
        # the root mean square of what one more interaction would explain, in residual standard deviations
        lambda a, b: float(np.sqrt(max(a[0] ** 2 - b[0] ** 2, 0.0) / n)),
        upper=True,
        advice="users and items go together in a way that the model lacks: add an affinity of preference and "
        "attribute, raise its rank (dim), or cross features; if the program has it, a mean-field fit may have "
        "pruned it, which chains (polish) do not",
    )


def _features(seen: Seen, what: str) -> Statistic | None:
    """Residuals summed over products of features, ``z`` each; a constant stands for a feature of one side alone."""
    mine, theirs = seen.cells.user_features, seen.cells.item_features
    if mine.shape[1] + theirs.shape[1] == 0:
        return None
    names_u, xu = _chosen(mine, "user feature")
    names_i, xi = _chosen(theirs, "item feature")
    pairs = [(a, b) for a in range(len(names_u)) for b in range(len(names_i)) if a + b]
    columns = [(xu[seen.part.user, a] * xi[seen.part.item, b]).astype(np.float64) for a, b in pairs]

    def of(y: np.ndarray, predicted: Predicted) -> np.ndarray:
        off, variance = y - predicted.mean, predicted.sd**2
        return np.asarray([(off @ x) / np.sqrt(max(variance @ (x * x), 1e-300)) for x in columns])

    labels = tuple(" x ".join(name for name in (names_u[a], names_i[b]) if name) for a, b in pairs)
    n = len(seen)
    return Statistic(
        f"{what}_features",
        f"residuals of {what} along features and their products, in standard errors",
        labels,
        of,
        lambda a, b: float(np.abs(a - b).max(initial=0.0) / np.sqrt(n)),
        residual=True,
        advice="let these features, or their product, act in the mechanism",
    )


def _chosen(values: np.ndarray, name: str) -> tuple[list[str], np.ndarray]:
    order = np.sort(np.argsort(-values.var(0), kind="stable")[:MOST_FEATURES])
    ones = np.ones((len(values), 1), np.float32)
    return ["", *(f"{name} {k + 1}" for k in order)], np.concatenate([ones, values[:, order]], 1)
