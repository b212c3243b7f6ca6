"""Seen circumstances drive both: in the evening, on the phone, the platform shows more and people click more.

    hour ─► device; hour, device, activity, popularity ─► exposure ─► click
    hour, device, preference x attribute, leniency, quality ─► click

Fork and edit this file: `counterlog models copy confounded_context`, then `counterlog fit confounded_context.py LOG
--context device,hour`.

When to use it: a log of opportunities with a column `exposure`, clicks, and the circumstances that the platform looks
at when it decides to show. When not: the platform also looks at what this user likes (`popularity_exposure`), or at
circumstances that the log does not have: no model can adjust for what is not there.
Columns: user, item, `exposure`, outcome `click`, and two context columns: `device` (text or codes 0, 1, ...; at most
`devices` of them, 4 unless set) and `hour` (whole hours of the day, 0 to 23).
Assumptions:
- No unseen cause of both exposure and click: given device and hour, exposure depends on a user's activity and an item's
  popularity alone, and neither acts on clicks. Then the effect of exposure is identified by adjusting for device and
  hour, whatever the form of the equations.
- Device and hour add up on the log-odds of exposure and of click; the hour acts through one daily wave.
- A click needs an exposure. Overlap: every cell has some chance to be exposed in all circumstances.
Known truth (`truth` below): what raises exposure raises liking, so the click rate of exposed rows is too high.
"""

import math

import pyro
import pyro.distributions as dist
import torch

from counterlog import scm
from counterlog.model.mechanisms import affinity, exposure_logits, normal, pick, spread

TRUTH = {
    "base": [-2.5, -1.0, 0.0, 1.5],
    "appeal": [-2.0, -1.0, -0.5, 0.5],
    "hour_exposure": [1.0, -1.0],
    "hour_click": [0.8, -0.8],
}


@scm(
    exposure="exposure",
    outcome="click",
    latent=("preference", "attribute", "activity", "popularity", "leniency", "quality"),
    truth=TRUTH,
    naive_bias=+1,
)
def confounded_context(view, dim=4, devices=4):
    """device, hour, activity, popularity -> exposure -> click <- device, hour, leniency, quality, preference x
    attribute; hour -> device.
    """
    spreads = spread("spread", dim, scale=0.5)
    activity_spread, popularity_spread = spread("activity_spread"), spread("popularity_spread")
    leniency_spread, quality_spread = spread("leniency_spread"), spread("quality_spread")
    base, appeal = (normal(name, devices, loc=-1.0, scale=1.5) for name in ("base", "appeal"))  # of each device
    hour_exposure, hour_click = normal("hour_exposure", 2), normal("hour_click", 2)  # of the two sides of a daily wave
    hour_share = pyro.sample("hour_share", dist.Dirichlet(torch.ones(24)))
    device_share = pyro.sample("device_share", dist.Dirichlet(torch.ones(24, devices)).to_event(1))  # of each hour
    with view.users():
        activity, leniency, preference = normal("activity"), normal("leniency"), normal("preference", dim)
    with view.items():
        popularity, quality, attribute = normal("popularity"), normal("quality"), normal("attribute", dim)
    with view.opportunities() as o:
        hour = pyro.sample("hour", dist.Categorical(probs=hour_share)).long()
        device = pyro.sample("device", dist.Categorical(probs=pick(device_share, hour))).long()
        angle = hour * (math.tau / 24.0)
        wave = torch.stack([angle.cos(), angle.sin()], -1)
        shown = exposure_logits(pick(base, device), activity * activity_spread, popularity * popularity_spread, o)
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=shown + wave @ hour_exposure))
        wanted = pick(appeal, device) + wave @ hour_click + affinity(preference * spreads, attribute, o)
        wanted = wanted + pick(leniency * leniency_spread, o.user) + pick(quality * quality_spread, o.item)
        pyro.sample("click", dist.Bernoulli(probs=exposure * wanted.sigmoid()))
