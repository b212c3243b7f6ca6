"""Overlap: how probable exposure was over the opportunities that an answer speaks of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from counterlog import rng as _rng
from counterlog.inference.elbo import Assign
from counterlog.inference.population import Piece, Population, pieces, some_of
from counterlog.model.interventions import Intervention
from counterlog.model.worlds import run

if TYPE_CHECKING:
    from counterlog.inference import Draw, Fit

#: An exposure less probable than this is as good as never: the answer there is extrapolation.
RARE = 0.001


def overlap(fit: Fit, whole: Population, rng: int, rows: int = 20_000, draws: int = 10) -> dict[str, Any]:
    """Quantiles of the model's P(exposure = 1), the share of opportunities below 0.001, and the effective sample size
    of weights.

    ``ess_share`` is the effective sample size of inverse-propensity weights for showing everything, as a share of the
    exposed rows (Kish 1965; as in Owen, Monte Carlo theory, ch. 9). PASS, REVIEW below a fifth or with one opportunity
    in ten rare, FAIL below a hundredth.
    """
    index = np.arange(len(whole))
    if len(whole) > rows:
        index = some_of(fit.cells, whole, rows, _rng.generator(rng, "overlap"))
    part = whole.take(index)
    total = np.zeros(len(part))
    for number, draw in enumerate(fit.draws(draws, rng)):
        for piece in pieces(fit.cells, part):
            total[piece.start : piece.start + len(piece.part)] += propensity(fit, piece, draw, (rng, number)) / draws
    p = np.clip(total, 1e-12, 1.0)
    ess_share = float(1.0 / (np.mean(1.0 / p) * np.mean(p)))
    rare = float(np.mean(p < RARE))
    status = "FAIL" if ess_share < 0.01 else "REVIEW" if ess_share < 0.2 or rare > 0.1 else "PASS"
    q = np.quantile(p, [0.0, 0.05, 0.5, 0.95])
    return {
        "status": status,
        "min_propensity": float(q[0]),
        "q05": float(q[1]),
        "q50": float(q[2]),
        "q95": float(q[3]),
        "share_below_0.001": rare,
        "ess_share": ess_share,
        "message": (
            f"the model's propensity of exposure is {q[2]:.3g} in the middle, {q[1]:.2g} at the 5% quantile; "
            f"{rare:.1%} of the opportunities are "
            f"below 0.001; inverse weights would leave {ess_share:.1%} of the exposed rows"
        ),
    }


def propensity(fit: Fit, piece: Piece, draw: Draw, stream: tuple[int, int]) -> np.ndarray:
    """P(exposure = 1) of each opportunity given the latents of a draw; an outcome that causes exposure is averaged out
    exactly.
    """
    scm = fit.scm
    given = piece.given(draw)
    if fit.treatment.sum_outcome:
        absent = fit.cells.columns.keys() & scm.sites().keys() - given.keys()
        if absent:  # a site of an opportunity that nobody gave is drawn
            with _rng.seeded(stream[0], "propensity", stream[1], piece.start):
                drawn = run(scm, piece.view, given, Intervention()).values
            given |= {name: drawn[name] for name in absent}
        with (
            torch.no_grad(),
            Assign(
                {**given, scm.exposure: torch.ones(len(piece.part))}, frozenset({scm.outcome, *fit.treatment.others})
            ) as assign,
        ):
            scm(piece.view)
        log_joint = assign.fns[scm.exposure].log_prob(torch.ones(()))
        for name in assign.dims:
            log_joint = log_joint + assign.fns[name].log_prob(assign.used[name])
        for _ in assign.dims:
            log_joint = torch.logsumexp(log_joint, 0)
        return log_joint.exp().double().expand(len(piece.part)).numpy()
    with _rng.seeded(stream[0], "propensity", stream[1], piece.start):
        world = run(scm, piece.view, given, Intervention())
    return world.mean(scm.exposure).double().expand(len(piece.part)).numpy()
