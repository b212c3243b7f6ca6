"""A preference that moves from one period to the next."""

from __future__ import annotations

from torch import Tensor


def drift(start: Tensor, persistence: Tensor, *innovations: Tensor) -> tuple[Tensor, ...]:
    """The preferences of all periods: ``start``, and after each innovation the one that follows.

    A stationary autoregression of first order: ``now = persistence * before + sqrt(1 - persistence ** 2) *
    innovation``. With a standard normal start and innovations every period's preference is standard normal, and two
    that are k periods apart correlate as ``persistence ** k``. Persistence 1 is no drift, 0 is a new preference.

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
    periods, fresh = [start], (1.0 - persistence * persistence).clamp(min=0.0).sqrt()
    for innovation in innovations:
        periods.append(persistence * periods[-1] + fresh * innovation)
    return tuple(periods)
