"""Intervals of posterior quantities: quantiles of draws, widened by what the guide is known to miss."""

from __future__ import annotations

import numpy as np

#: By how much a mean-field posterior of an average is too narrow: the factor on its standard deviation that gives a
#: nominal 90% its coverage over worlds drawn from a zoo model's prior. Measured by `tests/causal/test_coverage.py`;
#: docs/decisions/0004-intervals.md.
WIDEN_GLOBAL = 4.0
#: The same for a single item or user, where most of the uncertainty is local and the guide sees it.
WIDEN_LOCAL = 1.5
LEVEL = 0.90


def widened(draws: np.ndarray, factor: float, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles over the first axis, each moved away from the mean by ``factor``; arrays of the remaining shape."""
    tail = (1.0 - level) / 2.0
    centre = draws.mean(0)
    low, high = np.quantile(draws, [tail, 1.0 - tail], axis=0)
    return centre + factor * (low - centre), centre + factor * (high - centre)


def method(factor: float, draws: int, level: float = LEVEL) -> str:
    """The sentence about an interval."""
    return (
        f"{level:.0%} interval from {draws} draws of the mean-field posterior, its spread multiplied by {factor:g}: "
        "the factor at which such "
        "intervals covered on average over worlds simulated from the priors of the zoo; it does not cover a wrong "
        "graph or a wrong "
        "parametric form"
    )
