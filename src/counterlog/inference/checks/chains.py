"""Have the chains of a polished fit met, and are their draws enough?

R-hat compares the spread between chains with that within, the effective sample size says how many independent draws
they are worth (Vehtari, Gelman, Simpson, Carpenter, Buerkner 2021, Bayesian Analysis 16).

What it sees: chains that explore different places, or move too slowly, in the headline quantity and every parameter.

What it cannot see: a place that no chain has visited; and whether the model is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from counterlog.finding import Finding, Status, number
from counterlog.inference.arviz_export import chain_diagnostics

if TYPE_CHECKING:
    from counterlog.inference.fit import Fit


@dataclass(frozen=True)
class ChainThresholds:
    """REVIEW and FAIL by the largest R-hat and the least effective sample size, and by the share of divergences.

    An interval's ends from 100 independent draws are off by an eighth of a standard deviation; 1.05 is what chains of
    200 draws give now and then among twenty parameters without a fault.
    """

    r_hat: tuple[float, float] = (1.05, 1.2)
    ess: tuple[float, float] = (100.0, 30.0)
    divergent: float = 0.01


def chains_finding(fit: Fit, limits: ChainThresholds) -> Finding:
    """R-hat and effective sample size of the headline quantity and of every parameter of the whole log."""
    chains = fit.chains
    assert chains is not None
    told = {"headline quantity": chain_diagnostics(chains.quantity)}
    draws = chains.tables["globals"][:, :, 0].double().numpy()
    for site in fit.layout.of("globals"):
        for k in range(site.start, site.stop):
            name = f"{site.name}[{k - site.start}]" if site.stop - site.start > 1 else site.name
            told[name] = chain_diagnostics(draws[:, :, k])
    apart = max(told, key=lambda name: told[name]["r_hat"])
    slow = min(told, key=lambda name: told[name]["ess"])
    r_hat, ess = told[apart]["r_hat"], told[slow]["ess"]
    divergent = int(chains.about.get("divergences", 0)) / max(chains.number, 1)
    status: Status = "PASS"
    if r_hat > limits.r_hat[0] or ess < limits.ess[0] or divergent > limits.divergent:
        status = "REVIEW"
    if r_hat > limits.r_hat[1] or ess < limits.ess[1] or not np.isfinite(r_hat):
        status = "FAIL"
    shape = chains.quantity.shape
    return Finding(
        name="chains",
        status=status,
        value=r_hat,
        interval=None,
        message=(
            f"{shape[0]} chains of {shape[1]} draws: largest R-hat {number(r_hat, 4)} ({apart}; limit "
            f"{limits.r_hat[0]:g}), least effective sample size {number(ess)} ({slow}; limit {limits.ess[0]:g}), "
            f"{divergent:.1%} of steps diverged."
        ),
        advice="" if status == "PASS" else "Draw more, or start from a fit with more steps.",
        details={"parameters": told},
        sees="chains that explore different places or move too slowly",
        cannot_see="a place that no chain has visited, and whether the model is right",
        quantity="largest R-hat of the headline quantity and the parameters",
    )
