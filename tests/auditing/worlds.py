"""Made-up logs with a known truth, for the tests of the audit."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from counterlog.logs import Features, InteractionLog, Roles, Vocabulary


def log_of(
    columns: dict[str, object], n_users: int, n_items: int, name: str = "world", **roles: object
) -> InteractionLog:
    """A log with integer ids 0 .. n - 1; every column named after a role plays it."""
    table = pa.table(columns)
    given = {r: r for r in ("exposure", "position", "propensity") if r in columns} | roles
    return InteractionLog(
        table,
        Roles(**{"outcome": "click", **given}),
        Vocabulary("user", pa.array(np.arange(n_users))),
        Vocabulary("item", pa.array(np.arange(n_items))),
        Features.empty(n_users),
        Features.empty(n_items),
        name=name,
        licence="CC0-1.0",
    )


def impressions(
    seed: int,
    users: int = 200,
    items: int = 100,
    rows: int = 3_000,
    popularity: float = 0.0,
    selection: float = 0.0,
    examination: float = 1.0,
    activity: float = 1.0,
    positions: bool = True,
    propensities: bool = True,
    world: int | None = None,
) -> InteractionLog:
    """Impressions with clicks. Items differ in quality and users in taste; nothing is biased by default.

    ``popularity`` and ``selection`` are log-sds of how often an item is shown, by itself and by its quality;
    ``examination`` is the chance to look one position further down. Items and users come from the seed
    ``world``, events from ``seed``.
    """
    rng = np.random.default_rng(seed if world is None else world)
    quality = rng.normal(0, 0.7, items)
    weight = np.exp(popularity * rng.normal(size=items) + selection * quality / 0.7)
    weight /= weight.sum()
    busy = rng.lognormal(0, activity, users)
    taste = rng.normal(0, 0.7, users)
    rng = np.random.default_rng([seed, 1])
    user = rng.choice(users, rows, p=busy / busy.sum())
    item = rng.choice(items, rows, p=weight)
    position = rng.integers(1, 11, rows)
    click = 1 / (1 + np.exp(1 - quality[item] - taste[user])) * examination ** (position - 1)
    columns: dict[str, object] = {
        "user": user,
        "item": item,
        "exposure": np.ones(rows),
        "click": (rng.random(rows) < click).astype(float),
    }
    if positions:
        columns["position"] = position
    if propensities:
        columns["propensity"] = weight[item]
    return log_of(columns, users, items)


def grid(seed: int, users: int = 100, items: int = 60, rate: float = 0.2, spread: float = 0.0) -> InteractionLog:
    """Every cell an opportunity, shown with a logged propensity that varies by ``spread`` on the logit scale."""
    rng = np.random.default_rng(seed)
    user, item = (a.ravel() for a in np.meshgrid(np.arange(users), np.arange(items), indexing="ij"))
    logit = np.log(rate / (1 - rate)) + spread * rng.normal(size=len(user))
    propensity = 1 / (1 + np.exp(-logit))
    exposure = (rng.random(len(user)) < propensity).astype(float)
    quality = rng.normal(0, 0.7, items)
    rating = np.clip(np.round(3 + quality[item] + rng.normal(0, 1, len(user))), 1, 5)
    columns: dict[str, object] = {
        "user": user,
        "item": item,
        "exposure": exposure,
        "rating": np.where(exposure == 1, rating, np.nan),
        "propensity": propensity,
    }
    return log_of(columns, users, items, outcome="rating")
