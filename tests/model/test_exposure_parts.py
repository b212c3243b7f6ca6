"""Parts of programs for exposure, conformity and drift, against what they say they compute."""

from __future__ import annotations

import pytest
import torch

from counterlog.model.mechanisms import conformity_effect, correlated, drift, exposure_logits
from counterlog.model.view import Opportunities
from counterlog.rng import seeded

#: A few opportunities, not in order, and a full grid: these take different ways through `inner_products`.
FEW = Opportunities(torch.tensor([4, 0, 2, 4]), torch.tensor([0, 6, 6, 3]))
GRID = Opportunities(torch.arange(5).repeat_interleave(7), torch.arange(7).repeat(5))


@pytest.mark.parametrize("o", [FEW, GRID])
def test_exposure_adds_users_and_items_up(o: Opportunities) -> None:
    activity, popularity = torch.randn(5), torch.randn(7)
    expected = torch.stack([-1.5 + activity[u] + popularity[i] for u, i in zip(o.user, o.item, strict=True)])
    torch.testing.assert_close(exposure_logits(torch.tensor(-1.5), activity, popularity, o), expected)
    each = torch.randn(len(o))  # a base for each opportunity, as of its domain
    torch.testing.assert_close(exposure_logits(each, activity, popularity, o), expected + 1.5 + each)


@pytest.mark.parametrize("o", [FEW, GRID])
@pytest.mark.parametrize("common", [True, False])
def test_conformity_is_weight_times_popularity_with_its_gradient(o: Opportunities, common: bool) -> None:
    weight, popularity = (0.7 * torch.ones(()) if common else torch.randn(5)), torch.randn(7)
    leaves = [x.clone().requires_grad_() for x in (weight, popularity)]
    plain = [x.clone().requires_grad_() for x in (weight, popularity)]
    got = conformity_effect(*leaves, o)
    expected = (plain[0] if common else plain[0][o.user]) * plain[1][o.item]
    torch.testing.assert_close(got, expected)
    upstream = torch.randn(len(o))
    for ours, theirs in zip(
        torch.autograd.grad(got, leaves, upstream), torch.autograd.grad(expected, plain, upstream), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_no_popularity_no_conformity() -> None:
    assert torch.equal(conformity_effect(torch.randn(5), torch.zeros(7), GRID), torch.zeros(35))


@pytest.mark.parametrize("persistence", [0.0, 0.6, 1.0])
def test_drift_is_stationary_and_forgets_at_its_rate(persistence: float) -> None:
    with seeded(0):
        start, *innovations = (torch.randn(400_000, 1) for _ in range(4))
    periods = drift(start, torch.tensor(persistence), *innovations)
    assert len(periods) == 4
    assert periods[0] is start
    for period in periods:  # ten standard errors
        assert float(period.var()) == pytest.approx(1.0, abs=0.025)
    for apart in (1, 2, 3):
        found = torch.corrcoef(torch.cat([periods[0], periods[apart]], 1).T)[0, 1]
        assert float(found) == pytest.approx(persistence**apart, abs=0.016)


def test_drift_without_innovations_is_one_period() -> None:
    start = torch.randn(3, 2)
    assert drift(start, torch.tensor(0.5)) == (start,)


@pytest.mark.parametrize("persistence", [1e-4, 0.5, 1.0 - 1e-4])
def test_drift_has_finite_gradients(persistence: float) -> None:
    p = torch.tensor(persistence, requires_grad=True)
    drift(torch.randn(5, 2), p, torch.randn(5, 2))[1].sum().backward()
    assert torch.isfinite(p.grad)


def test_correlated_repeats_forgets_or_mirrors() -> None:
    first, other = torch.randn(6, 2), torch.randn(6, 2)
    assert torch.equal(correlated(first, other, torch.tensor(1.0)), first)
    assert torch.equal(correlated(first, other, torch.tensor(0.0)), other)
    assert torch.equal(correlated(first, other, torch.tensor(-1.0)), -first)
