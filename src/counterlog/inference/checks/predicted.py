"""What one posterior draw predicts for a site at each opportunity, given what else was seen there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import pyro
import torch
from torch import Tensor

from counterlog import rng as _rng
from counterlog.inference.elbo import Assign
from counterlog.model.worlds import level_probs

if TYPE_CHECKING:
    from counterlog.inference.checks.seen import Seen
    from counterlog.inference.fit import Draw, Fit

#: Draws from which mean and spread are taken where a distribution states neither, or is that of a positive real.
SIMULATED = 24


@dataclass(frozen=True, eq=False)
class Predicted:
    """Mean, standard deviation and one replicate of a site, float64 ``[n]`` each, in the units of `units`."""

    mean: np.ndarray
    sd: np.ndarray
    replicate: np.ndarray


def units(fit: Fit, seen: Seen, value: np.ndarray) -> np.ndarray:
    """Values as they are compared: a rating in the log's levels, log(1 + x) of a positive real, others as they are."""
    if seen.site == fit.scm.outcome and len(fit.cells.levels):
        return np.asarray(fit.cells.levels)[value.astype(np.int64)]
    if seen.site == fit.scm.outcome and fit.log.roles.outcome_kind == "positive":
        return np.log1p(np.maximum(value.astype(np.float64), 0.0))
    return value.astype(np.float64)


def predict_site(fit: Fit, seen: Seen, draw: Draw, rng: int, index: int) -> Predicted:
    """The distribution of ``seen.site`` at each opportunity given a draw's latents, the context and, for an outcome,
    the exposure that was seen; sites that were not seen are summed out.

    An outcome that decides about exposure is taken given that it was exposed: P(level | exposed) is proportional to
    P(level) P(exposed | level).
    """
    run, log_weight, listed = _mixture(fit, seen, draw)
    n = len(seen)
    levels = np.asarray(fit.cells.levels)
    rated = seen.site == fit.scm.outcome and len(levels) > 0
    weight = torch.softmax(log_weight.double(), 0)
    with torch.no_grad(), _rng.seeded(rng, "replicate", seen.site, index):
        if listed or rated:
            values = units(fit, seen, np.arange(len(weight) if listed else len(levels)))
            probs = weight if listed else _level_mixture(run.fns[seen.site], weight, len(levels), n)
            return _discrete(probs.numpy(), values, torch.rand(n).double().numpy())
        return _general(fit, seen, run.fns[seen.site], weight, n)


def _mixture(fit: Fit, seen: Seen, draw: Draw) -> tuple[Assign, Tensor, bool]:
    """A run with unseen sites taking all their values; log-weight of each combination ``[C, n]``; and whether the site
    itself is among the listed ones, its values then along the first dimension.
    """
    scm, how = fit.scm, fit.treatment
    values: dict[str, Tensor] = dict(seen.piece.given(draw))
    latent = set(values) - set(seen.piece.view.rows.context)
    summed = set(how.others) | ({scm.exposure} if how.sum_exposure else set())
    summed |= {scm.outcome} if how.sum_outcome else set()
    listed = seen.site in summed
    values[seen.site] = torch.from_numpy(np.ascontiguousarray(seen.value))
    if seen.exposure is not None:
        values[scm.exposure] = torch.from_numpy(np.ascontiguousarray(seen.exposure))
    below: set[str] = nx.descendants(scm.graph(), seen.site)
    if seen.site != scm.outcome and scm.outcome not in summed:
        values[scm.outcome] = torch.zeros(len(seen), dtype=torch.from_numpy(fit.cells.outcome[:1]).dtype)
        below = below | {scm.outcome}  # not asked: whether it was seen depends on the site itself
    with torch.no_grad(), pyro.validation_enabled(False), Assign(values, frozenset(summed)) as run:
        scm(seen.piece.view)
    parts = []
    for name, fn in run.fns.items():
        effect = name == seen.site or (name in below and name not in summed)
        if name in latent or (effect and not listed):
            continue
        parts.append(fn.log_prob(run.used[name]))
    total: Any = sum(parts) if parts else torch.zeros(1, 1)
    shape = [run.used[name].shape[0] for name in reversed(list(run.dims))]
    total = total.expand(*shape, len(seen)) if shape else total.expand(1, len(seen))
    if listed:
        total = total.movedim(run.dims[seen.site], 0)
        total = total.reshape(total.shape[0], -1, len(seen)).logsumexp(1)
    return run, total.reshape(-1, len(seen)), listed


def _level_mixture(fn: Any, weight: Tensor, n_levels: int, n: int) -> Tensor:
    """P(level) ``[n_levels, n]`` over the combinations of unseen sites."""
    probs = level_probs(fn, n_levels).double()
    probs = probs.reshape(-1, probs.shape[-2], n_levels).expand(-1, n, n_levels)
    return (weight[..., None] * probs.expand(len(weight), n, n_levels)).sum(0).T


def _discrete(probs: np.ndarray, values: np.ndarray, uniform: np.ndarray) -> Predicted:
    mean = values @ probs
    sd = np.sqrt(np.maximum((values**2) @ probs - mean**2, 0.0))
    place = (uniform > np.cumsum(probs, 0)).sum(0).clip(max=len(values) - 1)
    return Predicted(mean, sd, values[place])


def _general(fit: Fit, seen: Seen, fn: Any, weight: Tensor, n: int) -> Predicted:
    combinations = len(weight)
    flat = lambda t: t.double().expand(*torch.Size(_lead(fn)), n).reshape(-1, n).expand(combinations, n)  # noqa: E731
    chosen = (torch.rand(n).double() > weight.cumsum(0)).sum(0).clamp(max=combinations - 1)
    draw = lambda: flat(fn.sample()).gather(0, chosen[None])[0].numpy()  # noqa: E731
    replicate = units(fit, seen, draw())
    stated = None if fit.log.roles.outcome_kind == "positive" and seen.site == fit.scm.outcome else _moments(fn)
    if stated is None:
        many = []
        for _ in range(SIMULATED):
            chosen = (torch.rand(n).double() > weight.cumsum(0)).sum(0).clamp(max=combinations - 1)
            many.append(units(fit, seen, draw()))
        return Predicted(np.mean(many, 0), np.std(many, 0, ddof=1), replicate)
    first, second = (weight * flat(t) for t in (stated[0], stated[1] + stated[0].square()))
    mean, square = first.sum(0), second.sum(0)
    return Predicted(mean.numpy(), (square - mean.square()).clamp(min=0.0).sqrt().numpy(), replicate)


def _lead(fn: Any) -> tuple[int, ...]:
    return tuple(fn.batch_shape[:-1]) if len(fn.batch_shape) else ()


def _moments(fn: Any) -> tuple[Tensor, Tensor] | None:
    try:
        mean, variance = fn.mean, fn.variance
    except NotImplementedError:
        return None
    return (mean, variance) if bool(torch.isfinite(mean + variance).all()) else None
