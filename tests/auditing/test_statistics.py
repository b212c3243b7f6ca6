"""The statistics behind the findings, against closed forms, other code and known worlds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from counterlog.auditing.exposed import Exposed
from counterlog.auditing.overlap import effective_size
from counterlog.auditing.popularity import exposure_shape, spread
from counterlog.auditing.resample import (
    corrected,
    percentile_interval,
    poisson_weights,
    replicate,
    stacked_sums,
    trend,
    user_sums,
)
from counterlog.logs import gini, top_share


def exposures(rng: np.random.Generator, users: int, items: int, rows: int, zipf: float) -> Exposed:
    weight = 1 / np.arange(1, items + 1) ** zipf
    user = rng.integers(0, users, rows)
    return Exposed(user, rng.choice(items, rows, p=weight / weight.sum()), None, None, None, users, items)


def test_poisson_weights_are_poisson():
    weights = poisson_weights(np.random.default_rng(0), (400_000,))
    counts = np.bincount(weights.astype(int), minlength=10)[:10]
    expected = stats.poisson.pmf(np.arange(10), 1) * len(weights)
    # alpha 1e-4 at this fixed seed; cells above 5 are pooled.
    seen, wanted = np.append(counts[:6], counts[6:].sum()), np.append(expected[:6], expected[6:].sum())
    assert stats.chisquare(seen, wanted * seen.sum() / wanted.sum()).pvalue > 1e-4
    assert weights.dtype == np.float32


def test_spread_agrees_with_the_log_package():
    counts = np.random.default_rng(1).integers(0, 50, (300, 4))
    found = spread(counts.astype(float))
    for column in range(4):
        assert found[column, 0] == pytest.approx(gini(counts[:, column]), abs=1e-12)
        assert found[column, 1] == pytest.approx(top_share(counts[:, column], 0.01), abs=1e-12)


def test_share_of_items_that_hold_most():
    assert spread(np.array([[8.0], [1.0], [1.0]]))[0, 2] == pytest.approx(1 / 3)
    assert spread(np.array([[5.0], [5.0], [5.0], [5.0], [5.0]]))[0, 2] == pytest.approx(0.8)
    assert np.isnan(spread(np.zeros((3, 1)))[0]).all()


def test_bootstrap_sums_do_not_depend_on_idle_users():
    users, items = np.array([0, 0, 5, 9]), np.array([0, 1, 1, 0])
    sums = user_sums(items, users, None, (2, 1_000))
    assert sums.sum() == 4
    values = replicate(sums, lambda block: block.sum(axis=0), np.random.default_rng(0), 40)
    assert values.shape == (40,)
    assert values.mean() == pytest.approx(4, abs=1.5)


def test_stacked_sums():
    found = stacked_sums(np.array([0, 2, 2]), 3, np.array([1.0, 2.0, 3.0]), np.ones(3))
    assert found.toarray().tolist() == [[1, 0, 5], [1, 0, 2]]


def test_the_bootstrap_gini_is_too_large_and_the_mirror_mends_it():
    """20 worlds of known Gini: replicates lie above the log's, that above the truth; the mirrored one is nearer."""
    weight = 1 / np.arange(1, 201) ** 0.8
    truth = gini(weight)
    naive, plain, mended = [], [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        shape = exposure_shape(exposures(rng, 300, 200, 3_000, 0.8), rng)
        naive.append(np.mean(shape.replicates[:, 0]) - truth)
        plain.append(shape.counted[0] - truth)
        mended.append(corrected(shape.counted[0], shape.replicates[:, 0])[0] - truth)
    assert np.mean(naive) > np.mean(plain) > 0
    assert min(np.array(naive) - plain) > 0
    assert abs(np.mean(mended)) < 0.4 * np.mean(plain)


def test_the_gini_interval_covers_where_the_percentile_interval_never_does():
    """60 dense worlds: nominal 90%; at least 45 hits has probability 1 - 3e-4 if the coverage is 0.9."""
    truth = gini(1 / np.arange(1, 101) ** 0.6)
    hits = percentile_hits = 0
    for seed in range(60):
        rng = np.random.default_rng(1_000 + seed)
        shape = exposure_shape(exposures(rng, 200, 100, 4_000, 0.6), rng)
        interval = corrected(shape.counted[0], shape.replicates[:, 0])[1]
        naive = percentile_interval(shape.replicates[:, 0])
        assert interval is not None
        assert naive is not None
        hits += interval[0] <= truth <= interval[1]
        percentile_hits += naive[0] <= truth <= naive[1]
    assert hits >= 45
    assert percentile_hits < 30


def test_chance_gini_has_its_closed_form():
    """Poisson counts: the Gini of evenly shown items is exp(-2m) (I0(2m) + I1(2m)) at m exposures an item."""
    from scipy.special import ive

    rng = np.random.default_rng(0)
    for mean in (0.5, 3.0, 200.0):
        items = 2_000
        shape = exposure_shape(exposures(rng, 5, items, int(mean * items), 0.0), rng)
        assert shape.chance[:, 0].mean() == pytest.approx(ive(0, 2 * mean) + ive(1, 2 * mean), rel=0.01)
        assert len(shape.replicates) == 0


def test_no_interval_from_nothing():
    assert percentile_interval(np.full(50, np.nan)) is None
    assert corrected(0.3, np.empty(0)) == (0.3, None)


def test_trend_is_least_squares_with_clustered_errors():
    """One row a cluster is White's error; doubled rows in clusters change nothing; two clusterings only widen."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=200)
    y = 2 * x + rng.normal(size=200) * (1 + np.abs(x))
    rows = np.arange(200)
    slope, error, freedom = trend(x, y, rows, rows)
    centred = x - x.mean()
    residual = y - y.mean() - slope * centred
    white = np.sqrt(np.sum((centred * residual) ** 2) * 200 / 199) / np.sum(centred**2)
    assert slope == pytest.approx(np.polyfit(x, y, 1)[0])
    assert error == pytest.approx(white)
    assert freedom == 199
    assert trend(np.tile(x, 2), np.tile(y, 2), np.tile(rows, 2))[:2] == pytest.approx((slope, error))
    groups = rng.integers(0, 12, 200)
    assert trend(x, y, rows, groups)[1] >= max(error, trend(x, y, groups)[1]) * (1 - 1e-12)


def test_trend_of_nothing():
    ones = np.ones(5)
    assert trend(ones, np.arange(5.0), np.arange(5), np.arange(5)) == (0.0, float("inf"), 0)


def test_effective_size_by_hand():
    assert effective_size(np.ones(7)) == pytest.approx(7)
    assert effective_size(np.array([1.0, 3.0])) == pytest.approx(16 / 10)
    assert effective_size(np.empty(0)) == 0
