"""Priors of a program's parameters: normal, half-normal, increasing cut-points."""

from __future__ import annotations

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor


def normal(name: str, *shape: int, loc: float = 0.0, scale: float = 1.0) -> Tensor:
    """A normal site of event shape ``shape``: standard normal unless said otherwise."""
    return pyro.sample(name, dist.Normal(loc, scale).expand(shape).to_event(len(shape)))


def spread(name: str, *shape: int, scale: float = 1.0) -> Tensor:
    """A half-normal site of event shape ``shape``: how strongly something varies; ``scale`` is its prior scale."""
    return pyro.sample(name, dist.HalfNormal(scale * torch.ones(shape)).to_event(len(shape)))


def cutpoints(n_levels: int, first: str = "first", gaps: str = "gaps") -> Tensor:
    """Increasing cut-points ``[n_levels - 1]`` of an ordered outcome.

    The first is normal, the gaps are log-normal, so that every draw and every starting point is strictly increasing
    (equal cut-points would give a level the probability zero).
    """
    start = pyro.sample(first, dist.Normal(-1.0, 1.0))
    if n_levels < 3:
        return start[..., None]
    steps = pyro.sample(gaps, dist.LogNormal(torch.zeros(n_levels - 2), 0.5).to_event(1))
    return torch.cat([start[..., None], start[..., None] + steps.cumsum(-1)], -1)
