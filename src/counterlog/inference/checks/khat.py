"""Pareto k-hat of the guide, one user's (item's) latents at a time, and leave-one-out predictive densities.

The joint ratio p(z, y) / q(z) of a mean-field fit with hundreds of latents is useless: its k-hat is above 3 for every
fit, good or bad. Given the rest of a posterior draw the latents of one user are few, and their ratio
p(z_u, y_u | rest) / q(z_u) can be evaluated for many draws of z_u. Its k-hat says whether q(z_u) can stand for that
conditional posterior: below 0.5 it can, above 0.7 importance sampling cannot mend it (Yao, Vehtari, Simpson, Gelman
2018, ICML). Divided by the likelihood of one event the same ratios give that event's leave-one-out density from an
approximate posterior (Magnusson, Andersen, Jonasson, Vehtari 2019, ICML), given the rest of the draw.

What it sees: a guide too narrow or far off for single users and items, a posterior with heavy tails or two modes that
no normal can follow, single events that decide about a user.

What it cannot see: errors that all users share (parameters of the whole log are held at the draw), and that the
posterior of averages over many users is too narrow. A guide that is too wide passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyro
import torch
from torch import Tensor

from counterlog import rng as _rng
from counterlog.finding import Finding, Status, number, percent
from counterlog.inference.blocks import Block, block
from counterlog.inference.blocks import plan as plan_blocks
from counterlog.inference.checks.predicted import predict_site, units
from counterlog.inference.checks.seen import Seen, part_of
from counterlog.inference.elbo import Assign, combine, opportunity_log_prob, seen_values
from counterlog.inference.population import Population
from counterlog.inference.tables import split

if TYPE_CHECKING:
    from counterlog.inference.cells import Cells
    from counterlog.inference.fit import Fit

SEES = "a guide too narrow or far off for single users or items, and posteriors that no normal can follow"
CANNOT_SEE = (
    "errors that all users share, since everything else is held at a posterior draw; a guide that is too wide; and "
    "that averages over many users are too certain"
)
#: From here on importance sampling is unreliable.
BAD = 0.7
#: Opportunities, users or items, and events of the leave-one-out densities that are gone through at most.
ROWS, UNITS, EVENTS = 30_000, 400, 500
#: Opportunities of a single user or item at most.
MOST = 200_000


@dataclass(frozen=True)
class KhatThresholds:
    """REVIEW and FAIL where the median k-hat of users (items) is above ``median``, REVIEW where the share above 0.7 is
    more than ``share``.

    The medians are the limits of Yao et al. (2018): half of all posteriors are then no longer followed well, or at all.
    Some users may always be lost: where somebody did nothing at all the posterior has a long tail on one side, which no
    normal follows.
    """

    median: tuple[float, float] = (0.5, 0.7)
    share: float = 0.35


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """Leave-one-out quantities of some events.

    ``rows`` are rows of the log, ``observed`` their outcomes (log(1 + x) of a positive real), ``log_density`` and
    ``khat``, ``[m]`` each; ``log_weights``, ``log_likelihood`` and ``replicated`` outcomes ``[draws, m]``.
    """

    rows: np.ndarray
    observed: np.ndarray
    log_density: np.ndarray
    khat: np.ndarray
    log_weights: np.ndarray
    log_likelihood: np.ndarray
    replicated: np.ndarray


@dataclass(frozen=True, eq=False)
class Khat:
    """k-hat of the users (items) with codes ``codes``."""

    table: str
    codes: np.ndarray
    khat: np.ndarray
    leave_one_out: LeaveOneOut | None


def khats(fit: Fit, table: str, draws: int, rng: int, tick: Callable[[float], None]) -> Khat | str:
    """k-hat of the latents of users (``table`` "users") or items ("items"), given the rest of one posterior draw.

    All users at once: given globals and items they are independent, so that one run of the program with new latents for
    every user gives a draw of every user's ratio. Users (items) are sampled where the log is large; where each has more
    opportunities than can be gone through, a sentence says so instead.
    """
    from counterlog.inference.arviz_export import pareto_smoothed
    from counterlog.inference.fit import Draw

    codes = _chosen(fit, table, rng)
    if not len(codes):
        return f"each of the {table} has more than {MOST:,} opportunities"
    by_user = table == "users"
    part, _ = part_of(fit.cells, codes if by_user else None, None if by_user else codes)
    unexposed = "all" if fit.treatment.implied else None
    whole = block(plan_blocks(part, 2**62, unexposed, torch.device("cpu")), 0, 0, 0, {})
    seed = _rng.derive(rng, "rest of a draw", table)
    rest = fit.draw(seed, 0)
    index = {
        "users": torch.from_numpy(codes) if by_user else None,
        "items": None if by_user else torch.from_numpy(codes),
    }
    z = {name: t if index.get(name) is None else t[index[name]] for name, t in rest.tables.items()}
    loc, scale = (t[table][torch.from_numpy(codes)] for t in (fit.loc, fit.log_scale))
    if fit.arrow is not None:  # given the rest of the draw the guide leans on the globals' noise
        loc = loc + fit.arrow.lean(seed, 0)[table][torch.from_numpy(codes)]
    order = whole.items if whole.items is not None else torch.arange(part.n_items)
    noise = torch.Generator().manual_seed(_rng.derive(rng, "khat", table))
    unit = whole.view.rows.user if by_user else order[whole.view.rows.item]
    apart = by_user and fit.scm.together is None  # rows that compete cannot be left out one by one
    chosen = _events(whole, part.n, rng) if apart else np.zeros(0, np.int64)
    ratios, likelihood = np.empty((len(codes), draws)), np.empty((draws, len(chosen)))
    replicated, left_out = np.empty((draws, len(chosen))), _left_out(fit, part, chosen)
    for k in range(draws):
        e = torch.randn(loc.shape, generator=noise)
        z[table] = torch.addcmul(loc, scale.exp(), e)
        prior, each = _log_joint(fit, whole, z, table, order)
        total = torch.zeros(len(codes), dtype=torch.float64).index_add_(0, unit, each)
        guide = (-0.5 * e.double().square() - scale.double()).sum(1)
        ratios[:, k] = (total + prior - guide).numpy()
        likelihood[k] = each[chosen].numpy()
        if len(chosen):
            replicated[k] = predict_site(fit, left_out, Draw(fit.layout, z), rng, k).replicate
        tick((k + 1) / draws)
    told = pareto_smoothed(ratios)[1] if loc.shape[1] else np.zeros(len(codes))
    if not len(chosen):
        return Khat(table, codes, told, None)
    out = ratios[unit.numpy()[chosen]] - likelihood.T
    weights, khat = pareto_smoothed(out)
    density = np.logaddexp.reduce(weights + likelihood.T, axis=1)
    observed = units(fit, left_out, left_out.value)
    loo = LeaveOneOut(part.order[chosen], observed, density, khat, weights.T, likelihood, replicated)
    return Khat(table, codes, told, loo)


def _chosen(fit: Fit, table: str, rng: int) -> np.ndarray:
    """Users (items) with events, at random, as many as keep the opportunities within bounds."""
    cells = fit.cells
    n, others = (cells.n_users, cells.n_items) if table == "users" else (cells.n_items, cells.n_users)
    events = np.diff(cells.pointer) if table == "users" else np.bincount(cells.item, minlength=n)
    size = np.maximum(events, others) if fit.treatment.implied else events
    order = _rng.generator(rng, "khat", table, "chosen").permutation(np.flatnonzero((events > 0) & (size <= MOST)))
    within = int(np.searchsorted(np.cumsum(size[order]), ROWS, side="right"))
    return np.sort(order[: max(1, min(within, UNITS))])  # none, where each has too many


def _events(whole: Block, n_events: int, rng: int) -> np.ndarray:
    """Some of the block's events with a known outcome; events come first in a block."""
    known = np.arange(n_events) if whole.known is None else np.flatnonzero(whole.known.numpy()[:n_events])
    if len(known) <= EVENTS:
        return known
    return np.sort(_rng.generator(rng, "left out").choice(known, EVENTS, replace=False))


