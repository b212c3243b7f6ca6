"""A choice from a slate: what is shown competes for one click, so an item's click rate depends on its neighbours.

    activity, popularity ─► exposure ─► click ◄─ leniency, quality
                               ▲          ▲
                preference x attribute ───┘

Fork and edit this file: `counterlog models copy slate_choice`, then
`counterlog fit slate_choice.py LOG --context slate`.

When to use it: slates of candidates with a column `exposure` (which of them were shown), and at most one click each.
When not: people click as many as they like (`popularity_exposure`); a position in the slate decides what is seen
(`position_examination`).
Columns: user, item, `exposure`, context `slate` (an id; a user's rows of one id compete), outcome `click`.
Assumptions:
- Multinomial logit (McFadden 1974): P(click on r) = exposure_r exp(u_r) / (1 + sum of exp(u) over the shown rows of its
  slate). So a neighbour takes clicks from all in proportion (independence of irrelevant alternatives), and nothing else
  of a slate matters to another.
- Given the affinity of rank `dim`, exposure and click share no other cause; which candidates a slate has is no news.
- Exposure does not look at the neighbours.
What an effect means: under do(exposure=1) all candidates of every slate are shown at once. Counterfactuals of single
rows are refused: the rows of a slate share their noise.
Known truth (`truth` below): shown rows are liked and have few neighbours, so their click rate is too high.
"""

import pyro
import pyro.distributions as dist

from counterlog import scm
from counterlog.model.mechanisms import SlateChoice, affinity, pick, spread

TRUTH = {
    "base": -0.7,
    "appeal": -1.0,
    "targeting": 1.0,
    "activity_spread": 0.7,
    "popularity_spread": 1.0,
    "leniency_spread": 0.7,
    "quality_spread": 0.7,
}


@scm(
    exposure="exposure",
    outcome="click",
    latent=("preference", "attribute", "activity", "popularity", "leniency", "quality"),
    together="slate",
    truth=TRUTH,
    naive_bias=+1,
)
def slate_choice(view, dim=4):
    """activity, popularity, preference x attribute -> exposure -> click;
    preference x attribute, leniency, quality -> click.
    """
    spreads = spread("spread", dim, scale=0.5)
    activity_spread, popularity_spread = spread("activity_spread"), spread("popularity_spread")
    leniency_spread, quality_spread = spread("leniency_spread"), spread("quality_spread")
    base, appeal = (pyro.sample(name, dist.Normal(-1.0, 1.5)) for name in ("base", "appeal"))
    targeting = pyro.sample("targeting", dist.Normal(0.0, 1.0))
    with view.users():
        activity, leniency = (pyro.sample(name, dist.Normal(0.0, 1.0)) for name in ("activity", "leniency"))
        preference = pyro.sample("preference", dist.Normal(0.0, 1.0).expand([dim]).to_event(1))
    with view.items():
        popularity, quality = (pyro.sample(name, dist.Normal(0.0, 1.0)) for name in ("popularity", "quality"))
        attribute = pyro.sample("attribute", dist.Normal(0.0, 1.0).expand([dim]).to_event(1))
    with view.opportunities() as o:
        liking = affinity(preference * spreads, attribute, o)
        shown = base + pick(activity * activity_spread, o.user) + pick(popularity * popularity_spread, o.item)
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=shown + targeting * liking))
        utility = appeal + liking + pick(leniency * leniency_spread, o.user) + pick(quality * quality_spread, o.item)
        pyro.sample("click", SlateChoice(utility, exposure, o.context["slate"]))
