"""A recommender in Pyro as somebody else wrote it: plain plates, plain indexing, and nothing of this package."""

import pyro
import pyro.distributions as dist
import torch


def feed(view, factors=2):
    """Popularity and taste decide what is shown, taste and charm what is clicked."""
    reach = pyro.sample("reach", dist.Normal(-0.5, 1.0))
    appeal = pyro.sample("appeal", dist.Normal(-0.5, 1.0))
    pull = pyro.sample("pull", dist.HalfNormal(1.0))
    with pyro.plate("users", view.n_users):
        taste = pyro.sample("taste", dist.Normal(torch.zeros(factors), 1.0).to_event(1))
    with pyro.plate("items", view.n_items):
        charm = pyro.sample("charm", dist.Normal(torch.zeros(factors), 1.0).to_event(1))
        fame = pyro.sample("fame", dist.Normal(0.0, 1.0))
    user, item = view.rows.user, view.rows.item
    with pyro.plate("opportunities", view.n_opportunities):
        liking = pull * (taste[user] * charm[item]).sum(-1)
        shown = pyro.sample("shown", dist.Bernoulli(logits=reach + fame[item] + liking))
        pyro.sample("bought", dist.Bernoulli(probs=shown * torch.sigmoid(appeal + liking)))
