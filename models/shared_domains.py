"""One user, two catalogues or markets: what is learnt of people where the log is dense helps where it is sparse.

    domain, activity, popularity ─────────────► exposure ─► click ◄─ domain, leniency, quality
                                                    ▲         ▲
    preference x attribute, own_preference ─────────┴─────────┘

Fork and edit this file: `counterlog models copy shared_domains`, then `counterlog fit shared_domains.py LOG --context
domain`.

When to use it: one log of opportunities with a column `exposure` and clicks in two or more catalogues (books, films),
markets or surfaces that share users. When not: nobody is seen in two domains; a single domain (`popularity_exposure`).
Columns: user, item, `exposure`, outcome `click`, and as context `domain` (text, or codes 0, 1, ...; at most `domains`
of them, 2 unless set). An item may belong to one domain or be offered in several.
Assumptions:
- `preference` is a user's in the first domain (code 0, or first in sorted order; let it be the dense one). In each
  other domain a part of it is shared and the rest is its own: `shared` is the correlation, the same for all users and
  learnt. Items of all domains have their attributes in one space.
- Domains differ in how much is shown and how much is liked; activity, leniency, popularity and quality act alike.
- The platform shows what people like in that domain (`targeting`). Given the affinity of rank `dim` exposure and click
  share no other cause. A click needs an exposure. Overlap: every cell has some chance to be exposed.
Known truth (`truth` below): more is shown where more is liked, so the click rate of exposed rows is too high.
"""

import pyro
import pyro.distributions as dist
import torch

from counterlog import scm
from counterlog.model.mechanisms import affinity, correlated, exposure_logits, normal, pick, spread

TRUTH = {
    "base": [0.5, -1.0],
    "appeal": [-0.5, -1.5],
    "targeting": 0.8,
    "shared": 0.8,
    "spread": [1.2, 1.0, 0.8, 0.6],
    "activity_spread": 0.7,
    "popularity_spread": 0.7,
    "leniency_spread": 0.7,
    "quality_spread": 0.5,
    "domain_share": [0.85, 0.15],
}


@scm(
    exposure="exposure",
    outcome="click",
    latent=("preference", "own_preference", "attribute", "activity", "popularity", "leniency", "quality"),
    truth=TRUTH,
    naive_bias=+1,
)
def shared_domains(view, dim=4, domains=2):
    """domain, activity, popularity, preference, own_preference, attribute -> exposure -> click <- domain, leniency,
    quality, preference, own_preference, attribute.
    """
    spreads, shared = spread("spread", dim), pyro.sample("shared", dist.Beta(2.0, 2.0))
    activity_spread, popularity_spread = spread("activity_spread"), spread("popularity_spread")
    leniency_spread, quality_spread = spread("leniency_spread"), spread("quality_spread")
    base, appeal = normal("base", domains, scale=1.5), normal("appeal", domains, loc=-1.0, scale=1.5)  # of each domain
    targeting = normal("targeting")
    domain_share = pyro.sample("domain_share", dist.Dirichlet(torch.full((domains,), 5.0)))
    with view.users():
        activity, leniency, preference = normal("activity"), normal("leniency"), normal("preference", dim)
        own = normal("own_preference", domains - 1, dim)
    with view.items():
        popularity, quality, attribute = normal("popularity"), normal("quality"), normal("attribute", dim)
    tastes = [preference, *(correlated(preference, own[:, k], shared) for k in range(domains - 1))]
    with view.opportunities() as o:
        domain = pyro.sample("domain", dist.Categorical(probs=domain_share)).long()
        each = torch.stack([affinity(taste * spreads, attribute, o) for taste in tastes])
        liking = each.gather(0, domain[None]).squeeze(0)
        shown = exposure_logits(pick(base, domain), activity * activity_spread, popularity * popularity_spread, o)
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=shown + targeting * liking))
        wanted = pick(appeal, domain) + liking
        wanted = wanted + pick(leniency * leniency_spread, o.user) + pick(quality * quality_spread, o.item)
        pyro.sample("click", dist.Bernoulli(probs=exposure * wanted.sigmoid()))
