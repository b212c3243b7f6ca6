"""The logs that speed is measured on: users with log-normal activity, items drawn by Zipf, half of the opportunities
exposed.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyro
import pyro.distributions as dist

from counterlog import scm
from counterlog.logs import Features, InteractionLog, Roles, Vocabulary
from counterlog.model.mechanisms import affinity, pick

#: Name -> users, items, opportunities.
SIZES = {"S": (6_000, 4_000, 1_000_000), "M": (200_000, 20_000, 5_000_000), "L": (1_000_000, 100_000, 20_000_000)}
DIM = 16


@scm(
    exposure="exposure",
    outcome="click",
    latent=("preference", "leniency", "activity", "attribute", "quality", "popularity"),
)
def bench_model(view, dim=DIM):
    """activity, popularity -> exposure; preference x attribute, leniency, quality -> click."""
    with view.users():
        preference = pyro.sample("preference", dist.Normal(0.0, 1.0).expand([dim]).to_event(1))
        leniency, activity = (pyro.sample(name, dist.Normal(0.0, 1.0)) for name in ("leniency", "activity"))
    with view.items():
        attribute = pyro.sample("attribute", dist.Normal(0.0, 1.0).expand([dim]).to_event(1))
        quality, popularity = (pyro.sample(name, dist.Normal(0.0, 1.0)) for name in ("quality", "popularity"))
    with view.opportunities() as o:
        pyro.sample("exposure", dist.Bernoulli(logits=pick(activity, o.user) + pick(popularity, o.item)))
        liking = affinity(preference, attribute, o) + pick(leniency, o.user) + pick(quality, o.item)
        pyro.sample("click", dist.Bernoulli(logits=liking))


def draw(users: int, items: int, rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Opportunities sorted by user with exposure and click from a true model of rank 16; int64 and float32 arrays
    ``[rows]``.
    """
    rng = np.random.default_rng(seed)
    activity = rng.lognormal(0, 1, users)
    counts = 1 + rng.multinomial(rows - users, activity / activity.sum())
    user = np.repeat(np.arange(users), counts)
    weight = np.cumsum(np.arange(1, items + 1) ** -0.8)
    item = rng.permutation(items)[np.minimum(np.searchsorted(weight / weight[-1], rng.random(rows)), items - 1)]
    left, right = (rng.standard_normal((n, DIM + 2), dtype=np.float32) * 0.7 for n in (users, items))
    exposure, click = np.empty(rows, np.float32), np.empty(rows, np.float32)
    for start in range(0, rows, 1_000_000):
        part = slice(start, start + 1_000_000)
        a, b = left[user[part]], right[item[part]]
        shown = 1 / (1 + np.exp(-(a[:, -1] + b[:, -1])))
        liked = 1 / (1 + np.exp(-(np.einsum("ij,ij->i", a[:, :DIM], b[:, :DIM]) + a[:, DIM] + b[:, DIM])))
        exposure[part] = rng.random(len(shown)) < shown
        click[part] = (rng.random(len(liked)) < liked) * exposure[part]
    return {"user": user, "item": item, "exposure": exposure, "click": click}


def log_of(data: dict[str, np.ndarray], users: int, items: int) -> InteractionLog:
    """The same as an interaction log with integer ids."""
    table = pa.table(
        {
            "user": data["user"],
            "item": data["item"],
            "exposure": data["exposure"].astype(np.int8),
            "click": data["click"].astype(np.int8),
        }
    )
    vocabularies = (Vocabulary(kind, pa.array(np.arange(n))) for kind, n in (("user", users), ("item", items)))
    return InteractionLog(
        table,
        Roles(outcome="click", exposure="exposure"),
        *vocabularies,
        Features.empty(users),
        Features.empty(items),
        name="bench",
    )
