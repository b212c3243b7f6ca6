"""Small programs for fits: quick to read and to learn."""

from __future__ import annotations

import pyro
import pyro.distributions as dist
import torch

from counterlog.model import scm
from counterlog.model.mechanisms import OrdinalRating, pick, spread

ROLES = {"exposure": "exposure", "outcome": "click"}


@scm(**ROLES, latent=("taste", "charm"))
def quick(view, width=1.0):
    base, appeal = pyro.sample("base", dist.Normal(0.0, 1.0)), pyro.sample("appeal", dist.Normal(0.0, 1.0))
    with view.users():
        taste = pyro.sample("taste", dist.Normal(0.0, width))
    with view.items():
        charm = pyro.sample("charm", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        liking = pick(taste, o.user) + pick(charm, o.item)
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=base + liking))
        pyro.sample("click", dist.Bernoulli(probs=exposure * (appeal + liking).sigmoid()))


@scm(**ROLES)
def no_latents(view):
    base, appeal = pyro.sample("base", dist.Normal(0.0, 1.5)), pyro.sample("appeal", dist.Normal(0.0, 1.5))
    with view.opportunities():
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=base))
        pyro.sample("click", dist.Bernoulli(probs=exposure * appeal.sigmoid()))


@scm(**ROLES)
def shares(view):
    """A probability vector as a global."""
    mix = pyro.sample("mix", dist.Dirichlet(torch.tensor([4.0, 2.0, 2.0])))
    with view.opportunities():
        exposure = pyro.sample("exposure", dist.Bernoulli(mix[0]))
        pyro.sample("click", dist.Bernoulli(probs=exposure * mix[1] / (mix[1] + mix[2])))


@scm(**ROLES, latent=("kind",))
def kinds(view):
    with view.users():
        kind = pyro.sample("kind", dist.Bernoulli(0.5))
    with view.opportunities() as o:
        pyro.sample("exposure", dist.Bernoulli(0.5))
        pyro.sample("click", dist.Bernoulli(0.2 + 0.6 * pick(kind, o.user)))


@scm(**ROLES, latent=("mood",))
def moody(view):
    """A continuous latent of every opportunity."""
    with view.opportunities():
        mood = pyro.sample("mood", dist.Normal(0.0, 1.0))
        pyro.sample("exposure", dist.Bernoulli(0.5))
        pyro.sample("click", dist.Bernoulli(logits=mood))


@scm(**ROLES, latent=("mood",))
def counted_mood(view):
    """A latent of every opportunity whose values cannot be listed."""
    with view.opportunities():
        mood = pyro.sample("mood", dist.Poisson(1.0))
        pyro.sample("exposure", dist.Bernoulli(0.5))
        pyro.sample("click", dist.Bernoulli(logits=mood))


@scm(exposure="exposure", outcome="count")
def count_chooses(view):
    """A count without a largest value decides about exposure."""
    with view.opportunities():
        count = pyro.sample("count", dist.Poisson(2.0))
        pyro.sample("exposure", dist.Bernoulli(logits=count - 2.0))


@scm(**ROLES, latent=("attention",))
def attentive(view):
    """attention, unseen and discrete, is a cause of exposure and click, and is summed out."""
    appeal = pyro.sample("appeal", dist.Normal(0.0, 1.0))
    with view.opportunities():
        attention = pyro.sample("attention", dist.Bernoulli(0.4))
        exposure = pyro.sample("exposure", dist.Bernoulli(0.2 + 0.6 * attention))
        pyro.sample("click", dist.Bernoulli(probs=exposure * (appeal + attention).sigmoid()))


@scm(**ROLES)
def hourly(view):
    """hour -> exposure, hour -> click: unconfounded given the hour."""
    base, lift = pyro.sample("base", dist.Normal(-1.0, 1.0)), spread("lift")
    with view.opportunities():
        hour = pyro.sample("hour", dist.Normal(0.0, 1.0))
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=2.0 * lift * hour))
        pyro.sample("click", dist.Bernoulli(probs=exposure * (base + lift * hour).sigmoid()))


