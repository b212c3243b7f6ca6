"""Distributions and parts of programs against what torch says."""

from __future__ import annotations

import pyro
import pyro.poutine as poutine
import pytest
import torch

from counterlog.model import mechanisms
from counterlog.model.mechanisms import OrdinalRating, Positions, affinity, crossed, cutpoints, pick
from counterlog.model.pairs import inner_products
from counterlog.model.view import Opportunities
from counterlog.rng import seeded

CUTS = {2: [0.3], 3: [-0.5, 0.7], 5: [-1.5, -0.5, 0.5, 1.5], 10: [-2.0 + 0.4 * k for k in range(9)]}


@pytest.mark.parametrize("n_levels", CUTS)
def test_log_prob_is_the_log_of_probs(n_levels: int) -> None:
    affinity = torch.linspace(-4, 4, 9, dtype=torch.float64)
    rating = OrdinalRating(affinity, torch.tensor(CUTS[n_levels], dtype=torch.float64))
    levels = rating.enumerate_support()
    assert levels.shape == (n_levels, 9)
    assert rating.enumerate_support(expand=False).shape == (n_levels, 1)
    torch.testing.assert_close(rating.log_prob(levels), rating.probs.log().T)
    torch.testing.assert_close(rating.probs.sum(-1), torch.ones_like(affinity))
    reference = torch.distributions.Categorical(probs=rating.probs)
    torch.testing.assert_close(rating.log_prob(levels), torch.stack([reference.log_prob(v) for v in levels]))
    index = torch.arange(n_levels, dtype=torch.float64)
    torch.testing.assert_close(rating.mean, rating.probs @ index)
    torch.testing.assert_close(rating.variance, rating.probs @ index**2 - (rating.probs @ index) ** 2)


def test_it_is_pyros_ordered_logistic() -> None:
    affinity, cuts = torch.linspace(-3, 3, 7), torch.tensor(CUTS[5])
    ours, theirs = OrdinalRating(affinity, cuts), pyro.distributions.OrderedLogistic(affinity, cuts)
    torch.testing.assert_close(ours.probs, theirs.probs)
    levels = ours.enumerate_support()
    torch.testing.assert_close(ours.log_prob(levels), theirs.log_prob(levels))


@pytest.mark.parametrize("n_levels", CUTS)
def test_extreme_affinities_keep_finite_values_and_gradients(n_levels: int) -> None:
    affinity = torch.tensor([-50.0, 0.0, 50.0], requires_grad=True)
    cuts = torch.tensor(CUTS[n_levels], requires_grad=True)
    rating = OrdinalRating(affinity, cuts)
    log_prob = rating.log_prob(rating.enumerate_support())
    assert torch.isfinite(log_prob).all()
    for grad in torch.autograd.grad(log_prob.sum(), (affinity, cuts)):
        assert torch.isfinite(grad).all()
    # far in a tail the log-probability is linear in the affinity; probs underflow to 0 there, log_prob does not
    assert log_prob[n_levels - 1, 0].item() == pytest.approx(-50.0 - CUTS[n_levels][-1], abs=1e-3)


def test_draws_have_the_stated_frequencies() -> None:
    rating = OrdinalRating(torch.full((200_000,), 0.4), torch.tensor(CUTS[5]))
    with seeded(1):
        draws = rating.sample()
    assert draws.dtype == torch.int64
    frequency = torch.bincount(draws, minlength=5) / len(draws)
    # five binomial frequencies within 4.5 standard errors: false alarm below 1 in 25,000, and the seed is fixed
    error = (rating.probs[0] * (1 - rating.probs[0]) / len(draws)).sqrt()
    assert ((frequency - rating.probs[0]).abs() < 4.5 * error).all()
    assert rating.sample((3,)).shape == (3, 200_000)


def test_cutpoints_a_row_and_expansion() -> None:
    cuts = torch.tensor([[-1.0, 0.0, 1.0], [-0.5, 0.5, 2.0]])
    rating = OrdinalRating(torch.zeros(2), cuts)
    levels = rating.enumerate_support()
    torch.testing.assert_close(rating.log_prob(levels), rating.probs.log().T)
    wide = OrdinalRating(torch.tensor(0.2), torch.tensor(CUTS[3])).expand([4])
    assert wide.batch_shape == (4,)
    assert wide.sample().shape == (4,)
    both = OrdinalRating(torch.zeros(2), cuts).expand([5, 2])
    torch.testing.assert_close(both.log_prob(torch.ones(5, 2)), rating.log_prob(torch.ones(2)).expand(5, 2))


