"""Programs and worlds for checks of fits: each fault beside the program that has none of it."""

from __future__ import annotations

import functools

import pyro
import pyro.distributions as dist
import torch
from tests.inference.programs import counting, dwelling, quick, rated

import counterlog as cl
from counterlog.inference import Fit
from counterlog.logs import InteractionLog
from counterlog.model import SCM, scm
from counterlog.model.known_world import KnownWorld, known_world
from counterlog.model.mechanisms import affinity, pick, spread

ROLES = {"exposure": "exposure", "outcome": "click"}


def _slopes(view):
    slope, lift = pyro.sample("slope", dist.Normal(0.0, 1.5)), pyro.sample("lift", dist.Normal(0.0, 1.5))
    return slope * view.user_features[:, 0], lift * view.item_features[:, 0]


@scm(**ROLES)
def logistic(view):
    """Features act through a logistic link."""
    base, (mine, theirs) = pyro.sample("base", dist.Normal(0.0, 1.5)), _slopes(view)
    with view.opportunities() as o:
        exposure = pyro.sample("exposure", dist.Bernoulli(0.7))
        liking = base + pick(mine, o.user) + pick(theirs, o.item)
        pyro.sample("click", dist.Bernoulli(probs=exposure * liking.sigmoid()))


@scm(**ROLES)
def floored(view):
    """The same, but three in ten click whatever they see: a link with a floor."""
    base, (mine, theirs) = pyro.sample("base", dist.Normal(0.0, 1.5)), _slopes(view)
    with view.opportunities() as o:
        exposure = pyro.sample("exposure", dist.Bernoulli(0.7))
        liking = base + pick(mine, o.user) + pick(theirs, o.item)
        pyro.sample("click", dist.Bernoulli(probs=exposure * (0.3 + 0.7 * liking.sigmoid())))


@scm(**ROLES)
def crossing(view):
    """The product of the two features acts as well."""
    base, (mine, theirs) = pyro.sample("base", dist.Normal(0.0, 1.5)), _slopes(view)
    product = pyro.sample("product", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        exposure = pyro.sample("exposure", dist.Bernoulli(0.7))
        both = pick(view.user_features[:, 0], o.user) * pick(view.item_features[:, 0], o.item)
        liking = base + pick(mine, o.user) + pick(theirs, o.item) + product * both
        pyro.sample("click", dist.Bernoulli(probs=exposure * liking.sigmoid()))


@scm(**ROLES, latent=("taste", "charm"))
def additive(view):
    """Users and items differ, and do not go together."""
    base = pyro.sample("base", dist.Normal(0.0, 1.5))
    with view.users():
        taste = pyro.sample("taste", dist.Normal(0.0, 1.0))
    with view.items():
        charm = pyro.sample("charm", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        exposure = pyro.sample("exposure", dist.Bernoulli(0.7))
        liking = base + pick(taste, o.user) + pick(charm, o.item)
        pyro.sample("click", dist.Bernoulli(probs=exposure * liking.sigmoid()))


@scm(**ROLES, latent=("taste", "charm", "preference", "attribute"))
def matched(view):
    """The same with an affinity of rank one."""
    base, strength = pyro.sample("base", dist.Normal(0.0, 1.5)), spread("strength", 1)
    with view.users():
        taste = pyro.sample("taste", dist.Normal(0.0, 1.0))
        preference = pyro.sample("preference", dist.Normal(0.0, 1.0).expand([1]).to_event(1))
    with view.items():
        charm = pyro.sample("charm", dist.Normal(0.0, 1.0))
        attribute = pyro.sample("attribute", dist.Normal(0.0, 1.0).expand([1]).to_event(1))
    with view.opportunities() as o:
        exposure = pyro.sample("exposure", dist.Bernoulli(0.7))
        liking = base + pick(taste, o.user) + pick(charm, o.item) + affinity(preference * strength, attribute, o)
        pyro.sample("click", dist.Bernoulli(probs=exposure * liking.sigmoid()))


@scm(**ROLES, latent=("taste", "mood"))
def silent(view):
    """Nothing that is seen depends on `idle`, nor on the users' `mood`; `pull` and `push` are known as a sum alone."""
    base = pyro.sample("base", dist.Normal(0.0, 1.5))
    pyro.sample("idle", dist.Normal(0.0, 1.0))
    pull, push = pyro.sample("pull", dist.Normal(0.0, 1.0)), pyro.sample("push", dist.Normal(0.0, 1.0))
    with view.users():
        taste = pyro.sample("taste", dist.Normal(0.0, 1.0))
        pyro.sample("mood", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=base + pick(taste, o.user)))
        pyro.sample("click", dist.Bernoulli(probs=exposure * (pull + push).sigmoid()))


#: name -> program, truth, users, items, features: worlds without a fault.
CLEAN: dict[str, tuple[SCM, dict, int, int, int]] = {
    "quick": (quick, {"base": -0.5, "appeal": 0.3}, 40, 25, 0),
    "dwelling": (dwelling, {"rate": 0.5}, 40, 25, 0),
    "counting": (counting, {"rate": 2.0}, 40, 25, 0),
    "rated": (rated, {"lean": 0.8}, 40, 25, 0),
    "logistic": (logistic, {"base": -0.3, "slope": 1.0, "lift": -0.8}, 40, 25, 1),
}
STEPS = 500


def world(program: SCM, truth: dict, seed: int, users: int = 40, items: int = 25, features: int = 0) -> KnownWorld:
    return known_world(program, users, items, seed, truth=truth, n_features=features)


def clean_fit(name: str, seed: int, steps: int = STEPS) -> Fit:
    program, truth, users, items, features = CLEAN[name]
    return cl.fit(program, world(program, truth, seed, users, items, features).log, rng=seed, steps=steps)


@functools.cache
def quick_fit() -> Fit:
    """A fit without a fault, made once."""
    return clean_fit("quick", 1, 300)


@functools.cache
def log_of(name: str) -> InteractionLog:
    """The log of a faulty world, made once."""
    return {
        "floored": lambda: world(floored, {"base": -1.0, "slope": 2.0, "lift": -2.0}, 1, 60, 40, 1),
        "crossing": lambda: world(crossing, {"base": 0.0, "slope": 0.5, "lift": 0.5, "product": 0.7}, 1, 60, 40, 1),
        "matched": lambda: world(matched, {"base": 0.0, "strength": [1.5]}, 1, 60, 40),
        "silent": lambda: world(silent, {"base": 0.0, "pull": 0.5, "push": 0.5}, 1, 60, 40),
    }[name]().log


def clean_verdict(task: tuple[str, int]) -> tuple[str, str, list[str]]:
    """Model, verdict and what was raised, of one clean fit; here, where a worker process finds it."""
    torch.set_num_threads(1)
    name, seed = task
    found = clean_fit(name, seed).check(rng=seed)
    return name, found.verdict, [finding.name for finding in found.findings if finding.status != "PASS"]
