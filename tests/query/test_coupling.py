"""The laws of two worlds that share their noise, for every kind of outcome."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyro.distributions as dist
import pytest
import torch
from torch import Tensor

from counterlog.errors import RefusedError
from counterlog.model.mechanisms import Hurdle, OrdinalRating, OverdispersedCount, Positions
from counterlog.query.choices import choice_chance, race
from counterlog.query.coupling import couple

N = 20_000
#: Monte Carlo tests below: |z| of at most 4.5 for each of some 40 comparisons of fixed seeds, false alarms below 1e-3.
Z = 4.5


def uniforms(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def spread_out(low: float, high: float, seed: int) -> Tensor:
    return low + (high - low) * uniforms(N, seed=seed)


CUTS = torch.tensor([-1.5, -0.5, 0.5, 1.5])
#: Kind -> this world's mechanism and the other's, from a location of each event; higher locations raise both.
ORDERED: dict[str, Callable[[Tensor], Any]] = {
    "binary": lambda x: dist.Bernoulli(logits=x),
    "ordered": lambda x: OrdinalRating(x, CUTS),
    "count": lambda x: dist.Poisson(torch.exp(x)),
    "overdispersed count": lambda x: dist.NegativeBinomial(3.0, logits=x - 1.5),
    "overdispersed count by its mean": lambda x: OverdispersedCount(torch.exp(x), torch.tensor(2.0)),
}
REAL: dict[str, Callable[[Tensor], Any]] = {
    "log-normal": lambda x: dist.LogNormal(x, 0.7),
    "gamma": lambda x: dist.Gamma(2.0, torch.exp(-x)),
    "exponential": lambda x: dist.Exponential(torch.exp(-x)),
    "half-normal": lambda x: dist.HalfNormal(torch.exp(x)),
    "Weibull": lambda x: dist.Weibull(torch.exp(x), 1.5),
    "normal": lambda x: dist.Normal(x, 1.3),
}
KINDS = {**ORDERED, **REAL}


def drawn(fn: Any, seed: int = 3) -> Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return fn.sample()


def z_score(sample: Tensor, expected: Tensor) -> float:
    gap = (sample.double() - expected.double()).numpy()
    return abs(float(gap.mean() / (gap.std() / np.sqrt(len(gap)) + 1e-12)))


# identity


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_mechanism_changes_nothing(kind: str) -> None:
    x = spread_out(-3, 3, 1)
    fn, again = KINDS[kind](x), KINDS[kind](x.clone())
    value = drawn(fn)
    found = couple(fn, value, again, noise=uniforms(N))
    assert torch.equal(found.value.to(value.dtype), value)
    assert torch.equal(found.mean.to(value.dtype), value)
    if kind in ORDERED:
        assert bool((found.chance == 1).all())
        assert torch.equal(found.low, found.mean)
        assert torch.equal(found.high, found.mean)


def test_identity_holds_in_the_far_tails_of_single_precision() -> None:
    x = torch.tensor([-60.0, -25.0, 25.0, 60.0])
    for value in (torch.zeros(4), torch.ones(4)):  # some of these have no probability that a float can hold
        found = couple(dist.Bernoulli(logits=x), value, dist.Bernoulli(logits=x.clone()), noise=uniforms(4))
        assert torch.equal(found.value, value)
    for level in range(5):
        value = torch.full((4,), level)
        found = couple(OrdinalRating(x, CUTS), value, OrdinalRating(x.clone(), CUTS), noise=uniforms(4))
        assert torch.equal(found.value.long(), value)


# the other world as a whole


@pytest.mark.parametrize("kind", KINDS)
def test_unit_answers_average_to_the_interventional_mean(kind: str) -> None:
    x = spread_out(-1.5, 1.5, 1)
    fn, other = KINDS[kind](x), KINDS[kind](x + spread_out(-0.3, 1.0, 2))
    value = drawn(fn)
    found = couple(fn, value, other, noise=uniforms(N))
    assert z_score(found.mean, other.mean) < Z
    assert z_score(found.value, other.mean) < Z
    naive = value.double()  # the outcome as it was says something else
    assert z_score(naive, other.mean) > 2 * Z


@pytest.mark.parametrize("kind", KINDS)
def test_the_other_worlds_distribution_is_the_interventional_one(kind: str) -> None:
    fn, other = (KINDS[kind](torch.full((N,), x)) for x in (0.2, 0.9))
    value = couple(fn, drawn(fn), other, noise=uniforms(N)).value.numpy().astype(float)
    fresh = drawn(other, seed=9).numpy().astype(float)
    from scipy import stats

    assert stats.ks_2samp(value, fresh).pvalue > 1e-5


# monotone


@pytest.mark.parametrize("kind", KINDS)
def test_what_raises_the_distribution_lowers_no_outcome(kind: str) -> None:
    x = spread_out(-2, 2, 1)
    value = drawn(KINDS[kind](x))
    up = couple(KINDS[kind](x), value, KINDS[kind](x + 0.8), noise=uniforms(N)).value
    down = couple(KINDS[kind](x), value, KINDS[kind](x - 0.8), noise=uniforms(N)).value
    assert bool((up >= value).all())
    assert bool((down <= value).all())
    assert bool((up > value).any())
    assert bool((down < value).any())


@pytest.mark.parametrize("kind", KINDS)
def test_worlds_share_their_noise(kind: str) -> None:
    x, u = spread_out(-2, 2, 1), uniforms(N)
    fn = KINDS[kind](x)
    value = drawn(fn)
    a, b, c = (couple(fn, value, KINDS[kind](x + by), noise=u).value for by in (0.5, 0.5, 1.0))
    assert torch.equal(a, b)
    assert bool((c >= a).all())  # three worlds, one noise
    fresh = couple(fn, value, KINDS[kind](x + 1.0), noise=uniforms(N, seed=8)).value
    if kind in ORDERED:  # the control: with noise of its own a world further up can lie lower
        assert bool((fresh < a).any())


# probabilities


@pytest.mark.parametrize("kind", ORDERED)
def test_probabilities_are_those_of_the_draws(kind: str) -> None:
    fn, other = (ORDERED[kind](torch.full((N,), x)) for x in (0.0, 0.7))
    value = drawn(fn)
    found = couple(fn, value, other, noise=uniforms(N))
    for level in range(4):
        given = value == level
        if int(given.sum()) < 500:
            continue
        for target in range(4):
            at = torch.full((N,), float(target))
            chance = couple(fn, value, other, at=at).chance[given]
            happened = (found.value[given] == target).double()
            assert abs(float(happened.mean() - chance[0])) < Z * np.sqrt(0.25 / len(chance))
    again = couple(fn, value, other, at=found.value)
    assert torch.allclose(again.chance, found.chance, atol=1e-6)


def test_a_click_by_hand() -> None:
    """p = 0.2 and p' = 0.5: a click stays; no click becomes one with (0.5 - 0.2) / (1 - 0.2)."""
    fn, other = dist.Bernoulli(torch.tensor([0.2, 0.2])), dist.Bernoulli(torch.tensor([0.5, 0.5]))
    found = couple(fn, torch.tensor([1.0, 0.0]), other)
    np.testing.assert_allclose(found.mean, [1.0, 0.375], rtol=1e-6)
    np.testing.assert_allclose(found.low, [0.0, 0.375], atol=1e-6)  # all of p' fits beside the clicks, or upon them
    np.testing.assert_allclose(found.high, [1.0, 0.625], rtol=1e-6)


