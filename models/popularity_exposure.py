"""Popularity drives exposure, preference drives exposure and clicks: what a recommender's impression log looks like.

    activity, popularity ─► exposure ─► click ◄─ quality, leniency
                               ▲          ▲
                preference x attribute ───┘

Fork and edit this file: `counterlog models copy popularity_exposure`, then `counterlog fit popularity_exposure.py LOG`.

When to use it: a log of opportunities or impressions, with a column `exposure` or with every shown row in the log, and
clicks. When not: clicks only (`latent_exposure`); ratings chosen by the user (`self_selection`); slates with positions
(`position_examination`). Columns: user, item, `exposure`, outcome `click`.
Assumptions:
- What drives both exposure and click is caught by the affinity of rank `dim`: given it, exposure and click share no
  other cause.
- A click needs an exposure; exposure changes no preference; popularity acts on exposure alone.
- Overlap: every cell has some chance to be exposed.
Known truth (`truth` below): the policy shows people what they like, so the click rate of exposed rows is too high.
"""

import pyro
import pyro.distributions as dist

from counterlog import scm
from counterlog.model.mechanisms import affinity, exposure_logits, normal, pick, spread

TRUTH = {
    "base": -1.5,
    "appeal": -1.0,
    "targeting": 1.0,
    "popularity_spread": 1.0,
    "quality_spread": 0.5,
}


@scm(
    exposure="exposure",
    outcome="click",
    latent=("preference", "attribute", "activity", "popularity", "leniency", "quality"),
    truth=TRUTH,
    naive_bias=+1,
)
def popularity_exposure(view, dim=4):
    """activity, popularity, preference x attribute -> exposure -> click <- preference x attribute, leniency,
    quality.
    """
    spreads = spread("spread", dim, scale=0.5)
    activity_spread, popularity_spread = spread("activity_spread"), spread("popularity_spread")
    leniency_spread, quality_spread = spread("leniency_spread"), spread("quality_spread")
    base, appeal = (normal(name, loc=-1.0, scale=1.5) for name in ("base", "appeal"))
    targeting = normal("targeting")
    with view.users():
        activity, leniency, preference = normal("activity"), normal("leniency"), normal("preference", dim)
    with view.items():
        popularity, quality, attribute = normal("popularity"), normal("quality"), normal("attribute", dim)
    with view.opportunities() as o:
        liking = affinity(preference * spreads, attribute, o)
        shown = exposure_logits(base, activity * activity_spread, popularity * popularity_spread, o)
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=shown + targeting * liking))
        wanted = appeal + liking + pick(leniency * leniency_spread, o.user) + pick(quality * quality_spread, o.item)
        pyro.sample("click", dist.Bernoulli(probs=exposure * wanted.sigmoid()))
