"""How well Markov chains agree, number by number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from counterlog.inference.arviz_export import chain_diagnostics

if TYPE_CHECKING:
    from counterlog.inference.tables import Layout


def mixing(draws: np.ndarray, layout: Layout) -> dict[str, dict[str, float]]:
    """R-hat and effective sample size of every global by name, from ``[chains, draws, numbers]``.

    The dimensions of an affinity may have changed places between chains, and are then rightly said to differ: an answer
    that rests on one of them by its number means nothing.
    """
    found = {}
    for site in layout.of("globals"):
        for k in range(site.start, site.stop):
            name = f"{site.name}[{k - site.start}]" if site.stop - site.start > 1 else site.name
            found[name] = chain_diagnostics(draws[:, :, k])
    return found
