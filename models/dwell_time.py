"""First whether an item is opened, then for how long: the time of an exposure is the one times the other.

    activity, popularity ─► exposure ─► click ─► dwell ◄─ preference x attribute, patience, quality
                               ▲          ▲
                preference x attribute ───┴─ quality

Fork and edit this file: `counterlog models copy dwell_time`, then
`counterlog fit dwell_time.py LOG --outcome-kind positive --context click`.

When to use it: impressions of which some are opened (watched, read, bought), with the time or the amount of those.
When not: a time for every exposure, opened or not (leave `click` out of a copy); how often (`counts`).
Columns: user, item, `exposure`, context `click` (1 if opened, 0 if not or never shown), outcome `dwell` (above 0;
empty where the item was not opened).
Assumptions:
- Given the affinity of rank `dim` and an item's quality, exposure, opening and time share no other cause.
- Times are log-normal given what the user likes; the same liking moves exposure, opening and time.
- No opening without an exposure, no time without an opening.
What an effect means: on `dwell` under do(exposure=1), the seconds that an exposure brings, P(click) x E[dwell | click]
for each pair, unopened ones counted as 0; under do(exposure=1, click=1), the seconds if everything were opened; on
`click`, the share that would be opened.
Known truth (`truth` below): what is shown is liked, so an exposure of the log brings more time than one to anybody.
"""

import pyro
import pyro.distributions as dist

from counterlog import scm
from counterlog.model.mechanisms import Hurdle, affinity, pick, spread

TRUTH = {
    "base": -1.2,
    "appeal": -0.5,
    "length": 3.0,
    "targeting": 1.5,
    "holding": 0.3,
    "noise": 0.6,
    "activity_spread": 0.7,
    "popularity_spread": 1.0,
    "patience_spread": 0.4,
    "quality_spread": 0.4,
}


@scm(
    exposure="exposure",
    outcome="dwell",
    latent=("preference", "attribute", "activity", "patience", "popularity", "quality"),
    truth=TRUTH,
    naive_bias=+1,
)
def dwell_time(view, dim=4):
    """activity, popularity, preference x attribute -> exposure -> click -> dwell;
    preference x attribute, quality -> click; preference x attribute, quality, patience -> dwell.
    """
    spreads, noise = spread("spread", dim, scale=0.5), pyro.sample("noise", dist.LogNormal(-0.5, 0.5))
    activity_spread, popularity_spread = spread("activity_spread"), spread("popularity_spread")
    quality_spread, patience_spread = spread("quality_spread"), spread("patience_spread", scale=0.5)
    base, appeal = (pyro.sample(name, dist.Normal(-1.0, 1.5)) for name in ("base", "appeal"))
    targeting, holding = (pyro.sample(name, dist.Normal(0.0, 1.0)) for name in ("targeting", "holding"))
    length = pyro.sample("length", dist.Normal(3.0, 2.0))  # of a typical stay, as the logarithm of seconds
    with view.users():
        activity, patience = (pyro.sample(name, dist.Normal(0.0, 1.0)) for name in ("activity", "patience"))
        preference = pyro.sample("preference", dist.Normal(0.0, 1.0).expand([dim]).to_event(1))
    with view.items():
        popularity, quality = (pyro.sample(name, dist.Normal(0.0, 1.0)) for name in ("popularity", "quality"))
        attribute = pyro.sample("attribute", dist.Normal(0.0, 1.0).expand([dim]).to_event(1))
    with view.opportunities() as o:
        liking = affinity(preference * spreads, attribute, o)
        shown = base + pick(activity * activity_spread, o.user) + pick(popularity * popularity_spread, o.item)
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=shown + targeting * liking))
        wanted = liking + pick(quality * quality_spread, o.item)
        click = pyro.sample("click", dist.Bernoulli(probs=exposure * (appeal + wanted).sigmoid()))
        stay = length + holding * wanted + pick(patience * patience_spread, o.user)
        pyro.sample("dwell", Hurdle(click, dist.LogNormal(stay, noise)))