@pytest.mark.parametrize("kind", ORDERED)
def test_bounds_hold_every_coupling_and_are_reached(kind: str) -> None:
    """Bounds against the extreme couplings, by sorting draws together and against each other."""
    n = 20_001
    fn, other = (ORDERED[kind](torch.zeros(n) + x) for x in (0.0, 0.4))
    grid = (torch.arange(n) + 0.5) / n
    mine = couple(fn, torch.zeros(n), fn, torch.zeros(n, dtype=torch.bool), noise=grid).value
    theirs = couple(other, torch.zeros(n), other, torch.zeros(n, dtype=torch.bool), noise=grid).value
    found = couple(fn, mine, other)
    for level in mine.unique():
        mass = int((mine == level).sum())
        if mass < 1000:  # a grid of so few points is coarse in the tails
            continue
        ranked = theirs.sort().values
        lowest, highest = float(ranked[:mass].mean()), float(ranked[-mass:].mean())
        at = mine == level
        assert float(found.low[at][0]) == pytest.approx(lowest, abs=0.02)
        assert float(found.high[at][0]) == pytest.approx(highest, abs=0.02)
        for seed in range(3):  # a coupling at random lies between
            mixed = theirs[torch.randperm(n, generator=torch.Generator().manual_seed(seed))][at].mean()
            assert lowest - 0.01 <= float(mixed) <= highest + 0.01
    assert bool((found.low <= found.mean + 1e-6).all())
    assert bool((found.mean <= found.high + 1e-6).all())


