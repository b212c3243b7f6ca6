"""Is the guide at the optimum that it claims? The gradient of the evidence lower bound at the fitted guide.

At the best mean-field normal guide the gradient is zero in every location and every log-scale. In a log-scale it is
1 - s^2 / s*^2, with s the guide's standard deviation and s* that of the optimum given all else, whatever the model
(Opper and Archambeau 2009, Neural Computation 21, fixed point of the Gaussian guide); in a location it is, times s, how
many standard deviations the optimum lies away, by the curvature that s stands for. So both are numbers without units.

What it sees: a guide that is shifted (biased), or narrower or wider than the best of its family, site by site.

What it cannot see: that the family itself is too narrow - the best mean-field guide has gradient zero and is several
times too narrow for averages over users and items; another and better optimum far away; a long flat valley, in which
many small gradients together are a long way. Refits from other starting points and simulation-based calibration are for
those.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from counterlog import rng as _rng
from counterlog.finding import Finding, Status, number, percent
from counterlog.inference.blocks import block
from counterlog.inference.blocks import plan as plan_blocks
from counterlog.inference.elbo import negative_elbo, rows_of

if TYPE_CHECKING:
    from counterlog.inference.fit import Fit

SEES = "a guide that is shifted, or narrower or wider than the best mean-field guide, site by site"
CANNOT_SEE = (
    "that the mean-field family itself is too narrow for averages over users and items, nor another, better optimum, "
    "nor a slow drift along a flat valley"
)


@dataclass(frozen=True)
class ScoreThresholds:
    """When the guide is too far from the optimum: set on fits of worlds without a fault (docs/guide/checks.md).

    ``offset`` is the root mean square over a site's numbers of how many of its standard deviations the optimum is away,
    ``width`` the factor by which the guide is narrower or wider than the optimum: REVIEW and FAIL of each.
    """

    offset: tuple[float, float] = (1.5, 3.0)
    width: tuple[float, float] = (1.5, 2.5)


@dataclass(frozen=True)
class SiteScore:
    """The score of one latent site.

    ``offset`` in standard deviations of the optimum, with Monte Carlo noise taken off; ``width`` is guide over optimum;
    each with its Monte Carlo standard error.
    """

    site: str
    numbers: int
    offset: float
    offset_error: float
    width: float
    width_error: float


def gradients(fit: Fit, pairs: int, rng: int, tick: Callable[[float], None]) -> dict[str, tuple[Tensor, ...]]:
    """Mean gradient of the evidence lower bound of the whole log, and its variance over draws.

    For each table four float64 tensors ``[rows, width]``: of locations mean and variance, of log-scales mean and
    variance, over ``pairs`` antithetic pairs of noise; the variance is of the mean.
    """
    how = fit.options
    plan = plan_blocks(fit.cells, how["batch"], how["unexposed"], torch.device("cpu"))
    sums = {name: [torch.zeros(loc.shape, dtype=torch.float64) for _ in range(4)] for name, loc in fit.loc.items()}
    kept: dict = {}
    noise = torch.Generator().manual_seed(_rng.derive(rng, "score"))
    for index in range(pairs):
        whole = {n: [torch.zeros(v.shape, dtype=torch.float64) for _ in range(2)] for n, v in fit.loc.items()}
        for k in range(len(plan)):
            if len(plan) > 8:
                kept.clear()
            part = block(plan, k, index, _rng.derive(rng, "score"), kept)
            rows = rows_of(part)
            taken = {n: (fit.loc[n][rows[n]], fit.log_scale[n][rows[n]]) for n in fit.loc}
            draws = {n: torch.randn(leaf[0].shape, generator=noise) for n, leaf in taken.items()}
            for sign in (1.0, -1.0):
                leaves = {n: tuple(t.detach().clone().requires_grad_() for t in pair) for n, pair in taken.items()}
                signed = {n: sign * e for n, e in draws.items()}
                loss = negative_elbo(fit.scm, part, fit.layout, fit.treatment, leaves, signed)  # type: ignore[arg-type]
                loss.total.backward()
                for n, pair in leaves.items():
                    for total, leaf in zip(whole[n], pair, strict=True):
                        if leaf.grad is not None:
                            grad = -0.5 * leaf.grad.double()
                            where = rows[n]
                            if isinstance(where, Tensor):
                                total.index_add_(0, where, grad)
                            else:
                                total[where] += grad
        for n, (a, b) in whole.items():
            for place, value in ((0, a), (1, a * a), (2, b), (3, b * b)):
                sums[n][place] += value
        tick((index + 1) / pairs)
    found: dict[str, tuple[Tensor, ...]] = {}
    for n, (a, aa, b, bb) in sums.items():
        variance = lambda s, ss: ((ss / pairs - (s / pairs) ** 2) / max(pairs - 1, 1)).clamp(min=0.0)  # noqa: E731
        found[n] = (a / pairs, variance(a, aa), b / pairs, variance(b, bb))
    return found


def scores(fit: Fit, pairs: int, rng: int, tick: Callable[[float], None]) -> list[SiteScore]:
    """The score of every latent site."""
    found = gradients(fit, pairs, rng, tick)
    told = []
    for site in fit.layout.sites:
        columns = slice(site.start, site.stop)
        loc, loc_var, scale, scale_var = (t[:, columns].reshape(-1).numpy() for t in found[site.table])
        sd = np.exp(fit.log_scale[site.table][:, columns].double().reshape(-1).numpy())
        n = len(sd)
        mean = float(scale.mean())
        error = math.sqrt(float(scale_var.sum())) / n
        width = math.sqrt(max(1.0 - mean, 1e-6))  # s / s*: its square is one less the gradient
        away, noise = (loc * sd) ** 2, loc_var * sd**2
        square = float(away.mean() - noise.mean())
        # of a squared normal of mean u and variance v: 4 u^2 v + 2 v^2
        spread = math.sqrt(float(np.sum(4.0 * np.maximum(away - noise, 0.0) * noise + 2.0 * noise**2))) / n
        offset = math.sqrt(max(square, 0.0)) / width
        told.append(
            SiteScore(
                site.name,
                n,
                offset,
                spread / (2.0 * max(offset * width, math.sqrt(spread), 1e-12)) / width,
                width,
                error / (2.0 * width),
            )
        )
    return told


def score(fit: Fit, pairs: int, rng: int, limits: ScoreThresholds, tick: Callable[[float, str], None]) -> list[Finding]:
    """Two findings: how far the guide's locations are from the optimum, and by which factor its widths are off."""
    told = scores(fit, pairs, rng, lambda share: tick(share, "gradient of the guide"))
    where = max(told, key=lambda s: s.offset - 2.0 * s.offset_error)
    wide = max(told, key=lambda s: abs(math.log(s.width)) - 2.0 * s.width_error / s.width)
    details = {s.site: {name: value for name, value in asdict(s).items() if name != "site"} for s in told}
    # what Monte Carlo noise could explain is no evidence
    sure = max(where.offset - 2.0 * where.offset_error, 0.0)
    status = _status(sure, limits.offset)
    off = [s.site for s in told if s.offset - 2.0 * s.offset_error > limits.offset[0]]
    location = Finding(
        name="guide_location",
        status=status,
        value=where.offset,
        interval=(max(0.0, where.offset - 1.645 * where.offset_error), where.offset + 1.645 * where.offset_error),
        message=(
            f"the gradient puts the optimum of {where.site!r} {number(where.offset, 2)} of its standard "
            f"deviations away (root mean square over {where.numbers:,} numbers, {pairs} antithetic pairs), at least "
            f"{number(sure, 2)} beyond noise (limit {limits.offset[0]:g})"
            + (f"; also beyond: {', '.join(s for s in off if s != where.site)}" if len(off) > 1 else "")
            + "."
        ),
        advice="" if status == "PASS" else "Fit longer (more steps): the guide is not where its own loss wants it.",
        details=details,
        sees=SEES,
        cannot_see=CANNOT_SEE,
        quantity="distance of the optimum in standard deviations, worst site",
    )
    factor = max(wide.width, 1.0 / wide.width)
    low, high = (max(wide.width + side * 1.645 * wide.width_error, 1e-3) for side in (-1.0, 1.0))
    certain = math.exp(max(abs(math.log(wide.width)) - 2.0 * wide.width_error / wide.width, 0.0))
    status = _status(certain, limits.width)
    named = [s.site for s in told if math.exp(abs(math.log(s.width)) - 2.0 * s.width_error / s.width) > limits.width[0]]
    width = Finding(
        name="guide_width",
        status=status,
        value=wide.width,
        interval=(low, high),
        message=(
            f"the guide of {wide.site!r} is {number(wide.width, 2)} times as wide as the best mean-field guide "
            f"(a factor of {number(factor, 2)}), at least {number(certain, 2)} beyond noise (limit {limits.width[0]:g})"
            + (f"; also beyond: {', '.join(s for s in named if s != wide.site)}" if len(named) > 1 else "")
            + "."
        ),
        advice="" if status == "PASS" else "Fit longer (more steps), and do not use the widths of these sites.",
        details={"beyond": percent(len(named) / len(told))},
        sees=SEES,
        cannot_see=CANNOT_SEE,
        quantity="guide's width over the optimum's, worst site",
    )
    return [location, width]


def _status(value: float, limits: tuple[float, float]) -> Status:
    return "FAIL" if value > limits[1] else "REVIEW" if value > limits[0] else "PASS"
