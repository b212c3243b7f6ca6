"""User types: everybody is a mixture of a few, the type of the moment decides what is shown and what is liked.

    shares ─► segment ─► exposure ─► click ◄─ segment, taste
                            ▲
                   taste, popularity

Fork and edit this file: `counterlog models copy segments`, then `counterlog fit segments.py LOG`.

When to use it: a log of opportunities or impressions, with a column `exposure` or with every shown row in the log, and
clicks, of people who come in a few kinds, or in a few moods: parents and gamers, work and weekend.
When not: tastes differ in degree and in many directions (`popularity_exposure`); the types are known: make them a
context column and use `confounded_context`.
Columns: user, item, `exposure`, outcome `click`. `segment` is latent and summed out, opportunity by opportunity.
Assumptions:
- Mixed membership (Airoldi, Blei, Fienberg, Xing 2008, J. Mach. Learn. Res. 9): each opportunity has a type, drawn from
  its user's shares. There are `kinds` of them. (One type for all that a user does is the limit of a large `purity`.)
- The platform knows the type and shows each what it likes (`targeting`); given the type and its tastes, exposure and
  click share no other cause. Popularity acts on exposure alone.
- Types are numbered by how much they are shown (`rise` is positive), which is all that tells them apart: their order
  means nothing, and averages over opportunities do not depend on it.
Known truth (`truth` below): what is shown to a type is what it likes, so the click rate of exposed rows is too high.
"""

import pyro
import pyro.distributions as dist
import torch

from counterlog import scm
from counterlog.model.mechanisms import pick, spread

TRUTH = {
    "base": -2.5,
    "rise": [0.8, 0.8],
    "targeting": 1.2,
    "appeal": -1.2,
    "purity": 3.0,
    "taste_spread": 1.2,
    "popularity_spread": 0.7,
}


@scm(
    exposure="exposure",
    outcome="click",
    latent=("shares", "segment", "taste", "popularity"),
    truth=TRUTH,
    naive_bias=+1,
)
def segments(view, kinds=3):
    """shares -> segment -> exposure -> click; segment, taste -> click; taste, popularity -> exposure."""
    base, appeal = pyro.sample("base", dist.Normal(-2.0, 1.0)), pyro.sample("appeal", dist.Normal(-1.0, 1.0))
    rise = spread("rise", kinds - 1)  # of the log-odds of exposure, from a type to the next
    level = torch.cat([torch.zeros(1), rise.cumsum(-1)])
    targeting, purity = pyro.sample("targeting", dist.Normal(0.0, 1.0)), pyro.sample("purity", dist.LogNormal(1.0, 0.5))
    taste_spread = pyro.sample("taste_spread", dist.LogNormal(0.0, 0.5))
    popularity_spread = spread("popularity_spread")
    with view.users():
        shares = pyro.sample("shares", dist.Normal(0.0, 1.0).expand([kinds]).to_event(1))
    with view.items():
        taste = pyro.sample("taste", dist.Normal(0.0, 1.0).expand([kinds]).to_event(1))
        popularity = pyro.sample("popularity", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        segment = pyro.sample("segment", dist.Categorical(logits=pick(shares * purity, o.user)))
        liking = (taste * taste_spread)[o.item, segment]
        shown = base + level[segment] + pick(popularity * popularity_spread, o.item) + targeting * liking
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=shown))
        wanted = appeal + liking
        pyro.sample("click", dist.Bernoulli(probs=exposure * wanted.sigmoid()))
