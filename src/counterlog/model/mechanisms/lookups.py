"""From rows of users and items to opportunities."""

from __future__ import annotations

from torch import Tensor

from counterlog.model.pairs import inner_products
from counterlog.model.view import Opportunities


def pick(table: Tensor, index: Tensor) -> Tensor:
    """Rows of a table by index: ``table[index]`` along the first dimension, twice as fast on tables beyond the
    cache.
    """
    return table.index_select(0, index)


def affinity(preference: Tensor, attribute: Tensor, o: Opportunities) -> Tensor:
    """Inner product of the user's preference and the item's attribute for each opportunity, shape ``[n]``."""
    return inner_products(preference, attribute, o)


def crossed(user_features: Tensor, item_features: Tensor, weights: Tensor, o: Opportunities) -> Tensor:
    """Bilinear form of user and item features, ``x_u W x_i``, for each opportunity, shape ``[n]``.

    ``weights`` is ``[p, q]``.
    """
    return inner_products(user_features @ weights, item_features, o)
