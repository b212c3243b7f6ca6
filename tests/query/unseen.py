"""Worlds with a cause of exposure and outcome of known strength that the fitted program does not have."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyro
import pyro.distributions as dist
import torch
from scipy.special import expit

import counterlog as cl
from counterlog.inference import Fit
from counterlog.model import SCM, scm
from counterlog.model.mechanisms import OrdinalRating, cutpoints

SELECTION = (0.0, 0.5, 1.0, 1.5, 2.0)
CUTS = (-1.5, -0.4, 0.6, 1.7)


@scm(exposure="exposure", outcome="click")
def clicked(view):
    """hour -> exposure -> click <- hour."""
    seen, base = (pyro.sample(n, dist.Normal(0.0, 1.5)) for n in ("seen", "base"))
    lean, lift = (pyro.sample(n, dist.Normal(0.0, 1.5)) for n in ("lean", "lift"))
    with view.opportunities():
        hour = pyro.sample("hour", dist.Normal(0.0, 1.0))
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=seen + lean * hour))
        pyro.sample("click", dist.Bernoulli(probs=exposure * (base + lift * hour).sigmoid()))


@scm(exposure="exposure", outcome="rating")
def rated(view):
    """hour -> exposure; hour -> rating."""
    seen, lean, lift = (pyro.sample(n, dist.Normal(0.0, 1.5)) for n in ("seen", "lean", "lift"))
    levels = cutpoints(view.n_levels)
    with view.opportunities():
        hour = pyro.sample("hour", dist.Normal(0.0, 1.0))
        pyro.sample("exposure", dist.Bernoulli(logits=seen + lean * hour))
        pyro.sample("rating", OrdinalRating(lift * hour, levels))


@scm(exposure="exposure", outcome="rating")
def selected(view):
    """hour -> rating -> exposure <- hour; by how much the rating selects is known."""
    seen, lean, lift = (pyro.sample(n, dist.Normal(0.0, 1.5)) for n in ("seen", "lean", "lift"))
    levels = cutpoints(view.n_levels)
    with view.opportunities():
        hour = pyro.sample("hour", dist.Normal(0.0, 1.0))
        rating = pyro.sample("rating", OrdinalRating(lift * hour, levels))
        pyro.sample("exposure", dist.Bernoulli(logits=seen + lean * hour + torch.tensor(SELECTION)[rating]))


@scm(exposure="exposure", outcome="dwell")
def dwelt(view):
    """hour -> exposure; hour -> dwell."""
    seen, lean, lift = (pyro.sample(n, dist.Normal(0.0, 1.5)) for n in ("seen", "lean", "lift"))
    base = pyro.sample("base", dist.Normal(0.0, 2.0))
    width = pyro.sample("width", dist.LogNormal(0.0, 0.5))
    with view.opportunities():
        hour = pyro.sample("hour", dist.Normal(0.0, 1.0))
        pyro.sample("exposure", dist.Bernoulli(logits=seen + lean * hour))
        pyro.sample("dwell", dist.LogNormal(base + lift * hour, width))


PROGRAMS: dict[str, SCM] = {"click": clicked, "rating": rated, "selected": selected, "dwell": dwelt}


@dataclass(frozen=True)
class Planted:
    """A fit that lacks the unseen cause, and the true mean outcome with everything exposed."""

    fit: Fit
    truth: float


@functools.cache
def planted(kind: str, strength: float, opposed: bool = False, n_users: int = 100, n_items: int = 80) -> Planted:
    """A world of one kind with an unseen cause that adds ``strength`` a standard deviation of itself to both."""
    rng = np.random.default_rng(7)
    n = n_users * n_items
    hour, unseen = rng.normal(size=(2, n))
    a, b = strength, -strength if opposed else strength
    odds = -0.5 + 0.7 * hour + a * unseen
    if kind == "click":
        chance = expit(-0.8 + 0.7 * hour + b * unseen)
        exposure = rng.random(n) < expit(odds)
        truth, outcome = chance.mean(), (rng.random(n) < chance) * exposure
    elif kind == "dwell":
        line = 1.0 + 0.5 * hour + b * unseen
        exposure = rng.random(n) < expit(odds)
        truth, outcome = np.exp(line + 0.5 * 0.3**2).mean(), np.exp(line + 0.3 * rng.normal(size=n))
    else:
        above = expit(0.7 * hour[:, None] + b * unseen[:, None] - np.array(CUTS))
        outcome = (rng.random((n, 1)) < above).sum(1) + 1.0
        truth = 1.0 + above.sum(1).mean()
        if kind == "selected":  # as the program knows it, on average over the cause (the scale of a logistic-normal)
            chosen = -1.5 + 0.7 * hour + np.array(SELECTION)[outcome.astype(int) - 1]
            odds = np.sqrt(1.0 + 0.346 * a**2) * chosen + a * unseen
        exposure = rng.random(n) < expit(odds)
    name = "rating" if kind == "selected" else kind
    table = pa.table(
        {
            "user": np.repeat(np.arange(n_users), n_items),
            "item": np.tile(np.arange(n_items), n_users),
            "exposure": exposure.astype(int),
            name: pa.array(outcome.astype(int)) if kind == "click" else pa.array(outcome, mask=~exposure),
            "hour": hour,
        }
    )
    options = {"outcome_kind": "positive"} if kind == "dwell" else {}
    log = cl.from_frame(table, outcome=name, exposure="exposure", context=("hour",), **options)
    return Planted(cl.fit(PROGRAMS[kind], log, steps=250), float(truth))
