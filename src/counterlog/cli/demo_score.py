"""A fit and the plain popularity of items, judged on exposures that were drawn at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from counterlog.errors import InputError

if TYPE_CHECKING:
    from counterlog.inference import Fit
    from counterlog.logs import InteractionLog

#: Half-width of a 90% interval in standard errors.
Z90 = 1.645


@dataclass(frozen=True)
class Score:
    """How well the random outcomes are foreseen.

    ``auc`` is over all pairs, ``within_user`` the mean over the ``users`` that have both kinds, ``difference`` model
    less popularity within users, with a 90% interval over users. ``model_mean`` and ``random_mean`` are over the same
    pairs; ``left_out`` rows have a user or an item that the log does not know, or no outcome.
    """

    pairs: int
    users: int
    liked: str
    auc_model: float
    auc_popularity: float
    within_user_model: float
    within_user_popularity: float
    difference: float
    difference_interval: tuple[float, float]
    model_mean: float
    random_mean: float
    left_out: int


def score(fit: Fit, random: InteractionLog, seed: int) -> Score:
    """Score a fit on random exposures.

    Raises
    ------
    InputError
        No random row has a known user, a known item and an outcome; or all outcomes are alike.
    """
    from counterlog.query import predict

    log, roles = fit.log, random.roles
    user = log.users.codes(random.table[roles.user], missing="declare")
    item = log.items.codes(random.table[roles.item], missing="declare")
    known = random.exposed & (user >= 0) & (item >= 0)
    known &= np.isfinite(random.outcome) if random.outcome is not None else False
    if not known.any():
        raise InputError(f"{random.name}: no random exposure of a user and an item that {log.name} knows")
    table = random.table.filter(known).rename_columns(_names(random, log))
    outcome = random.outcome[known]  # type: ignore[index]
    liked, words = _liked(outcome, log)
    if liked.all() or not liked.any():
        raise InputError(f"{random.name}: {words} for {'all' if liked.all() else 'none'} of the random exposures")
    found = predict(fit, table, rng=seed)["mean"].to_numpy()
    counts = np.bincount(log.item_codes[log.exposed], minlength=len(log.items))[item[known]].astype(np.float64)
    model, popularity = (within_user(user[known], liked, by) for by in (found, counts))
    gain = model - popularity
    mean, error = float(gain.mean()), float(gain.std() / np.sqrt(len(gain)))
    return Score(
        pairs=len(outcome),
        users=len(model),
        liked=words,
        auc_model=auc(liked, found),
        auc_popularity=auc(liked, counts),
        within_user_model=float(model.mean()),
        within_user_popularity=float(popularity.mean()),
        difference=mean,
        difference_interval=(mean - Z90 * error, mean + Z90 * error),
        model_mean=float(found.mean()),
        random_mean=float(outcome.mean()),
        left_out=int((~known).sum()),
    )


def auc(positive: np.ndarray, by: np.ndarray) -> float:
    """P(a positive stands above a negative), ties counting half: Mann and Whitney's statistic (1947).

    >>> auc(np.array([True, False, False]), np.array([2.0, 1.0, 2.0]))
    0.75
    """
    from scipy.stats import rankdata

    n = int(positive.sum())
    return float((rankdata(by)[positive].sum() - n * (n + 1) / 2) / (n * (len(positive) - n)))


def within_user(user: np.ndarray, positive: np.ndarray, by: np.ndarray) -> np.ndarray:
    """The AUC of each user that has positives and negatives, float64 ``[users]``, by user code."""
    order = np.argsort(user, kind="stable")
    edges = np.flatnonzero(np.diff(user[order])) + 1
    parts = [rows for rows in np.split(order, edges) if 0 < positive[rows].sum() < len(rows)]
    return np.array([auc(positive[rows], by[rows]) for rows in parts])


def _liked(outcome: np.ndarray, log: InteractionLog) -> tuple[np.ndarray, str]:
    """What counts as liked: the upper half of a rating scale (its middle included), anything above 0 otherwise."""
    name = log.roles.outcome
    if log.levels:
        middle = log.levels[len(log.levels) // 2]
        return outcome >= middle, f"{name} >= {middle:g}"
    return outcome > 0, f"{name} > 0"


def _names(random: InteractionLog, log: InteractionLog) -> list[str]:
    """The random part's columns, user and item under the log's names."""
    to = {random.roles.user: log.roles.user, random.roles.item: log.roles.item}
    return [to.get(name, name) for name in random.table.column_names]
