"""The few averages that a fit is usually asked for, draw by draw: what refits and simulated worlds are compared in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from counterlog import rng as _rng
from counterlog.errors import RefusedError
from counterlog.inference.population import pieces, population
from counterlog.model.interventions import Intervention
from counterlog.model.worlds import World, run

if TYPE_CHECKING:
    from counterlog.inference.fit import Fit

#: Opportunities over which the averages are taken at most.
LIMIT = 20_000


def headlines(fit: Fit, draws: int, rng: int) -> dict[str, np.ndarray]:
    """Named averages over the log's opportunities, ``[draws]`` each, with the same random numbers for every fit.

    The mean outcome if everything were exposed, that of the most popular tenth of items less the rest, and the share
    that is exposed if nothing is done.
    """
    scm = fit.scm
    whole = population(fit, LIMIT, rng)
    parts = list(pieces(fit.cells, whole))
    count = np.bincount(fit.cells.item, minlength=fit.cells.n_items)
    popular = np.argsort(-count, kind="stable")[: max(1, fit.cells.n_items // 10)]
    top = np.isin(whole.item, popular)
    shown = Intervention(fixed={scm.exposure: 1.0})
    outcome, exposed = f"mean {scm.outcome} under do({scm.exposure}=1)", f"{scm.exposure} rate"
    contrast = f"popular tenth of items less the rest under do({scm.exposure}=1)"
    found: dict[str, list[float]] = {outcome: [], contrast: [], exposed: []}
    for index, draw in enumerate(fit.draws(draws, _rng.derive(rng, "headlines"))):
        each, natural = [], []
        for piece in parts:
            given = piece.given(draw)
            with _rng.seeded(rng, "headlines", index, piece.start):
                each.append(_mean(run(scm, piece.view, given, shown), scm.outcome, fit.cells.levels, len(piece.part)))
            with _rng.seeded(rng, "headlines", index, piece.start):
                natural.append(_mean(run(scm, piece.view, given, Intervention()), scm.exposure, (), len(piece.part)))
        mean = np.concatenate(each)
        found[outcome].append(float(mean.mean()))
        found[contrast].append(float(mean[top].mean() - mean[~top].mean()) if top.any() and not top.all() else 0.0)
        found[exposed].append(float(np.concatenate(natural).mean()))
    return {name: np.asarray(values) for name, values in found.items()}


def _mean(world: World, site: str, levels: tuple[float, ...], n: int) -> np.ndarray:
    """The site's expected values, or its drawn ones where its distribution states no mean."""
    try:
        value = world.mean(site, levels)
    except RefusedError:
        value = world.values[site]
    return value.double().expand(n).numpy()
