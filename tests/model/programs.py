"""Programs that do what programs should not, or do it where Pyro's provenance cannot see it."""

from __future__ import annotations

import numpy as np
import pyro
import pyro.distributions as dist
import torch

from counterlog.model import scm
from counterlog.model.mechanisms import OrdinalRating, pick, spread

ROLES = {"exposure": "exposure", "outcome": "click"}


@scm(**ROLES, latent=("taste",))
def plain(view):
    with view.users():
        taste = pyro.sample("taste", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=pick(taste, o.user) - 1.0))
        pyro.sample("click", dist.Bernoulli(probs=exposure * pick(taste, o.user).sigmoid()))


@scm(**ROLES, latent=("taste",))
def by_item(view):
    """The value leaves torch as a python number."""
    with view.users():
        taste = pyro.sample("taste", dist.Normal(0.0, 1.0))
    with view.opportunities():
        pyro.sample("exposure", dist.Bernoulli(0.5))
        pyro.sample("click", dist.Bernoulli(logits=torch.tensor(taste.sum().item())))


@scm(**ROLES, latent=("taste",))
def by_numpy(view):
    with view.users():
        taste = pyro.sample("taste", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        pyro.sample("exposure", dist.Bernoulli(0.5))
        seen = torch.from_numpy(np.tanh(taste.detach().numpy()))
        pyro.sample("click", dist.Bernoulli(logits=seen[o.user]))


@scm(**ROLES, latent=("taste",))
def in_place(view):
    with view.users():
        taste = pyro.sample("taste", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        pyro.sample("exposure", dist.Bernoulli(0.5))
        logits = torch.zeros(len(o))
        logits[:] = taste[o.user]
        pyro.sample("click", dist.Bernoulli(logits=logits))


@scm(**ROLES, latent=("taste",))
def by_if(view):
    with view.users():
        taste = pyro.sample("taste", dist.Normal(0.0, 1.0))
    with view.opportunities():
        pyro.sample("exposure", dist.Bernoulli(0.5))
        pyro.sample("click", dist.Bernoulli(0.2 if taste[0] > 0 else 0.7))


@scm(**ROLES)
def rare_if(view):
    """An exposure that the prior almost never draws, read by python."""
    with view.opportunities():
        exposure = pyro.sample("exposure", dist.Bernoulli(1e-6))
        pyro.sample("click", dist.Bernoulli(0.9 if bool(exposure.any()) else 0.1))


@scm(**ROLES, latent=("taste", "idle"))
def idle_site(view):
    """`idle` is computed with and multiplied by nothing."""
    with view.users():
        taste = pyro.sample("taste", dist.Normal(0.0, 1.0))
        idle = pyro.sample("idle", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        exposure = pyro.sample("exposure", dist.Bernoulli(0.5))
        pyro.sample("click", dist.Bernoulli(probs=exposure * pick(taste + 0.0 * idle, o.user).sigmoid()))


@scm(exposure="exposure", outcome="rating", latent=("taste",))
def ordered_logistic(view):
    """Pyro's own ordered logistic fills its probabilities in place."""
    with view.users():
        taste = pyro.sample("taste", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        cut = torch.tensor([-1.5, -0.5, 0.5, 1.5])
        rating = pyro.sample("rating", dist.OrderedLogistic(pick(taste, o.user), cut))
        pyro.sample("exposure", dist.Bernoulli(logits=rating - 3.0))


@scm(exposure="exposure", outcome="rating", latent=("taste",))
def ordinal(view):
    with view.users():
        taste = pyro.sample("taste", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        rating = pyro.sample("rating", OrdinalRating(pick(taste, o.user), torch.tensor([-1.5, -0.5, 0.5, 1.5])))
        pyro.sample("exposure", dist.Bernoulli(logits=rating - 3.0))


@scm(exposure="exposure", outcome="dwell", latent=("interest",))
def linear(view):
    """interest -> score -> exposure; interest, score, exposure -> dwell; all coefficients known."""
    with view.users():
        interest = pyro.sample("interest", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        own = pick(interest, o.user)
        score = pyro.sample("score", dist.Normal(2.0 * own, 1.0))
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=1.5 * score))
        pyro.sample("dwell", dist.Normal(1.0 + 3.0 * own + 0.5 * score + 4.0 * exposure, 1.0))


@scm(**ROLES)
def observed_confounder(view):
    """hour -> exposure, hour -> click, and a parameter in both: identified by adjusting for the hour."""
    base, lift = pyro.sample("base", dist.Normal(-1.0, 1.0)), spread("lift")
    with view.opportunities():
        hour = pyro.sample("hour", dist.Normal(0.0, 1.0))
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=base + 2.0 * lift * hour))
        pyro.sample("click", dist.Bernoulli(probs=exposure * (base + lift * hour).sigmoid()))
