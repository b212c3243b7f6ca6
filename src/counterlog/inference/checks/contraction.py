"""Prior-to-posterior contraction: what did the log teach about each parameter?

Contraction is 1 - (posterior sd / prior sd)^2: 0 where the posterior is as wide as the prior, 1 where it is a point
(Betancourt 2018, arXiv 1803.08393, calls it posterior contraction and reads it together with the shift of the mean in
prior standard deviations).

What it sees: a parameter that the data say nothing about, alone: its answer is the prior's.

What it cannot see: parameters that the data know only jointly, such as two intercepts of which only the sum acts. A
mean-field posterior holds each against the others and makes both look well known, when neither is. A posterior by
chains does see it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from counterlog import rng as _rng
from counterlog.finding import Finding, number
from counterlog.inference.tables import sample_view

if TYPE_CHECKING:
    from counterlog.inference.fit import Fit

SEES = "a parameter, or a site of users or items, that the log says nothing about: its answer is the prior's"
CANNOT_SEE = (
    "parameters that are known only jointly (a sum, a product): a mean-field posterior holds each against the others, "
    "so that both look well known"
)
#: Draws of the prior, most of the posterior, and most numbers that are drawn of it in all.
PRIOR_DRAWS, DRAWS, MOST = 500, 1000, 50_000_000
#: Numbers of one site that are named one by one.
MOST_NAMED = 4


@dataclass(frozen=True)
class ContractionThresholds:
    """REVIEW where contraction is below ``least`` and the mean has moved by less than ``shift`` prior standard
    deviations; ``local`` is the least contraction on average over users or items.
    """

    least: float = 0.15
    shift: float = 0.3
    local: float = 0.002


@dataclass(frozen=True)
class Contraction:
    """Of one number of a global site, or on average over a site of users or items; ``shift`` is None there."""

    name: str
    table: str
    contraction: float
    shift: float | None
    prior_sd: float
    posterior_sd: float


def contractions(fit: Fit, rng: int, tick: Callable[[float], None]) -> list[Contraction]:
    """Contraction of every number of each global site, and of each site of users and items on average."""
    size = sum(t.numel() for t in fit.loc.values())
    number_of = int(np.clip(MOST // max(size, 1), 50, DRAWS))
    prior = prior_draws(fit, rng, lambda share: tick(share / 2))
    mean: dict[str, np.ndarray] = {}
    square: dict[str, np.ndarray] = {}
    for k, draw in enumerate(fit.draws(number_of, _rng.derive(rng, "contraction"))):
        for name, value in draw.values().items():
            x = value.double().numpy()
            if name not in mean:
                mean[name], square[name] = np.zeros_like(x), np.zeros_like(x)
            off = x - mean[name]
            mean[name] = mean[name] + off / (k + 1)
            square[name] = square[name] + off * (x - mean[name])
        tick(0.5 + (k + 1) / number_of / 2)
    found = []
    for site in fit.layout.sites:
        draws, variance = prior[site.name], square[site.name] / max(number_of - 1, 1)
        if site.table == "globals":
            for index in np.ndindex(*site.shape):
                before = draws[(slice(None), *index)]
                name = site.name + (f"[{', '.join(map(str, index))}]" if index else "")
                found.append(_of(name, site.table, before, float(variance[index]), float(mean[site.name][index])))
        else:
            before = draws.reshape(len(draws), -1)
            prior_var = float(before.var(0, ddof=1).mean())
            prior_var = 1.0 if site.standard else prior_var
            after = float(variance.mean()) if variance.size else prior_var
            if site.standard and fit.guide == "mean-field":  # known without drawing
                log_scale = fit.log_scale[site.table][:, site.start : site.stop].double()
                after = float((2.0 * log_scale).exp().mean()) if log_scale.numel() else 1.0
            found.append(
                Contraction(
                    site.name, site.table, 1.0 - after / max(prior_var, 1e-300), None, prior_var**0.5, after**0.5
                )
            )
    return found


def _of(name: str, table: str, before: np.ndarray, variance: float, mean: float) -> Contraction:
    sd = max(float(before.std(ddof=1)), 1e-300)
    return Contraction(name, table, 1.0 - variance / sd**2, (mean - float(before.mean())) / sd, sd, variance**0.5)


def prior_draws(fit: Fit, rng: int, tick: Callable[[float], None] = lambda share: None) -> dict[str, np.ndarray]:
    """Draws of every latent site from the prior, ``[draws, ...]``; of users and items those of a small view."""
    view, names = sample_view(fit.cells), [site.name for site in fit.layout.sites]
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in names}
    with _rng.seeded(rng, "prior draws"):
        for k in range(PRIOR_DRAWS):
            nodes = fit.scm.trace(view)
            for name in names:
                drawn[name].append(nodes[name]["value"].detach().double().numpy())
            tick((k + 1) / PRIOR_DRAWS)
    return {name: np.stack(values) for name, values in drawn.items()}


def contraction(
    fit: Fit, rng: int, limits: ContractionThresholds, tick: Callable[[float, str], None]
) -> tuple[Finding, list[Contraction]]:
    """Names what the log says nothing about."""
    found = contractions(fit, rng, lambda share: tick(share, "prior and posterior"))
    silent = [c for c in found if _silent(c, limits)]
    least = min(found, key=lambda c: c.contraction, default=None)
    names = _named(silent, found)
    if least is None:
        message = "the model has no latent numbers."
    elif silent:
        message = (
            f"the log says nothing about {names}: as wide after the fit as before (contraction "
            f"{number(silent[0].contraction, 2)}, {PRIOR_DRAWS} draws of the prior)."
        )
    else:
        message = (
            f"every parameter is narrower than its prior, or has moved; least {least.name!r} with contraction "
            f"{number(least.contraction, 2)}. A mean-field posterior cannot tell what is known only jointly."
        )
    return Finding(
        name="contraction",
        status="REVIEW" if silent else "PASS",
        value=None if least is None else (min(silent, key=lambda c: c.contraction) if silent else least).contraction,
        interval=None,
        message=message,
        advice=f"Give {names} a prior that you can defend, fix it, or take it out: answers that use it are the prior's."
        if silent
        else "",
        details={
            c.name: {"contraction": c.contraction, "shift": c.shift, "prior_sd": c.prior_sd, "sd": c.posterior_sd}
            for c in found
        },
        sees=SEES,
        cannot_see=CANNOT_SEE,
        quantity="least contraction of a parameter",
    ), found


def _named(silent: list[Contraction], found: list[Contraction]) -> str:
    """The names, or of a site with many how many of its numbers; ``details`` has them all."""
    parts: dict[str, list[str]] = {}
    for c in silent:
        parts.setdefault(c.name.partition("[")[0], []).append(c.name)
    size = Counter(c.name.partition("[")[0] for c in found)
    return ", ".join(
        f"{len(mine)} of the {size[site]} numbers of {site!r}" if len(mine) > MOST_NAMED else ", ".join(map(repr, mine))
        for site, mine in parts.items()
    )


def _silent(c: Contraction, limits: ContractionThresholds) -> bool:
    if c.shift is None:
        return c.contraction < limits.local
    return c.contraction < limits.least and abs(c.shift) < limits.shift
