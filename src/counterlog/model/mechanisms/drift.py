"""A preference that moves: from one period to the next, or from one domain to another."""

from __future__ import annotations

from torch import Tensor


def correlated(first: Tensor, innovation: Tensor, correlation: Tensor) -> Tensor:
    """A second draw that correlates with a first: ``correlation * first + sqrt(1 - correlation ** 2) * innovation``.

    Standard normal where the first and the innovation are, so that a correlation of 1 repeats the first and 0 forgets
    it. Non-centred: the innovation is the site, which is what a mean-field posterior needs where data on the second
    are few.

    Parameters
    ----------
    first, innovation
        Of one shape, such as ``[n_users, dim]``.
    correlation
        One number from -1 to 1.
    """
    return correlation * first + (1.0 - correlation * correlation).clamp(min=0.0).sqrt() * innovation


def drift(start: Tensor, persistence: Tensor, *innovations: Tensor) -> tuple[Tensor, ...]:
    """The preferences of all periods: ``start``, and after each innovation the one that follows.

    A stationary autoregression of first order: each period is `correlated` with the one before by ``persistence``. With
    a standard normal start and innovations every period's preference is standard normal, and two that are k periods
    apart correlate as ``persistence ** k``. Persistence 1 is no drift, 0 is a new preference.

    Parameters
    ----------
    start
        ``[n_users, dim]``, or any shape that the innovations have too.
    persistence
        One number from 0 to 1.
    innovations
        One for each later period, each a site of its own.

    Returns
    -------
    tuple of Tensor
        One more than there are innovations.
    """
    periods = [start]
    for innovation in innovations:
        periods.append(correlated(periods[-1], innovation, persistence))
    return tuple(periods)
