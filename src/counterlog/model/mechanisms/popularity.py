"""Who is exposed to what, apart from anybody's taste: users differ in activity, items in popularity."""

from __future__ import annotations

from torch import Tensor

from counterlog.model.mechanisms.lookups import pick
from counterlog.model.view import Opportunities


def exposure_logits(base: Tensor, activity: Tensor, popularity: Tensor, o: Opportunities) -> Tensor:
    """Log-odds of exposure of each opportunity, ``base + activity[user] + popularity[item]``, shape ``[n]``.

    Additive in users and items, as the exposure model of Liang, Charlin, McInerney and Blei (2016, WWW, section 3.2)
    with per-item popularity; add to it whatever else decides about exposure.

    Parameters
    ----------
    base
        One number, or one for each opportunity, in log-odds.
    activity
        ``[n_users]``, in log-odds: the site times its spread.
    popularity
        ``[n_items]``, likewise.
    """
    return base + pick(activity, o.user) + pick(popularity, o.item)