@scm(**ROLES)
def by_device(view):
    """Reads a context that is no site."""
    lean = pyro.sample("lean", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        exposure = pyro.sample("exposure", dist.Bernoulli(0.5))
        pyro.sample("click", dist.Bernoulli(probs=exposure * (lean * o.context["device"]).sigmoid()))


@scm(exposure="exposure", outcome="bought")
def bought(view):
    with view.opportunities():
        exposure = pyro.sample("exposure", dist.Bernoulli(0.5))
        pyro.sample("bought", dist.Bernoulli(0.5 * exposure))


@scm(exposure="exposure", outcome="count")
def counting(view):
    rate = pyro.sample("rate", dist.LogNormal(0.0, 1.0))
    with view.opportunities():
        exposure = pyro.sample("exposure", dist.Bernoulli(0.5))
        pyro.sample("count", dist.Poisson(rate * (0.1 + exposure)))


@scm(exposure="exposure", outcome="dwell", latent=("interest",))
def dwelling(view):
    rate = pyro.sample("rate", dist.Normal(0.0, 1.0))
    with view.users():
        interest = pyro.sample("interest", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        pyro.sample("exposure", dist.Bernoulli(logits=pick(interest, o.user)))
        pyro.sample("dwell", dist.LogNormal(rate + 0.5 * pick(interest, o.user), 0.5))


@scm(exposure="exposure", outcome="rating", latent=("taste",))
def rated(view):
    with view.users():
        taste = pyro.sample("taste", dist.Normal(0.0, 1.0))
    lean = pyro.sample("lean", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        cut = torch.linspace(-1.0, 1.0, view.n_levels - 1)
        rating = pyro.sample("rating", OrdinalRating(pick(taste, o.user), cut))
        pyro.sample("exposure", dist.Bernoulli(logits=lean * (rating - 1.0) - 1.0))


@scm(**ROLES)
def scale_to_nan(view):
    """A prior whose scale is not a number once `width` has moved."""
    width = pyro.sample("width", dist.Normal(0.0, 1.0))
    with view.opportunities():
        pyro.sample("exposure", dist.Bernoulli(0.5))
        pyro.sample("click", dist.Bernoulli(0.5))
    start = pyro.sample("start", dist.Normal(0.0, 1.0))
    pyro.sample("drift", dist.Laplace(start, torch.where(width > 5.0, torch.nan, 1.0)))


@scm(**ROLES)
def likelihood_to_nan(view):
    width = pyro.sample("width", dist.Normal(0.0, 1.0))
    with view.opportunities():
        pyro.sample("exposure", dist.Bernoulli(0.5))
        logit = torch.where(width > 5.0, torch.nan, width)
        pyro.sample("click", dist.Bernoulli(logits=logit))


@scm(**ROLES)
def gradient_to_nan(view):
    """The square root has no derivative at 0, where its value is fine."""
    width = pyro.sample("width", dist.Normal(0.0, 1.0))
    with view.opportunities():
        pyro.sample("exposure", dist.Bernoulli(0.5))
        pyro.sample("click", dist.Bernoulli(logits=(0.0 * width).sqrt()))


@scm(**ROLES, latent=("exposure",))
def glances(view):
    """Python looks at an exposure that nobody saw."""
    with view.opportunities():
        exposure = pyro.sample("exposure", dist.Bernoulli(0.3))
        pyro.sample("click", dist.Bernoulli(0.9 if bool(exposure.sum() > 0) else 0.1))


@scm(**ROLES, latent=("exposure", "attention"))
def two_unseen(view):
    """Two unseen sites with different numbers of values, one a cause of the other."""
    lean = pyro.sample("lean", dist.Normal(0.0, 1.0))
    with view.opportunities():
        attention = pyro.sample("attention", dist.Categorical(torch.tensor([0.2, 0.3, 0.5])))
        exposure = pyro.sample("exposure", dist.Bernoulli(0.2 + 0.3 * attention))
        pyro.sample("click", dist.Bernoulli(probs=exposure * (lean + attention).sigmoid()))
