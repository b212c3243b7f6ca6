"""Something about people decides what they get to see and how they like it: learn it from what they got to see.

    activity, popularity ─► exposure ─► click ◄─ preference x attribute, quality
                               ▲          ▲
         confounder x loading ─┴──────────┴─ sway

Fork and edit this file: `counterlog models copy substitute_confounder`, then `counterlog fit substitute_confounder.py
LOG`.

When to use it: a log of opportunities with a column `exposure` in which each user had many of them, and an unseen trait
(income, age, the circle of friends) that moves exposures to many items and the outcome: the deconfounded recommender
(Wang, Liang, Charlin, Blei 2020, RecSys; Wang and Blei 2019, JASA).
When not: few exposures a user, from which no trait can be learnt; the platform knows the taste for the very item
(`popularity_exposure`); the causes of both are columns (`confounded_context`).
Columns: user, item, `exposure`, outcome `click`.
Assumptions:
- No single-cause confounder: whatever acts on exposure and click acts on the exposures to many items, so that it
  leaves its mark in the exposure matrix. What is peculiar to one user and one item remains a bias.
- The factor model is right: given activity, popularity and the trait, exposures are independent coins whose log-odds
  are additive with a product of rank `dim`; the trait acts on a click's log-odds in proportion to how it acts on those
  of exposure, for each person with a weight of its own, normal over persons.
- It is this form that tells, not the graph: other forms fit the same log and give other answers (D'Amour 2019, AISTATS;
  Ogburn, Shpitser, Tchetgen Tchetgen 2019, JASA). `counterlog identify` says "not identified", and is right.
- A click needs an exposure. Overlap: the trait leaves every cell some chance to be exposed; the better it is known, the
  less true that is.
Known truth (`truth` below): people are shown more of what they like, for the same unseen reason, so the click rate of
exposed rows is too high.
"""

import pyro
import pyro.distributions as dist

from counterlog import scm
from counterlog.model.mechanisms import affinity, exposure_logits, normal, pick, spread

TRUTH = {
    "base": -1.0,
    "appeal": -1.0,
    "pull": 0.8,
    "pull_spread": 0.3,
    "reach": [1.2, 1.0],
    "quality_spread": 0.5,
    "popularity_spread": 0.7,
    "activity_spread": 0.5,
}


@scm(
    exposure="exposure",
    outcome="click",
    latent=("confounder", "loading", "sway", "preference", "attribute", "activity", "popularity", "quality"),
    truth=TRUTH,
    naive_bias=+1,
)
def substitute_confounder(view, dim=2, taste=4):
    """activity, popularity, confounder x loading -> exposure -> click <- preference x attribute, quality, sway,
    confounder x loading.
    """
    reach, spreads = spread("reach", dim), spread("spread", taste, scale=0.5)
    activity_spread, popularity_spread = spread("activity_spread"), spread("popularity_spread")
    quality_spread, pull_spread = spread("quality_spread"), spread("pull_spread", scale=0.5)
    base, appeal = (normal(name, loc=-1.0, scale=1.5) for name in ("base", "appeal"))
    pull = normal("pull")
    with view.users():
        activity, sway = normal("activity"), normal("sway")
        confounder, preference = normal("confounder", dim), normal("preference", taste)
    with view.items():
        popularity, quality = normal("popularity"), normal("quality")
        loading, attribute = normal("loading", dim), normal("attribute", taste)
    with view.opportunities() as o:
        shared = affinity(confounder * reach, loading, o)
        shown = exposure_logits(base, activity * activity_spread, popularity * popularity_spread, o)
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=shown + shared))
        wanted = appeal + affinity(preference * spreads, attribute, o) + pick(quality * quality_spread, o.item)
        wanted = wanted + pick(pull + pull_spread * sway, o.user) * shared
        pyro.sample("click", dist.Bernoulli(probs=exposure * wanted.sigmoid()))
