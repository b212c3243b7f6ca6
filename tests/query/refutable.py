"""Worlds and programs for refuters: clean ones, and one with each planted fault."""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa
import pyro
import pyro.distributions as dist
import torch
from scipy.special import expit
from tests.query.unseen import clicked, rated

import counterlog as cl
from counterlog.inference import Fit
from counterlog.logs import InteractionLog
from counterlog.model import scm
from counterlog.model.mechanisms import OrdinalRating, cutpoints, pick, spread

#: Nobody rates what they do not like: by far too strong, and taken for granted.
HARD = torch.tensor([0.0, 1.5, 3.0, 4.5, 6.0])


@scm(exposure="exposure", outcome="rating")
def hard_coded(view):
    """rating -> exposure, by an amount that the program takes for granted."""
    seen = pyro.sample("seen", dist.Normal(0.0, 3.0))
    levels = cutpoints(view.n_levels)
    with view.opportunities():
        rating = pyro.sample("rating", OrdinalRating(torch.zeros(view.n_opportunities), levels))
        pyro.sample("exposure", dist.Bernoulli(logits=seen + HARD[rating]))


@scm(exposure="exposure", outcome="click")
def takes_for_granted(view):
    """hour -> exposure -> click <- hour, where the last arrow is taken for granted."""
    seen, base, lean = (pyro.sample(n, dist.Normal(0.0, 1.5)) for n in ("seen", "base", "lean"))
    with view.opportunities():
        hour = pyro.sample("hour", dist.Normal(0.0, 1.0))
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=seen + lean * hour))
        pyro.sample("click", dist.Bernoulli(probs=exposure * (base - 3.0 * hour).sigmoid()))


@scm(exposure="exposure", outcome="click")
def lacks_an_arrow(view):
    """hour -> exposure -> click, though the hour acts on clicks as well."""
    seen, base, lean = (pyro.sample(n, dist.Normal(0.0, 1.5)) for n in ("seen", "base", "lean"))
    with view.opportunities():
        hour = pyro.sample("hour", dist.Normal(0.0, 1.0))
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=seen + lean * hour))
        pyro.sample("click", dist.Bernoulli(probs=exposure * base.sigmoid()))


@scm(exposure="exposure", outcome="click", latent=("taste", "charm"))
def liked(view):
    """taste, charm -> exposure -> click <- taste, charm."""
    seen, base = (pyro.sample(n, dist.Normal(0.0, 1.5)) for n in ("seen", "base"))
    lean, lift = (spread(n) for n in ("lean", "lift"))
    with view.users():
        taste = pyro.sample("taste", dist.Normal(0.0, 1.0))
    with view.items():
        charm = pyro.sample("charm", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        liking = pick(taste, o.user) + pick(charm, o.item)
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=seen + lean * liking))
        pyro.sample("click", dist.Bernoulli(probs=exposure * (base + lift * liking).sigmoid()))


def world(kind: str, seed: int, n_users: int = 40, n_items: int = 30, bots: int = 0) -> InteractionLog:
    """A log of `clicked` (kind click), `rated` (rating) or `liked` (taste): true to the program unless ``bots`` users
    with many rows and other habits join.
    """
    rng = np.random.default_rng([seed, 5])
    user, item = np.divmod(np.arange(n_users * n_items), n_items)
    n = len(user)
    hour = rng.normal(size=n)
    if kind == "taste":
        liking = 0.8 * rng.normal(size=n_users)[user] + 0.8 * rng.normal(size=n_items)[item]
        odds, line = -0.5 + 0.7 * liking, -0.5 + liking
    else:
        odds, line = -0.3 + 0.7 * hour, -0.5 + 0.7 * hour
    if bots:
        more = np.repeat(np.arange(n_users, n_users + bots), 40 * n_items)
        user, item = np.concatenate([user, more]), np.concatenate([item, np.tile(np.arange(n_items), 40 * bots)])
        extra = rng.normal(size=len(more))
        hour = np.concatenate([hour, extra])
        odds, line = np.concatenate([odds, 0.0 * extra]), np.concatenate([line, -3.0 + 0.0 * extra])
    n = len(user)
    exposure = rng.random(n) < expit(odds)
    if kind == "rating":
        outcome = (rng.random((n, 1)) < expit(line[:, None] - np.array([-1.5, -0.4, 0.6, 1.7]))).sum(1) + 1.0
        column, name = pa.array(outcome, mask=~exposure), "rating"
    else:
        column, name = pa.array(((rng.random(n) < expit(line)) & exposure).astype(int)), "click"
    table = pa.table({"user": user, "item": item, "exposure": exposure.astype(int), name: column, "hour": hour})
    context = () if kind == "taste" else ("hour",)
    return cl.from_frame(table, outcome=name, exposure="exposure", context=context)


@functools.cache
def clean(kind: str, seed: int = 0, steps: int = 300) -> Fit:
    """A fit of the right program to a clean world."""
    program = {"click": clicked, "rating": rated, "taste": liked}[kind]
    return cl.fit(program, world(kind, seed), steps=steps)
