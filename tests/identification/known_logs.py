"""Logs drawn from known graphs with user and item effects, for tests of implied independences."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyro
import pyro.distributions as dist

import counterlog as cl
from counterlog.logs import InteractionLog


@cl.scm(exposure="exposure", outcome="click", latent=("habit", "taste", "pull"))
def world(view):
    """habit -> hour -> exposure -> click <- budget <- taste;  exposure <- pull."""
    with view.users():
        habit = pyro.sample("habit", dist.Normal(0.0, 1.0))
        taste = pyro.sample("taste", dist.Normal(0.0, 1.0))
    with view.items():
        pull = pyro.sample("pull", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        hour = pyro.sample("hour", dist.Normal(habit[o.user], 1.0))
        budget = pyro.sample("budget", dist.Normal(taste[o.user], 1.0))
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=hour + pull[o.item]))
        pyro.sample("click", dist.Bernoulli(probs=exposure * budget.sigmoid()))


def drawn(
    seed: int,
    users: int = 60,
    items: int = 40,
    each: int = 20,
    planted: float = 0.0,
    persistence: float = 1.0,
    masked: bool = False,
    wave: float = 0.0,
) -> InteractionLog:
    """A log of `world`: ``each`` rows a user. ``planted`` is an edge hour -> budget that the program does not have;
    ``persistence`` the size of the user effects; ``wave`` bends how the hour acts on exposure.
    """
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), each)
    item = rng.integers(items, size=len(user))
    habit, taste, pull = (persistence * rng.normal(size=k) for k in (users, users, items))
    hour = habit[user] + rng.normal(size=len(user))
    budget = taste[user] + planted * hour + rng.normal(size=len(user))
    chance = 1 / (1 + np.exp(-(hour + wave * np.sin(3 * hour) + pull[item])))
    exposure = (rng.random(len(user)) < chance).astype(int)
    click = (rng.random(len(user)) < 1 / (1 + np.exp(-budget))).astype(float)
    click[exposure == 0] = np.nan if masked else 0.0
    table = pa.table(
        {
            "user": [f"u{k}" for k in user],
            "item": [f"i{k}" for k in item],
            "exposure": exposure,
            "click": pa.array(click, from_pandas=True),
            "hour": hour,
            "budget": budget,
        }
    )
    return cl.from_frame(table, outcome="click", exposure="exposure", context=("hour", "budget"))
