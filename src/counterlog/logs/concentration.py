"""How unequal counts are."""

from __future__ import annotations

import math

import numpy as np


def gini(counts: np.ndarray) -> float:
    """Gini coefficient: the mean absolute difference over twice the mean, of all counts, zeros included.

    Between 0 (all equal) and 1 - 1/n (one has everything); no small-sample factor. 0 for no counts or only zeros.
    """
    ordered = np.sort(np.asarray(counts, dtype=np.float64))
    total = float(ordered.sum())
    if not len(ordered) or total == 0:
        return 0.0
    n = len(ordered)
    ranks = np.arange(1, n + 1)
    # Sorted, the sum over all pairs of |a - b| is 2 sum((2 rank - n - 1) x): linear after the sort.
    return max(0.0, float(np.dot(2 * ranks - n - 1, ordered)) / (n * total))


def top_share(counts: np.ndarray, share: float = 0.01) -> float:
    """Share of the total that the largest ``share`` of the entries hold, at least one entry; 0 where the total is 0."""
    values = np.asarray(counts, dtype=np.float64)
    total = float(values.sum())
    if not len(values) or total == 0:
        return 0.0
    # The small addition undoes 0.29 * 100 = 28.999...
    k = max(1, math.floor(len(values) * share + 1e-9))
    return float(np.partition(values, len(values) - k)[len(values) - k :].sum()) / total


def lorenz(counts: np.ndarray, points: int = 101) -> list[tuple[float, float]]:
    """The Lorenz curve: (share of the entries, least first; share of the total they hold), at evenly spaced shares."""
    ordered = np.sort(np.asarray(counts, dtype=np.float64))
    total = float(ordered.sum())
    if not len(ordered) or total == 0:
        return [(0.0, 0.0), (1.0, 1.0)]
    held = np.concatenate([[0.0], np.cumsum(ordered)]) / total
    shares = np.linspace(0.0, 1.0, min(points, len(held)))
    return [
        (float(s), float(h)) for s, h in zip(shares, np.interp(shares, np.linspace(0, 1, len(held)), held), strict=True)
    ]