def _left_out(fit: Fit, part: Cells, chosen: np.ndarray) -> Seen:
    """Those events, in the codes of ``part``."""
    user = np.repeat(np.arange(part.n_users), np.diff(part.pointer))[chosen]
    columns = {name: values[chosen] for name, values in part.columns.items()}
    rows = Population(user, part.item[chosen], columns, None, "events")
    exposure = None if part.exposure is None else part.exposure[chosen]
    return Seen(fit.scm.outcome, rows, part.outcome[chosen], exposure, False, part)


@torch.no_grad()
def _log_joint(fit: Fit, whole: Block, z: Mapping[str, Tensor], table: str, order: Tensor) -> tuple[Tensor, Tensor]:
    """Log prior of the table's rows, in unconstrained space, and log-likelihood of each opportunity, float64."""
    tables = {**z, "items": z["items"][order]}
    unconstrained = {n: v for name, t in tables.items() for n, v in split(fit.layout, name, t).items()}
    values = {s.name: s.transform(unconstrained[s.name]) for s in fit.layout.sites}
    seen, summed = seen_values(fit.scm, whole, fit.treatment)
    with pyro.validation_enabled(False), Assign({**values, **whole.columns, **seen}, summed) as run:
        fit.scm(whole.view)
    shown = {n: seen.get(n, run.used[n]) for n in run.fns if n not in values}
    each = combine(opportunity_log_prob(run, whole, shown, fit.scm.outcome), len(run.dims))
    n = len(z[table])
    prior = torch.zeros(n, dtype=torch.float64)
    for site in fit.layout.of(table):
        value, free = values[site.name], unconstrained[site.name]
        part = run.fns[site.name].log_prob(value) if site.name in run.fns else -0.5 * value.square()
        jacobian = site.transform.log_abs_det_jacobian(free, value)
        both = (_flat(part) + _flat(jacobian)).double().expand(n)
        prior += both if table == "users" else torch.zeros(n, dtype=torch.float64).index_copy_(0, order, both)
    return prior, each.double().expand(len(whole.view.rows))


