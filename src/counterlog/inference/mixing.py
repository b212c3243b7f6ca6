"""How well Markov chains agree, number by number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from counterlog.inference.arviz_export import chain_diagnostics
from counterlog.inference.whole import STEM_SITE

if TYPE_CHECKING:
    from counterlog.inference.tables import Layout

#: R-hat above which the numbers of a site are looked at in order of size as well.
APART = 1.05


def mixing(draws: np.ndarray, layout: Layout) -> dict[str, dict[str, float]]:
    """R-hat and effective sample size of every global, from ``[chains, draws, numbers]``.

    The numbers of a small site may have changed places between chains, as the dimensions of an affinity do, which no
    answer depends on. If their values in order of size agree better than number by number, those stand in for them, as
    ``site (in order)[k]``.
    """
    found: dict[str, dict[str, float]] = {}
    for site in layout.of("globals"):
        mine = draws[:, :, site.start : site.stop]
        each = _each(site.name, mine)
        if 1 < mine.shape[2] <= STEM_SITE and _worst(each) > APART:
            ordered = _each(f"{site.name} (in order)", np.sort(mine, axis=2))
            each = min(each, ordered, key=_worst)
        found |= each
    return found


def _each(name: str, draws: np.ndarray) -> dict[str, dict[str, float]]:
    number = draws.shape[2]
    return {f"{name}[{k}]" if number > 1 else name: chain_diagnostics(draws[:, :, k]) for k in range(number)}


def _worst(found: dict[str, dict[str, float]]) -> float:
    return max(each["r_hat"] for each in found.values())
