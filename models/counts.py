"""How often: heavy users see more and play more of what they see, so plays per exposure say too much.

    activity, popularity ─► exposure ─► count ◄─ activity, quality
                               ▲          ▲
                preference x attribute ───┘

Fork and edit this file: `counterlog models copy counts`, then `counterlog fit counts.py LOG --outcome-kind count`.

When to use it: a log of opportunities with a column `exposure`, and how often each was played, bought or read.
When not: at most one click an exposure (`popularity_exposure`); a time or an amount (`dwell_time`); counts without any
record of what was shown.
Columns: user, item, `exposure`, outcome `count` (0, 1, 2, ...; what was not exposed counts for nothing).
Assumptions:
- Given the affinity of rank `dim` and a user's activity, exposure and count share no other cause.
- Counts are negative binomial: events of one pair come in bunches, equally so for every pair (`concentration`).
- No count without an exposure; popularity acts on exposure alone; nobody's plays use up anybody else's.
Known truth (`truth` below): those who see an item are those who would play it often, so the log's mean is too high.
"""

import pyro
import pyro.distributions as dist

from counterlog import scm
from counterlog.model.mechanisms import OverdispersedCount, affinity, pick, spread

TRUTH = {
    "base": -1.5,
    "appeal": 0.3,
    "targeting": 1.5,
    "concentration": 1.5,
    "engagement": 0.5,
    "activity_spread": 0.8,
    "popularity_spread": 1.0,
    "quality_spread": 0.4,
}


@scm(
    exposure="exposure",
    outcome="count",
    latent=("preference", "attribute", "activity", "popularity", "quality"),
    truth=TRUTH,
    naive_bias=+1,
)
def counts(view, dim=4):
    """activity, popularity, preference x attribute -> exposure -> count;
    preference x attribute, activity, quality -> count.
    """
    spreads, concentration = spread("spread", dim, scale=0.4), pyro.sample("concentration", dist.LogNormal(0.5, 0.5))
    activity_spread, popularity_spread = spread("activity_spread"), spread("popularity_spread")
    quality_spread = spread("quality_spread", scale=0.5)
    base, appeal = pyro.sample("base", dist.Normal(-1.0, 1.5)), pyro.sample("appeal", dist.Normal(0.0, 1.0))
    targeting = pyro.sample("targeting", dist.Normal(0.0, 1.0))
    engagement = pyro.sample("engagement", dist.Normal(0.0, 0.5))
    with view.users():
        activity = pyro.sample("activity", dist.Normal(0.0, 1.0))
        preference = pyro.sample("preference", dist.Normal(0.0, 1.0).expand([dim]).to_event(1))
    with view.items():
        popularity, quality = (pyro.sample(name, dist.Normal(0.0, 1.0)) for name in ("popularity", "quality"))
        attribute = pyro.sample("attribute", dist.Normal(0.0, 1.0).expand([dim]).to_event(1))
    with view.opportunities() as o:
        liking = affinity(preference * spreads, attribute, o)
        shown = base + pick(activity * activity_spread, o.user) + pick(popularity * popularity_spread, o.item)
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=shown + targeting * liking))
        wanted = appeal + liking + pick(activity * engagement, o.user) + pick(quality * quality_spread, o.item)
        pyro.sample("count", OverdispersedCount(exposure * wanted.exp(), concentration))
