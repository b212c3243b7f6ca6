"""The quantity by which a posterior is judged: the mean outcome if every opportunity were exposed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor

from counterlog import rng as _rng
from counterlog.inference.population import coded, pieces, population
from counterlog.model.interventions import fix
from counterlog.model.worlds import run

if TYPE_CHECKING:
    from counterlog.inference.fit import Fit

#: Opportunities over which the quantity is averaged; a uniform sample of more.
LIMIT = 20_000


def headline(fit: Fit, limit: int = LIMIT) -> Callable[[dict[str, Tensor]], float]:
    """A function of one draw's unconstrained tables: E[outcome | do(exposure=1)] in it, in the log's own units."""
    from counterlog.inference.fit import Draw

    scm = fit.scm
    do = coded(fit, fix(**{scm.exposure: 1}))
    whole = population(fit, limit, fit.seed)
    parts = list(pieces(fit.cells, whole))

    def mean(tables: dict[str, Tensor]) -> float:
        draw, total = Draw(fit.layout, tables), 0.0
        for part in parts:
            with _rng.seeded(fit.seed, "headline", part.start):
                world = run(scm, part.view, part.given(draw), do)
            total += float(world.mean(scm.outcome, fit.cells.levels).double().expand(len(part.part)).sum())
        return total / len(whole)

    return mean