def _flat(t: Tensor) -> Tensor:
    return t.flatten(1).sum(1) if t.dim() > 1 else t


def khat_finding(fit: Fit, told: Khat, draws: int, limits: KhatThresholds) -> Finding:
    """The share of users (items) whose latents the guide cannot stand for, the worst of them named."""
    one = told.table[:-1]
    bad = told.khat > BAD
    share = float(bad.mean())
    error = 1.645 * float(np.sqrt(max(share * (1 - share), 0.25 / len(bad)) / len(bad)))
    median = float(np.median(told.khat))
    status: Status = "FAIL" if median > limits.median[1] else "PASS"
    if status == "PASS" and (median > limits.median[0] or share > limits.share):
        status = "REVIEW"
    labels = (fit.log.users if told.table == "users" else fit.log.items).labels
    order = np.argsort(-told.khat, kind="stable")[:5]
    worst = {str(labels[int(told.codes[k])]): round(float(told.khat[k]), 3) for k in order}
    first = next(iter(worst.items()))
    details: dict = {"draws": draws, told.table: len(bad), "median": median, "worst": worst}
    loo = told.leave_one_out
    if loo is not None:
        several = len(loo.log_density) > 1
        spread = float(np.sqrt(len(loo.log_density)) * loo.log_density.std(ddof=1)) if several else None
        details["leave_one_out"] = {
            "events": len(loo.rows),
            "elpd": float(loo.log_density.sum()),
            "elpd_error": spread,
            "share_above": float((loo.khat > BAD).mean()),
        }
    return Finding(
        name=f"khat_{told.table}",
        status=status,
        value=share,
        interval=(max(0.0, share - error), min(1.0, share + error)),
        message=(
            f"{percent(share)} of {len(bad):,} {told.table} have k-hat above {BAD} for their own latents given the "
            f"rest (limit {percent(limits.share)}); the median is {number(median, 2)} (limit {limits.median[0]:g}; "
            f"{draws} draws); the worst {one} is {first[0]!r} with {number(first[1], 2)}."
        ),
        advice=""
        if status == "PASS"
        else f"Do not use the spread of single {told.table}; fit longer, and look at the worst ones' events.",
        details=details,
        sees=SEES,
        cannot_see=CANNOT_SEE,
        quantity=f"share of {told.table} with k-hat above {BAD}",
    )
