"""The evidence lower bound of a block: Kullback-Leibler terms in closed form, unseen discrete sites summed out
exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyro.distributions as dist
import torch
from pyro.poutine.messenger import Messenger
from torch import Tensor

from counterlog.errors import ModelError, RefusedError
from counterlog.inference.tables import Latent, Layout, Table, split

if TYPE_CHECKING:
    from counterlog.inference.blocks import Block
    from counterlog.inference.cells import Treatment
    from counterlog.model import SCM

_NEVER = -1e9  # log-probability of what contradicts the log; finite, so that its gradient is zero and not NaN


class Assign(Messenger):
    """Give sites their values and keep their distributions, without the cost of a trace.

    ``values`` maps a name to its value; ``enumerate_`` names sites that take every value of their support, each along
    its own new dimension to the left of the plates.
    """

    def __init__(self, values: Mapping[str, Tensor], enumerate_: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self.values, self.enumerate_ = values, enumerate_
        self.fns: dict[str, Any] = {}
        self.used: dict[str, Tensor] = {}
        self.dims: dict[str, int] = {}

    def _pyro_sample(self, msg: dict[str, Any]) -> None:
        name = msg["name"]
        if name in self.enumerate_:
            if not getattr(msg["fn"], "has_enumerate_support", False):
                raise RefusedError(
                    f"site {name!r} ({type(msg['fn']).__name__}) was not seen and must be summed out, but its values "
                    "cannot be listed; "
                    "use a distribution with finite support, or log it"
                )
            dim = -2 - len(self.dims)
            levels = msg["fn"].enumerate_support(expand=False).reshape(-1)
            msg["value"] = levels.reshape((-1,) + (1,) * (-dim - 1))
            self.dims[name] = dim
        elif name in self.values:
            msg["value"] = self.values[name]
        elif type(msg["fn"]).__name__ == "_Subsample":
            return
        else:
            raise ModelError(
                f"site {name!r} appears only in some runs of the program; a program has the same sites for every view"
            )
        self.fns[name], self.used[name] = msg["fn"], msg["value"]


@dataclass(frozen=True, eq=False)
class Loss:
    """Negative ELBO of a block: with those of the other blocks it adds up to the whole log's.

    ``parts`` are its terms: the divergence of each latent site, and ``log_likelihood``; ``seen`` the log-probability of
    each site of an opportunity, ``[..., n]``, before unseen ones are summed out.
    """

    total: Tensor
    parts: dict[str, Tensor]
    seen: dict[str, Tensor]


def opportunity_log_prob(assign: Assign, block: Block, names: Mapping[str, Tensor], outcome: str) -> dict[str, Tensor]:
    """log-probability of each opportunity's sites, ``[..., n]``; unseen outcomes give 0 or, if summed out, every
    level.
    """
    found = {}
    for name, seen in names.items():
        value = assign.used[name]
        lp = assign.fns[name].log_prob(value)
        if name == outcome and block.known is not None:
            if name in assign.dims:  # levels that contradict a seen outcome are impossible
                lp = lp.masked_fill(block.known & (value != seen), _NEVER)
            else:
                lp = torch.where(block.known, lp, torch.zeros((), device=lp.device))
        found[name] = lp
    return found


def combine(parts: Mapping[str, Tensor], n_summed: int) -> Tensor:
    """Log-likelihood of each opportunity ``[n]``: parts added, then the unseen sites summed out."""
    total: Tensor = sum(parts.values())  # type: ignore[assignment]
    for _ in range(n_summed):
        total = torch.logsumexp(total, 0)
    return total


def seen_values(scm: SCM, block: Block, treatment: Treatment) -> tuple[dict[str, Tensor], frozenset[str]]:
    """What the block shows of the opportunity sites by name, and the sites to sum out."""
    seen = {scm.outcome: block.outcome}
    if block.exposure is not None:
        seen[scm.exposure] = block.exposure
    summed = set(treatment.others)
    if treatment.sum_exposure:
        summed.add(scm.exposure)
    if treatment.sum_outcome and block.known is not None:
        summed.add(scm.outcome)
    return seen, frozenset(summed)


def negative_elbo(
    scm: SCM,
    block: Block,
    plan: Layout,
    treatment: Treatment,
    leaves: Mapping[str, tuple[Tensor, Tensor]],
    noise: Mapping[str, Tensor],
) -> Loss:
    """The block's negative ELBO by one reparameterised draw.

    The prior of a user counts fully in its block, of an item by the share of its opportunities that lie here, of a
    global by the block's share of the log: over an epoch each prior counts once. Where prior and guide are normal their
    divergence is exact.
    """
    shares = {"users": 1.0, "items": block.item_share, "globals": block.share}
    losses: dict[str, Tensor] = {}
    values, unconstrained = {}, {}
    for table, (loc, log_scale) in leaves.items():
        scale = log_scale.exp()
        unconstrained.update(split(plan, table, torch.addcmul(loc, scale, noise[table])))
        width, names = plan.standard(table)
        if width:
            mean, sd, log_sd = (t if width == loc.shape[1] else t[:, :width] for t in (loc, scale, log_scale))
            each_row = (0.5 * (mean * mean + sd * sd) - log_sd).sum(1) - 0.5 * width
            losses[names] = (each_row * shares[table]).sum()
    for site in plan.sites:
        z = unconstrained[site.name]
        values[site.name] = z if site.standard else site.transform(z)
    seen, summed = seen_values(scm, block, treatment)
    context = {name: value for name, value in block.columns.items()}
    with Assign({**values, **context, **seen}, summed) as assign:
        scm(block.view)
    shown = {n: seen.get(n, assign.used[n]) for n in assign.fns if n not in values}
    parts = opportunity_log_prob(assign, block, shown, scm.outcome)
    each = combine(parts, len(assign.dims))
    likelihood = (each * block.weight).sum() if block.weight is not None else each.sum()
    losses["log_likelihood"] = -likelihood
    locs = {t: split(plan, t, leaf[0]) for t, leaf in leaves.items()}
    scales = {t: split(plan, t, leaf[1]) for t, leaf in leaves.items()}
    for site in plan.sites:
        fn = assign.fns.get(site.name)
        if fn is None or site.standard:
            continue
        kl = divergence(
            site,
            fn,
            locs[site.table][site.name],
            scales[site.table][site.name],
            unconstrained[site.name],
            values[site.name],
        )
        losses[site.name] = (kl * shares[site.table]).sum()
    return Loss(sum(losses.values()), losses, parts)  # type: ignore[arg-type]


def divergence(site: Latent, prior: Any, loc: Tensor, log_scale: Tensor, z: Tensor, value: Tensor) -> Tensor:
    """KL(guide || prior) of each row ``[rows]`` (a scalar for a global): exact for normal priors, by one draw
    otherwise.
    """
    keep = 0 if site.table == "globals" else 1
    flat = lambda t: t.flatten(keep).sum(-1) if t.dim() > keep else t  # noqa: E731
    base = prior
    while isinstance(base, torch.distributions.Independent):
        base = base.base_dist
    if type(base) in (dist.Normal, torch.distributions.Normal):
        ratio = (log_scale.exp() / base.scale).square()
        return flat(0.5 * (ratio + ((loc - base.loc) / base.scale).square() - 1.0) - log_scale + base.scale.log())
    jacobian = site.transform.log_abs_det_jacobian(z, value)
    log_prior = prior.log_prob(value)
    entropy = flat(log_scale + 0.5 * (1.0 + math.log(2.0 * math.pi)))
    return -(flat(log_prior) + flat(jacobian)) - entropy


def rows_of(block: Block) -> dict[str, slice | Tensor]:
    """The rows of each table that the block touches."""
    return {
        "globals": slice(0, 1),
        "users": slice(block.first, block.last),
        "items": slice(None) if block.items is None else block.items,
    }


def leaves_of(tables: Mapping[str, Table], block: Block) -> dict[str, tuple[Tensor, Tensor]]:
    """Leaves of every table's rows for the block."""
    rows = rows_of(block)
    return {name: table.leaf(rows[name]) for name, table in tables.items()}
