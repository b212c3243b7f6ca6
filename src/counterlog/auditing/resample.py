"""Resampling users: the bootstrap behind the intervals of an audit.

Users, not rows, are drawn, since the rows of one user are alike. A user's weight in a replicate is Poisson(1), which
needs no sorting and no indices; statistics are sums over users times those weights, so a replicate costs one sparse
product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy import sparse, stats

from counterlog.auditing.finding import LEVEL

REPLICATES = 200
#: Fewer users than this give no interval: the bootstrap needs many draws to say anything.
MIN_USERS = 10
#: Bytes that a block of weights, or of weighted sums, may take.
_BLOCK_BYTES = 64_000_000
_TABLE = np.searchsorted(stats.poisson.cdf(np.arange(12), 1), (np.arange(65_536) + 0.5) / 65_536).astype(np.uint8)


def poisson_weights(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Poisson(1) weights, float32, by a table of 65,536 quantiles: ten times faster than ``rng.poisson``.

    The mean is off by less than 1e-5 and no weight is above 8.
    """
    return _TABLE[rng.integers(0, 65_536, shape, dtype=np.uint16)].astype(np.float32)


def user_sums(
    codes: np.ndarray, users: np.ndarray, weights: np.ndarray | None, shape: tuple[int, int]
) -> sparse.csr_array:
    """Sparse ``[n_codes, n_users]``: the sum of ``weights`` (or the count) of each code in each user's rows.

    Parameters
    ----------
    codes, users
        int64 ``[rows]``: code (item, bin, level) and user of each row.
    weights
        float64 ``[rows]``, or None to count.
    shape
        ``(n_codes, n_users)``.
    """
    values = np.ones(len(codes), np.float32) if weights is None else np.asarray(weights, np.float32)
    small = np.int32 if max(shape) < 2**31 - 1 else np.int64
    return sparse.coo_array((values, (codes.astype(small), users.astype(small))), shape=shape).tocsr()


def stacked_sums(users: np.ndarray, n_users: int, *weights: np.ndarray) -> sparse.csr_array:
    """Sparse ``[len(weights), n_users]``: the sum of each weight over each user's rows."""
    sums = [np.bincount(users, weights=w, minlength=n_users).astype(np.float32) for w in weights]
    return sparse.csr_array(np.stack(sums))


def replicate(
    sums: sparse.csr_array,
    statistic: Callable[[np.ndarray], np.ndarray],
    rng: np.random.Generator,
    replicates: int = REPLICATES,
) -> np.ndarray:
    """Values ``[replicates, ...]`` of a statistic over bootstrap samples of the users.

    Parameters
    ----------
    sums
        ``[n_codes, n_users]``, see `user_sums`.
    statistic
        Maps sums ``[n_codes, block]`` of a block of replicates to ``[block, ...]``.
    rng
        Where the weights come from.
    replicates
        Number of bootstrap samples.
    """
    # Users that have no row add nothing.
    present = np.flatnonzero(np.bincount(sums.indices, minlength=sums.shape[1]))
    kept = sums[:, present] if len(present) < sums.shape[1] / 2 else sums
    rows = [statistic(kept @ weights) for weights in _blocks(kept.shape, rng, replicates)]
    return np.concatenate(rows)


def _blocks(shape: tuple[int, int], rng: np.random.Generator, replicates: int) -> Iterator[np.ndarray]:
    width = int(np.clip(_BLOCK_BYTES // (4 * max(*shape, 1)), 1, 50))
    for start in range(0, replicates, width):
        yield poisson_weights(rng, (shape[1], min(width, replicates - start)))


def percentile_interval(values: np.ndarray, level: float = LEVEL) -> tuple[float, float] | None:
    """The middle ``level`` of bootstrap values; None if fewer than half of them are finite."""
    finite = values[np.isfinite(values)]
    if len(finite) < max(20, len(values) / 2):
        return None
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def corrected(estimate: float, values: np.ndarray, level: float = LEVEL) -> tuple[float, tuple[float, float] | None]:
    """A bootstrap estimate and interval, each replicate mirrored at the estimate: ``2 * estimate - replicate``.

    A statistic that grows with sampling noise (Gini, total variation) is too large in the log and larger still in the
    replicates, which have the noise twice; the mirror takes that bias out to first order. It also means that the log's
    own value may lie above the interval.
    """
    interval = percentile_interval(2 * estimate - values, level)
    finite = values[np.isfinite(values)]
    if interval is None:
        return estimate, None
    # Of a coarse statistic most replicates are one number, and their mean may lie beside it.
    return float(np.clip(2 * estimate - finite.mean(), *interval)), interval


def trend(x: np.ndarray, y: np.ndarray, *clusters: np.ndarray) -> tuple[float, float, int]:
    """Slope of ``y`` on ``x``, its standard error, and the degrees of freedom for it.

    The error is robust to any dependence inside each clustering (user; item), by the two-way sandwich of Cameron,
    Gelbach and Miller (2011), and never smaller than that of one clustering alone.

    Parameters
    ----------
    x, y
        float64 ``[rows]``.
    clusters
        int64 ``[rows]`` each.
    """
    centred = x - x.mean()
    spread = float(centred @ centred)
    if spread <= 0 or len(x) < 3:
        return 0.0, float("inf"), 0
    slope = float(centred @ y) / spread
    score = centred * (y - y.mean() - slope * centred)
    variances, sizes = [], []
    for codes in clusters:
        sums = np.bincount(codes, weights=score)
        groups = int(np.count_nonzero(np.bincount(codes)))
        variances.append(float(sums @ sums) * groups / max(groups - 1, 1))
        sizes.append(groups)
    # Rows stand for the cells in which a user met an item: where they met often, this errs on the wide side.
    rows = float(score @ score) * len(x) / (len(x) - 1)
    both = sum(variances) - rows if len(variances) == 2 else max(variances)
    variance = max(*variances, both, rows * 1e-12)
    return slope, float(np.sqrt(variance) / spread), max(min(sizes) - 1, 0)


def trend_interval(slope: float, error: float, freedom: int, level: float = LEVEL) -> tuple[float, float] | None:
    """The t interval of a slope; None without degrees of freedom."""
    if freedom < 1 or not np.isfinite(error):
        return None
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * error
    return slope - half, slope + half


def two_sided(slope: float, error: float, freedom: int) -> float:
    """The p-value of a slope that is 0; 1 where nothing can be said."""
    if freedom < 1 or not np.isfinite(error):
        return 1.0
    if error == 0:
        return 0.0 if slope else 1.0
    return float(2 * stats.t.sf(abs(slope / error), freedom))
