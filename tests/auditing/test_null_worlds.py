"""How often an audit raises a false alarm, and how often it stays silent about a real bias."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from scipy import stats

from counterlog.auditing import audit

from .worlds import grid, impressions


def verdicts(make: Callable[[int], object], worlds: int, first: int = 0) -> tuple[int, int]:
    found = [audit(make(seed), rng=seed).verdict for seed in range(first, first + worlds)]
    return found.count("FAIL"), found.count("FAIL") + found.count("REVIEW")


def small(seed: int) -> object:
    return impressions(seed, users=30, items=20, rows=200)


def sparse(seed: int) -> object:
    return impressions(seed, users=500, items=1_000, rows=1_500)


def few_items(seed: int) -> object:
    return impressions(seed, users=50, items=10, rows=3_000, activity=0.5)


def cells(seed: int) -> object:
    return grid(seed, spread=0.7)


NULLS = [impressions, small, sparse, few_items, cells]


def test_few_false_alarms():
    """60 null worlds, 12 of each kind, at fixed seeds.

    If 2.5% were alarms, more than 6 would have probability 1e-3; if 0.5% failed, more than 2 would have 4e-3.
    """
    fails = alarms = 0
    for make in NULLS:
        found = verdicts(make, 12)
        fails, alarms = fails + found[0], alarms + found[1]
    assert fails <= 2
    assert alarms <= 6


@pytest.mark.slow
@pytest.mark.parametrize("make", NULLS)
def test_false_alarms_of_400_null_worlds(make):
    """FAIL <= 1% and REVIEW or worse <= 5%: refused if the counts are significantly above (alpha 1e-4 each)."""
    fails, alarms = verdicts(make, 400, 10_000)
    assert stats.binomtest(fails, 400, 0.01, alternative="greater").pvalue > 1e-4, fails
    assert stats.binomtest(alarms, 400, 0.05, alternative="greater").pvalue > 1e-4, alarms


@pytest.mark.slow
@pytest.mark.parametrize(
    "bias", [{"popularity": 0.4}, {"selection": 0.4}, {"examination": 0.9}, {"popularity": 0.8, "selection": 0.5}]
)
def test_biased_worlds_are_found(bias):
    """At least 90% of 200 biased worlds are not passed."""
    assert verdicts(lambda seed: impressions(seed, **bias), 200)[1] >= 180
