"""A feedback loop, unrolled in time: what was clicked yesterday is shown today, while preferences move on.

                                preference x attribute, leniency, quality ───┐
                                                    ▼                        ▼
    activity, popularity ─► exposure_before ─► click_before ─► exposure ─► click ◄─ innovation
        │                         └────────────────────────────────▲
        └──────────────────────────────────────────────────────────┘

Fork and edit this file: `counterlog models copy preference_drift`, then `counterlog fit preference_drift.py LOG
--context exposure_before,click_before`.

When to use it: a log of two periods joined into one row for each user and item, where today's exposure answers to what
the user did yesterday. `do(exposure_before=1)` is followed through the loop; `do(exposure=1)` cuts it.
When not: one period (`popularity_exposure`); the platform knew the user's taste before yesterday: then what happened
yesterday does not screen it off.
Columns: user, item, `exposure`, outcome `click`, and as context `exposure_before` and `click_before` (0 or 1).
Assumptions:
- Yesterday exposure came from activity and popularity alone; today it answers to yesterday's exposure and click of this
  very item as well. Then adjusting for both identifies the effect of today's exposure. That of yesterday's rests on the
  model: activity and popularity, unseen, act on both exposures.
- Preferences follow a stationary autoregression: `persistence` is the correlation of yesterday's and today's.
- What is exposed changes no preference, and no other cell. A click needs an exposure. Overlap: whatever happened
  yesterday, every cell has some chance to be exposed today.
Known truth (`truth` below): the loop shows what was liked, so the click rate of exposed rows is too high.
"""

import pyro
import pyro.distributions as dist

from counterlog import scm
from counterlog.model.mechanisms import affinity, drift, exposure_logits, normal, pick, spread

TRUTH = {
    "base": 0.5,
    "appeal": -1.0,
    "reward": 3.5,
    "neglect": -2.5,
    "persistence": 0.8,
    "spread": [1.0, 0.8, 0.8, 0.6],
    "activity_spread": 0.7,
    "popularity_spread": 0.7,
    "leniency_spread": 1.2,
    "quality_spread": 1.2,
}


@scm(
    exposure="exposure",
    outcome="click",
    latent=("preference", "innovation", "attribute", "activity", "popularity", "leniency", "quality"),
    truth=TRUTH,
    naive_bias=+1,
)
def preference_drift(view, dim=4):
    """activity, popularity -> exposure_before -> click_before <- preference x attribute, leniency, quality;
    activity, popularity, exposure_before, click_before -> exposure -> click;
    preference x attribute, innovation, leniency, quality -> click.
    """
    spreads, persistence = spread("spread", dim, scale=0.5), pyro.sample("persistence", dist.Beta(4.0, 2.0))
    activity_spread, popularity_spread = spread("activity_spread"), spread("popularity_spread")
    leniency_spread, quality_spread = spread("leniency_spread"), spread("quality_spread")
    base, appeal = (normal(name, loc=-1.0, scale=1.5) for name in ("base", "appeal"))
    reward, neglect = normal("reward", scale=2.0), normal("neglect", scale=2.0)  # of a click, of an exposure, yesterday
    with view.users():
        activity, leniency = normal("activity"), normal("leniency")
        preference, innovation = normal("preference", dim), normal("innovation", dim)
    with view.items():
        popularity, quality, attribute = normal("popularity"), normal("quality"), normal("attribute", dim)
    before, now = drift(preference, persistence, innovation)
    with view.opportunities() as o:
        shown = exposure_logits(base, activity * activity_spread, popularity * popularity_spread, o)
        wanted = appeal + pick(leniency * leniency_spread, o.user) + pick(quality * quality_spread, o.item)
        was_shown = pyro.sample("exposure_before", dist.Bernoulli(logits=shown))
        liked = (wanted + affinity(before * spreads, attribute, o)).sigmoid()
        clicked = pyro.sample("click_before", dist.Bernoulli(probs=was_shown * liked))
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=shown + neglect * was_shown + reward * clicked))
        wanted = wanted + affinity(now * spreads, attribute, o)
        pyro.sample("click", dist.Bernoulli(probs=exposure * wanted.sigmoid()))