def test_support_knows_the_levels() -> None:
    support = OrdinalRating(torch.zeros(2), torch.tensor(CUTS[5])).support
    assert support.check(torch.tensor([0, 4])).all()
    assert not support.check(torch.tensor([-1, 5])).any()
    assert support.is_discrete


def test_positions_count_from_one() -> None:
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    positions = Positions(logits)
    base = torch.distributions.Categorical(logits=logits)
    for rank in range(1, 5):
        torch.testing.assert_close(positions.log_prob(torch.full((6,), rank)), base.log_prob(torch.tensor(rank - 1)))
    assert positions.enumerate_support(expand=False).flatten().tolist() == [1, 2, 3, 4]
    torch.testing.assert_close(positions.mean, base.probs @ torch.arange(1.0, 5.0))
    with seeded(0):
        draws = positions.sample((1000,))
    assert (draws.min().item(), draws.max().item()) == (1, 4)
    assert positions.expand([3, 6]).log_prob(torch.ones(3, 6)).shape == (3, 6)


@pytest.mark.parametrize("n_levels", [2, 3, 5, 11])
def test_cutpoints_always_increase(n_levels: int) -> None:
    with seeded(3):
        for _ in range(50):
            cuts = cutpoints(n_levels)
            assert cuts.shape == (n_levels - 1,)
            assert (torch.diff(cuts) > 0).all()
    sites = set(poutine.trace(cutpoints).get_trace(n_levels).nodes) - {"_INPUT", "_RETURN"}
    assert sites == ({"first"} if n_levels == 2 else {"first", "gaps"})


def test_dense_and_gathered_products_agree() -> None:
    noise = torch.Generator().manual_seed(0)
    left, right = torch.randn(9, 3, generator=noise), torch.randn(11, 3, generator=noise)
    user, item = torch.randint(9, (60,), generator=noise), torch.randint(11, (60,), generator=noise)
    expected = (left[user] * right[item]).sum(-1)
    many, few = Opportunities(user, item), Opportunities(user[:5], item[:5])
    torch.testing.assert_close(inner_products(left, right, many), expected)  # 60 of 99 cells: one product for all
    torch.testing.assert_close(inner_products(left, right, few), expected[:5])  # 5 of 99: gathered
    torch.testing.assert_close(affinity(left, right, many), expected)
    weights = torch.randn(3, 3, generator=noise)
    torch.testing.assert_close(
        crossed(left, right, weights, many), torch.einsum("np,pq,nq->n", left[user], weights, right[item])
    )
    torch.testing.assert_close(pick(left, user), left[user])
    assert inner_products(left, right, Opportunities(user[:0], item[:0])).shape == (0,)


@pytest.mark.parametrize("in_order", [True, False])
def test_the_gradient_of_gathered_products_is_that_of_autograd(in_order: bool) -> None:
    noise = torch.Generator().manual_seed(1)
    left, right = torch.randn(30, 4, generator=noise), torch.randn(40, 4, generator=noise)
    user, item = torch.randint(30, (50,), generator=noise), torch.randint(40, (50,), generator=noise)
    user = user.sort().values if in_order else user
    weight = torch.randn(50, generator=noise)
    ours = [left.clone().requires_grad_(), right.clone().requires_grad_()]
    (inner_products(ours[0], ours[1], Opportunities(user, item)) * weight).sum().backward()
    plain = [left.clone().requires_grad_(), right.clone().requires_grad_()]
    ((plain[0][user] * plain[1][item]).sum(-1) * weight).sum().backward()
    for mine, theirs in zip(ours, plain, strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)


def test_priors_have_the_shapes_asked_for() -> None:
    with seeded(0):
        assert mechanisms.normal("a").shape == ()
        assert mechanisms.normal("b", 2, 3).shape == (2, 3)
        spread = mechanisms.spread("c", 4, scale=0.5)
    assert spread.shape == (4,)
    assert (spread > 0).all()
