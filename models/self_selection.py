"""Ratings that are seen because they are high: people rate what they like.

    preference x attribute, leniency, quality ─► rating ─► exposure ◄─ activity, popularity
                                   features ──────┴──────────┘

Fork and edit this file: `counterlog models copy self_selection`, then `counterlog fit self_selection.py LOG`.

When to use it: a log of ratings that users chose to give, no record of what else they saw (Coat, Yahoo! R3, MovieLens).
When not: every row is an impression with a click (`popularity_exposure`), clicks without impressions
(`latent_exposure`). Columns: user, item, outcome `rating` (ordered levels). Helpful: features of users and items.
Assumptions:
- Missing not at random, of this form: the log-odds of exposure are the sum of a user's activity, an item's popularity,
  the crossed features and a number for the rating itself that never falls from a level to the next: nobody hides what
  they like. How much it rises at each level is learnt. Nothing else links rating and exposure.
- Ratings are ordered logistic in an affinity of rank `dim` plus features; one set of cut-points for all.
- No interference between users, no change over time, each cell is rated at most once.
Known truth (`truth` below): selection rises steeply with the level, so the log's own mean is too high.
"""

import pyro
import pyro.distributions as dist
import torch

from counterlog import scm
from counterlog.model.mechanisms import OrdinalRating, affinity, crossed, cutpoints, normal, pick, spread

TRUTH = {"base": -3.8, "selection": [0.4, 0.8, 0.8, 0.4], "first": -1.5, "gaps": [0.9, 0.9, 0.9]}


@scm(
    exposure="exposure",
    outcome="rating",
    latent=("preference", "leniency", "activity", "attribute", "quality", "popularity"),
    truth=TRUTH,
    naive_bias=+1,
)
def self_selection(view, dim=8):
    """preference x attribute, leniency, quality -> rating -> exposure <- activity, popularity."""
    xu, xi = view.user_features, view.item_features
    p, q = xu.shape[1], xi.shape[1]
    user_spread, item_spread, spreads = spread("user_spread"), spread("item_spread"), spread("spread", dim, scale=0.5)
    activity_spread, popularity_spread = spread("activity_spread"), spread("popularity_spread")
    levels = cutpoints(view.n_levels)
    base = normal("base", loc=-3.0)
    rise = spread("selection", view.n_levels - 1)  # of the log-odds of exposure, from a level to the next
    selection = torch.cat([torch.zeros(1), rise.cumsum(-1)])
    with view.users():
        leniency, activity, preference = normal("leniency"), normal("activity"), normal("preference", dim)
    with view.items():
        quality, popularity, attribute = normal("quality"), normal("popularity"), normal("attribute", dim)
    user_side, item_side = leniency * user_spread, quality * item_spread
    if p:
        user_side = user_side + xu @ normal("user_weights", p) * spread("user_weights_spread", scale=0.5)
    if q:
        item_side = item_side + xi @ normal("item_weights", q) * spread("item_weights_spread", scale=0.5)
    if p and q:
        taste = normal("crossed_rating", p, q) * spread("crossed_rating_spread", scale=0.5)
        habit = normal("crossed_exposure", p, q)
    with view.opportunities() as o:
        liking = pick(user_side, o.user) + pick(item_side, o.item) + affinity(preference * spreads, attribute, o)
        odds = base + pick(activity * activity_spread, o.user) + pick(popularity * popularity_spread, o.item)
        if p and q:
            liking = liking + crossed(xu, xi, taste, o)
            odds = odds + crossed(xu, xi, habit, o)
        rating = pyro.sample("rating", OrdinalRating(liking, levels))
        pyro.sample("exposure", dist.Bernoulli(logits=odds + selection[rating]))
