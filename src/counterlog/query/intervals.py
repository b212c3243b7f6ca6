"""Intervals of posterior quantities: quantiles of draws, widened by what the guide is known to miss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from counterlog.inference.widening import Widening, widening

if TYPE_CHECKING:
    from counterlog.inference import Fit

__all__ = ["LEVEL", "Widening", "method", "spread", "support", "widened", "widening"]

LEVEL = 0.90


def widened(draws: np.ndarray, factor: float, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles over the first axis, each moved away from the mean by ``factor``; arrays of the remaining shape."""
    tail = (1.0 - level) / 2.0
    centre = draws.mean(0)
    low, high = np.quantile(draws, [tail, 1.0 - tail], axis=0)
    return centre + factor * (low - centre), centre + factor * (high - centre)


def support(fit: Fit, on: str) -> tuple[float, float]:
    """The least and the greatest value that a site's mean can have: an interval does not go beyond."""
    least, most = -np.inf, np.inf
    kind = fit.log.roles.outcome_kind
    if on == fit.scm.exposure or (on == fit.scm.outcome and kind == "click"):
        least, most = 0.0, 1.0
    elif on == fit.scm.outcome and fit.cells.levels:
        least, most = fit.cells.levels[0], fit.cells.levels[-1]
    elif on == fit.scm.outcome and kind in ("count", "positive"):
        least = 0.0
    return least, most


def spread(
    mean: np.ndarray, sd: np.ndarray, least: float, most: float, level: float = LEVEL
) -> tuple[np.ndarray, np.ndarray]:
    """Interval of each of many quantities from its mean and standard deviation over draws.

    Normal on the log-odds of the way from ``least`` to ``most`` (on the log scale where only ``least`` is finite, as it
    is where neither is), so that an interval stays inside. What does not vary has no width.
    """
    from scipy.special import expit, logit, ndtri

    z = float(ndtri(0.5 + level / 2.0))
    if np.isinf(most) and np.isinf(least):
        return mean - z * sd, mean + z * sd
    if np.isinf(most):
        away = np.maximum(mean - least, 1e-30)
        return least + away * np.exp(-z * sd / away), least + away * np.exp(z * sd / away)
    share = np.clip((mean.astype(np.float64) - least) / (most - least), 0.0, 1.0)
    inner = np.clip(share, 1e-9, 1.0 - 1e-9)
    scale = z * sd / (most - least) / (inner * (1.0 - inner))
    centre = logit(inner)
    low, high = (least + (most - least) * expit(centre + side * np.minimum(scale, 50.0)) for side in (-1.0, 1.0))
    fixed = (sd == 0.0) | (share <= 0.0) | (share >= 1.0)
    return np.where(fixed, mean, low), np.where(fixed, mean, high)


def method(factors: Widening, draws: int, by: str | None = None, level: float = LEVEL) -> str:
    """The sentence about an interval."""
    if factors.whole == factors.group == 1.0:
        return (
            f"{level:.0%} interval from {draws} draws of the {factors.posterior} posterior, as they are; it does not "
            "cover a wrong graph or a wrong parametric form"
        )
    each = f" ({factors.group:g} for a single {by})" if by in ("item", "user") else ""
    return (
        f"{level:.0%} interval from {draws} draws of the {factors.posterior} posterior, its spread multiplied by "
        f"{factors.whole:g}{each}, at which nine in ten covered over {factors.measured}: calibrated on average over "
        "that prior, less in worlds with strong selection; it does not cover a wrong graph or a wrong parametric form"
    )
