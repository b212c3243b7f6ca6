"""Popular is shown, and popular is liked for being popular: some people follow the crowd more than others.

    activity, popularity ─► exposure ─► click ◄─ preference x attribute, quality, leniency
                  └──────── x herding ────┘

Fork and edit this file: `counterlog models copy conformity`, then `counterlog fit conformity.py LOG`.

When to use it: a log of opportunities with a column `exposure`, and clicks, where people see how popular an item is
(likes, sales, charts). `do(popularity=0)` asks what happens if all items are equally popular; the cut of popularity ->
click asks what people would click of what they are shown now if popularity told them nothing.
When not: users cannot see popularity (`popularity_exposure`); items are popular because they are good: no log of this
kind then tells the crowd from what is good.
Columns: user, item, `exposure`, outcome `click`.
Assumptions:
- Popularity is what makes an item be shown to everybody. It is learnt from exposure, and independent of the item's
  quality, which is what makes a click likelier at equal popularity.
- Conformity is a person's weight times the item's popularity (Zheng et al. 2021, WWW), the weights normal over persons
  around a common one (one for all: popularity as a common cause, Zhang et al. 2021, SIGIR).
- Exposure and click share no other cause. A click needs an exposure. Overlap: every cell has some chance to be exposed.
Known truth (`truth` below): what is shown is what the crowd likes, so the click rate of exposed rows is too high.
"""

import pyro
import pyro.distributions as dist

from counterlog import scm
from counterlog.model.mechanisms import affinity, conformity_effect, exposure_logits, normal, pick, spread

TRUTH = {
    "base": -1.5,
    "appeal": -1.0,
    "conformity": 0.8,
    "conformity_spread": 0.5,
    "popularity_spread": 1.2,
    "activity_spread": 0.7,
    "quality_spread": 0.5,
}


@scm(
    exposure="exposure",
    outcome="click",
    latent=("preference", "attribute", "activity", "popularity", "leniency", "quality", "herding"),
    truth=TRUTH,
    naive_bias=+1,
)
def conformity(view, dim=4):
    """activity, popularity -> exposure -> click <- preference x attribute, quality, leniency, popularity x herding."""
    spreads = spread("spread", dim, scale=0.5)
    activity_spread, popularity_spread = spread("activity_spread"), spread("popularity_spread")
    leniency_spread, quality_spread = spread("leniency_spread"), spread("quality_spread")
    base, appeal = (normal(name, loc=-1.0, scale=1.5) for name in ("base", "appeal"))
    common, conformity_spread = normal("conformity"), spread("conformity_spread", scale=0.5)
    with view.users():
        activity, leniency, herding = normal("activity"), normal("leniency"), normal("herding")
        preference = normal("preference", dim)
    with view.items():
        popularity, quality, attribute = normal("popularity"), normal("quality"), normal("attribute", dim)
    with view.opportunities() as o:
        shown = exposure_logits(base, activity * activity_spread, popularity * popularity_spread, o)
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=shown))
        wanted = appeal + affinity(preference * spreads, attribute, o)
        wanted = wanted + pick(leniency * leniency_spread, o.user) + pick(quality * quality_spread, o.item)
        wanted = wanted + conformity_effect(common + conformity_spread * herding, popularity, o)
        pyro.sample("click", dist.Bernoulli(probs=exposure * wanted.sigmoid()))
