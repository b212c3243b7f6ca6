"""Slates: the platform ranks what it believes in, people look at the top, and click what they look at and like.

    popularity ─► position ─► exposure ─► click ◄─ preference x attribute, leniency
        └───────────────────────────────────┘

Fork and edit this file: `counterlog models copy position_examination`, then fit the file as you would fit the
model by name.

When to use it: impressions with a position and clicks, where being in the slate does not mean being seen.
When not: no positions, or the log says what was seen (`popularity_exposure`).
Columns: user, item, `position` (from 1), outcome `click`. Exposure (examination) is latent and summed out.
Assumptions:
- Position-based model (Richardson, Dominowska, Ragno 2007, WWW; Craswell et al. 2008, WSDM): a click is an examination
  and a liking; examination depends on the position alone; the first position is always examined, which fixes the scale.
- The platform places items by their popularity, which also changes how much they are liked; no other cause of position
  acts on clicks.
Known truth (`truth` below): clicks per impression understate how much an examined item is liked.
"""

import pyro
import pyro.distributions as dist
import torch

from counterlog import scm
from counterlog.model.mechanisms import Positions, affinity, examination, pick, spread

TRUTH = {"decay": 0.9, "ranking": 0.5, "appeal": -0.5, "conformity": 0.5, "leniency_spread": 0.5}


@scm(
    exposure="exposure",
    outcome="click",
    latent=("exposure", "preference", "attribute", "popularity", "leniency"),
    truth=TRUTH,
    naive_bias=-1,
)
def position_examination(view, dim=4):
    """popularity -> position -> exposure -> click <- preference x attribute, leniency, popularity."""
    spreads, leniency_spread = spread("spread", dim, scale=0.5), spread("leniency_spread")
    decay = spread("decay")
    ranking = pyro.sample("ranking", dist.Normal(0.0, 0.5))
    appeal = pyro.sample("appeal", dist.Normal(-1.0, 1.5))
    conformity = pyro.sample("conformity", dist.Normal(0.0, 1.0))
    with view.users():
        leniency = pyro.sample("leniency", dist.Normal(0.0, 1.0))
        preference = pyro.sample("preference", dist.Normal(0.0, 1.0).expand([dim]).to_event(1))
    with view.items():
        popularity = pyro.sample("popularity", dist.Normal(0.0, 1.0))
        attribute = pyro.sample("attribute", dist.Normal(0.0, 1.0).expand([dim]).to_event(1))
    ranks = torch.arange(view.n_positions, dtype=torch.float32)
    with view.opportunities() as o:
        position = pyro.sample("position", Positions(-pick(popularity * ranking, o.item)[..., None] * ranks))
        exposure = pyro.sample("exposure", dist.Bernoulli(probs=examination(position, decay)))
        wanted = appeal + affinity(preference * spreads, attribute, o)
        wanted = wanted + pick(leniency * leniency_spread, o.user) + pick(popularity * conformity, o.item)
        pyro.sample("click", dist.Bernoulli(probs=exposure * wanted.sigmoid()))
