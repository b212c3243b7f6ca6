"""Liking something because others do."""

from __future__ import annotations

from torch import Tensor

from counterlog.model.mechanisms.lookups import pick
from counterlog.model.pairs import inner_products
from counterlog.model.view import Opportunities


def conformity_effect(weight: Tensor, popularity: Tensor, o: Opportunities) -> Tensor:
    """What an item's popularity adds to the log-odds of an outcome, apart from the item's quality, shape ``[n]``.

    ``weight * popularity[item]``, with one weight for all (popularity as a common cause of exposure and outcome: Zhang
    et al. 2021, SIGIR), or ``weight[user] * popularity[item]``, with one for each person (conformity as a trait of
    user and item: Zheng et al. 2021, WWW).

    Parameters
    ----------
    weight
        One number, or ``[n_users]``: log-odds for one unit of popularity.
    popularity
        ``[n_items]``, the site that also acts on exposure.
    """
    if weight.dim() == 0:
        return pick(popularity * weight, o.item)
    return inner_products(weight[:, None], popularity[:, None], o)
