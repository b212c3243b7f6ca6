"""The answer of a fit for every row of its log, to be held against a known world's."""

from __future__ import annotations

import numpy as np
import torch

from counterlog.inference import Fit
from counterlog.inference.population import local, pieces, population
from counterlog.model.interventions import Intervention
from counterlog.model.worlds import run


def chances(fit: Fit, do: Intervention, draws: int = 20) -> np.ndarray:
    """Expected outcome of each row of the log under an intervention, averaged over posterior draws, ``[rows]``."""
    whole, total = population(fit, fit.log.rows, 0), np.zeros(fit.log.rows)
    for draw in fit.draws(draws, 0):
        for piece in pieces(fit.cells, whole):
            world = run(fit.scm, piece.view, piece.given(draw), local(fit, do, piece))
            total[piece.part.rows] += world.mean(fit.scm.outcome).numpy() / draws
    return total


def posterior_mean(fit: Fit, site: str, draws: int = 50) -> torch.Tensor:
    """Mean of a site over posterior draws; rows of users and items in the order of the known world's own numbers."""
    mean = torch.stack([draw.values()[site] for draw in fit.draws(draws, 0)]).mean(0)
    plate = fit.scm.sites()[site].plate
    if plate is None:
        return mean
    labels = {"users": fit.log.users, "items": fit.log.items}[plate].labels
    number = torch.tensor([int(label[1:]) for label in labels])
    return mean[torch.argsort(number)]
