"""Small real data that comes with counterlog, under its own licence."""

from __future__ import annotations

from counterlog.logs import InteractionLog, open_log

__all__ = ["kuairand_subset", "kuairand_subset_random"]


def kuairand_subset() -> InteractionLog:
    """Clicks on short videos under ordinary recommendation: 1,319 users, 800 items, 33,516 clicks without impressions.

    A subset of KuaiRand (CC BY-SA 4.0; the attribution is in ``licence`` and must be kept). The items are the 800 most
    clicked, the users those with at least 10 clicks on them and at least 80 random exposures.

    Examples
    --------
    >>> log = kuairand_subset()
    >>> log.rows, len(log.users), len(log.items), log.clicks_only
    (33516, 1319, 800, True)
    """
    return open_log("demo")


def kuairand_subset_random() -> InteractionLog:
    """The randomised half: items shown at random to the same users, clicked or not.

    In the source every user of this part has at least one random click, so its click rate is higher than the
    population's; compare models and items on it, do not read its level.

    Examples
    --------
    >>> log = kuairand_subset_random()
    >>> log.rows, log.clicks_only
    (28487, False)
    """
    return open_log("demo#random")