# nothing seen


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_was_seen_the_answer_is_interventional(kind: str) -> None:
    x = spread_out(-1, 1, 1)
    fn, other = KINDS[kind](x), KINDS[kind](x + 0.5)
    known = torch.arange(N) < N // 2
    found = couple(fn, drawn(fn), other, known, noise=uniforms(N))
    np.testing.assert_allclose(found.mean[~known], other.mean[~known], rtol=2e-4)
    assert z_score(found.value[~known], other.mean[~known]) < Z


# choices


def choices(k: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(1.5 * torch.randn(k, generator=generator) for _ in range(2))  # type: ignore[return-value]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("k", [2, 5])
def test_a_choice_follows_its_exact_probabilities(k: int, seed: int) -> None:
    logits, others = choices(k, seed)
    for chosen in range(k):
        index = torch.full((N,), chosen)
        won = race(logits.expand(N, k), index, others.expand(N, k), None, uniforms(N, k + 1, seed=chosen))
        exact = torch.stack(
            [choice_chance(logits[None], index[:1], others[None], torch.tensor([j]), None)[0] for j in range(k)]
        )
        assert float(exact.sum()) == pytest.approx(1.0, abs=1e-5)
        share = torch.bincount(won, minlength=k) / N
        assert bool(((share - exact).abs() < Z * np.sqrt(0.25 / N)).all())


def test_choices_over_all_events_are_the_other_worlds() -> None:
    logits, others = choices(4, 7)
    fn, other = dist.Categorical(logits=logits.expand(N, 4)), dist.Categorical(logits=others.expand(N, 4))
    found = couple(fn, drawn(fn), other, noise=uniforms(N, 5))
    share = torch.bincount(found.value, minlength=4) / N
    assert bool(((share - others.softmax(-1)).abs() < Z * np.sqrt(0.25 / N)).all())
    mean_chance = couple(fn, drawn(fn), other, at=torch.full((N,), 2)).chance.mean()
    assert float(mean_chance) == pytest.approx(float(others.softmax(-1)[2]), abs=0.01)


def test_a_choice_stays_if_only_it_became_better_and_moves_to_what_became_better() -> None:
    """Stability (Oberst and Sontag 2019): another alternative wins only if its odds against the chosen rose."""
    logits, _ = choices(5, 1)
    fn = dist.Categorical(logits=logits.expand(N, 5))
    value, u = drawn(fn), uniforms(N, 6)
    better = couple(fn, value, dist.Categorical(logits=(logits + torch.eye(5)[2]).expand(N, 5)), noise=u).value
    moved = better != value
    assert bool(moved.any())
    assert bool((better[moved] == 2).all())
    again = couple(fn, value, dist.Categorical(logits=(logits + 3.0).expand(N, 5)), noise=u)
    assert torch.equal(again.value, value)  # adding one number to all logits does nothing
    np.testing.assert_allclose(again.chance, 1.0, atol=1e-6)


def test_ranks_are_choices_that_count_from_one() -> None:
    logits = torch.zeros(N, 3)
    value = torch.ones(N, dtype=torch.long)
    found = couple(Positions(logits), value, Positions(logits + torch.tensor([0.0, 0.0, 2.0])), noise=uniforms(N, 4))
    assert set(found.value.unique().tolist()) == {1, 3}
    assert z_score((found.value == 3).double(), torch.where(found.value == 3, found.chance, 1 - found.chance)) < Z


def test_bounds_of_a_choice_hold_its_probability() -> None:
    logits, others = choices(5, 2)
    fn, other = dist.Categorical(logits=logits.expand(N, 5)), dist.Categorical(logits=others.expand(N, 5))
    found = couple(fn, drawn(fn), other, noise=uniforms(N, 6))
    assert found.mean is None
    assert bool((found.low <= found.chance).all())
    assert bool((found.chance <= found.high).all())
    assert bool((found.high - found.low > 0.05).any())


# refusals


def test_two_kinds_share_no_noise() -> None:
    with pytest.raises(RefusedError, match="Bernoulli in this world and a Normal in the other"):
        couple(dist.Bernoulli(torch.tensor(0.5)), torch.ones(()), dist.Normal(0.0, 1.0))
    with pytest.raises(RefusedError, match="choice among 3 in this world and among 4"):
        couple(
            dist.Categorical(logits=torch.zeros(1, 3)),
            torch.zeros(1),
            dist.Categorical(logits=torch.zeros(1, 4)),
            noise=uniforms(1, 5),
        )
    with pytest.raises(RefusedError, match="quantiles of Beta are not known"):
        couple(dist.Beta(1.0, torch.tensor(2.0)), torch.tensor(0.5), dist.Beta(1.0, torch.tensor(3.0)))


# a hurdle


def behind(gate: Tensor, x: Tensor) -> Hurdle:
    return Hurdle(gate, dist.LogNormal(x, 0.7))


def test_an_amount_behind_a_hurdle_keeps_its_quantile_and_is_drawn_where_there_was_none() -> None:
    x, y = spread_out(-1, 1, 1), spread_out(-1, 1, 2)
    gate, other_gate = (uniforms(N, seed=4) < 0.5).float(), (uniforms(N, seed=5) < 0.5).float()
    fn, other = behind(gate, x), behind(other_gate, y)
    value = drawn(fn)
    found = couple(fn, value, other, noise=uniforms(N))
    both, only = (gate * other_gate) > 0, (other_gate * (1 - gate)) > 0
    assert bool((found.value[other_gate == 0] == 0).all())
    assert bool((found.mean[other_gate == 0] == 0).all())
    assert torch.allclose(found.value[both], value[both] * torch.exp(y - x)[both], rtol=1e-4)
    assert torch.equal(found.value[both], found.mean[both])
    assert torch.allclose(found.mean[only], other.amount.mean[only])
    assert z_score(found.value[only], other.amount.mean[only]) < Z
    same = couple(fn, value, behind(gate.clone(), x.clone()), noise=uniforms(N))
    assert torch.equal(same.value, value)


def test_an_open_gate_whose_amount_was_not_seen_tells_nothing() -> None:
    x = torch.zeros(N)
    fn, other = behind(torch.ones(N), x), behind(torch.ones(N), x + 1)
    found = couple(fn, torch.ones(N), other, known=torch.zeros(N, dtype=torch.bool), noise=uniforms(N))
    assert torch.allclose(found.mean, other.amount.mean)
    assert z_score(found.value, other.amount.mean) < Z


def test_an_amount_behind_a_hurdle_shares_no_noise_with_one_that_has_none() -> None:
    x = torch.zeros(3)
    with pytest.raises(RefusedError, match="share no noise"):
        couple(behind(torch.ones(3), x), torch.ones(3), dist.LogNormal(x, 0.7), noise=uniforms(3))
