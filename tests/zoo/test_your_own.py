"""A model of a kind that the zoo does not have, written from notebook 04 alone: it is short, and it passes every check.

A shop shows what it has marked down. What is shown may be put into the cart, and what is in the cart may be bought; a
mark-down makes all three more likely. `cart` is a step between exposure and purchase, `discount` the common cause; both
are columns of the log.
"""

from __future__ import annotations

import inspect

import pyro
import pyro.distributions as dist
import pytest
import torch

import counterlog as cl
from counterlog.model.mechanisms import affinity, pick, spread
from counterlog.testing import SCMChecks, Sizes

TRUTH = {
    "base": -1.5,
    "wish": -0.3,
    "resolve": -0.2,
    "promotion": 1.0,
    "bargain": 0.7,
    "last_doubt": 0.5,
    "popularity_spread": 0.5,
    "quality_spread": 0.5,
}


@cl.scm(
    exposure="exposure",
    outcome="purchase",
    latent=("preference", "attribute", "popularity", "quality"),
    truth=TRUTH,
    naive_bias=+1,
)
def cart_and_purchase(view, dim=2):
    """discount, popularity -> exposure -> cart -> purchase;
    discount, quality, preference x attribute -> cart; discount, quality -> purchase.
    """
    base, wish, resolve = (pyro.sample(name, dist.Normal(-1.0, 1.0)) for name in ("base", "wish", "resolve"))
    promotion, bargain, last_doubt = (spread(name) for name in ("promotion", "bargain", "last_doubt"))
    popularity_spread, quality_spread = spread("popularity_spread"), spread("quality_spread")
    spreads = spread("spread", dim, scale=0.5)
    with view.users():
        preference = pyro.sample("preference", dist.Normal(0.0, 1.0).expand([dim]).to_event(1))
    with view.items():
        attribute = pyro.sample("attribute", dist.Normal(0.0, 1.0).expand([dim]).to_event(1))
        popularity, quality = (pyro.sample(name, dist.Normal(0.0, 1.0)) for name in ("popularity", "quality"))
    with view.opportunities() as o:
        discount = pyro.sample("discount", dist.Exponential(torch.ones(len(o))))
        shown = base + promotion * discount + pick(popularity * popularity_spread, o.item)
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=shown))
        good = pick(quality * quality_spread, o.item)
        wanted = wish + bargain * discount + good + affinity(preference * spreads, attribute, o)
        cart = pyro.sample("cart", dist.Bernoulli(probs=exposure * wanted.sigmoid()))
        kept = resolve + last_doubt * discount + good
        pyro.sample("purchase", dist.Bernoulli(probs=cart * kept.sigmoid()))


class TestCartAndPurchase(SCMChecks):
    scm = cart_and_purchase
    sizes = Sizes(n_users=100, n_items=50, steps=300)

    def test_the_log_is_one_of_clicks_with_two_columns_more(self) -> None:
        log = self._made.world.log
        assert log.roles.outcome_kind == "click"
        assert set(log.roles.context) == {"discount", "cart"}

    def test_prices_can_be_asked_about(self) -> None:
        """A mark-down acts through all three: more is shown, more goes into the cart, more of that is bought."""
        world, fit = self._made.world, self._made.fit
        do = cl.shift(discount=0.5)
        answer = cl.effect(fit, "purchase", do, draws=15)
        assert answer.estimate == pytest.approx(world.mean("purchase", do), rel=0.1)
        assert answer.estimate > 1.2 * float(world.log.outcome.mean())

    def test_the_effect_is_identified_by_adjusting_for_the_discount(self) -> None:
        said = cl.identify(self.scm, effect_of="exposure", on="purchase")
        assert said.identified
        assert tuple(said.adjust_for) == ("discount",)


def test_it_takes_20_to_40_lines() -> None:
    lines = [line for line in inspect.getsource(cart_and_purchase.program).splitlines() if line.strip()]
    assert 20 <= len(lines) <= 40, len(lines)
