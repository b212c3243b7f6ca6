"""Clicks without impressions: what was not clicked was not liked, or was never shown, and the log does not say which.

    activity, popularity ─► exposure ─► click ◄─ preference x attribute, quality

Fork and edit this file: `counterlog models copy latent_exposure`, then `counterlog fit latent_exposure.py LOG`.

When to use it: a log of clicks (plays, purchases) and nothing else; every other cell is either unseen or unwanted.
When not: the log has impressions (`popularity_exposure`) or ratings (`self_selection`).
Columns: user, item, outcome `click` (all 1). Exposure is latent and summed out.
Assumptions:
- Exposure MF (Liang, Charlin, McInerney, Blei 2016, WWW): click = exposure x liking. Exposure depends on activity and
  popularity alone; the affinity of rank `dim` acts on liking alone. Item intercepts of the two are told apart by this
  form, not by the data.
- Every cell is an opportunity once.
Known truth (`truth` below): clicks per cell understate how much an exposed item is liked.
"""

import pyro
import pyro.distributions as dist

from counterlog import scm
from counterlog.model.mechanisms import affinity, exposure_logits, normal, pick, spread

TRUTH = {
    "base": -1.5,
    "appeal": -0.5,
    "popularity_spread": 1.2,
    "activity_spread": 0.7,
    "quality_spread": 0.5,
}


@scm(
    exposure="exposure",
    outcome="click",
    latent=("exposure", "preference", "attribute", "activity", "popularity", "quality"),
    truth=TRUTH,
    naive_bias=-1,
)
def latent_exposure(view, dim=16):
    """activity, popularity -> exposure -> click <- preference x attribute, quality."""
    spreads = spread("spread", dim, scale=0.5)
    activity_spread, popularity_spread = spread("activity_spread"), spread("popularity_spread")
    quality_spread = spread("quality_spread", scale=0.5)
    base, appeal = normal("base", loc=-2.0), normal("appeal", loc=-1.0)
    with view.users():
        activity, preference = normal("activity"), normal("preference", dim)
    with view.items():
        popularity, quality, attribute = normal("popularity"), normal("quality"), normal("attribute", dim)
    with view.opportunities() as o:
        shown = exposure_logits(base, activity * activity_spread, popularity * popularity_spread, o)
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=shown))
        wanted = appeal + affinity(preference * spreads, attribute, o) + pick(quality * quality_spread, o.item)
        pyro.sample("click", dist.Bernoulli(probs=exposure * wanted.sigmoid()))
