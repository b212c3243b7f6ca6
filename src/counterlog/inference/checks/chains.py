"""Have the chains of a polished fit met, and are their draws enough?

R-hat compares the spread between chains with that within, the effective sample size says how many independent draws
they are worth (Vehtari, Gelman, Simpson, Carpenter, Buerkner 2021, Bayesian Analysis 16).

What it sees: chains that explore different places, or move too slowly, in the headline quantity and every parameter.
Dimensions of an affinity that changed places between chains are among the latter.

What it cannot see: a place that no chain has visited; and whether the model is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from counterlog.finding import Finding, Status, number
from counterlog.inference.arviz_export import chain_diagnostics
from counterlog.inference.mixing import mixing

if TYPE_CHECKING:
    from counterlog.inference.fit import Fit


@dataclass(frozen=True)
class ChainThresholds:
    """REVIEW and FAIL by R-hat and effective sample size of the headline quantity; REVIEW by those of any parameter and
    by the share of divergences.

    An interval's ends from 100 independent draws are off by an eighth of a standard deviation. Parameters, of which
    there may be a thousand, have wider limits: the largest of a thousand R-hats of 200 draws is beyond 1.1 without a
    fault.
    """

    r_hat: tuple[float, float] = (1.05, 1.2)
    ess: tuple[float, float] = (100.0, 30.0)
    parameter_r_hat: float = 1.2
    parameter_ess: float = 30.0
    divergent: float = 0.01


def chains_finding(fit: Fit, limits: ChainThresholds) -> Finding:
    """R-hat and effective sample size of the headline quantity, then of every parameter of the whole log."""
    chains = fit.chains
    assert chains is not None
    headline = chain_diagnostics(chains.quantity)
    told = mixing(chains.tables["globals"][:, :, 0].double().numpy(), fit.layout)
    apart = max(told, key=lambda name: told[name]["r_hat"], default="")
    slow = min(told, key=lambda name: told[name]["ess"], default="")
    r_hat, ess = headline["r_hat"], headline["ess"]
    divergent = int(chains.about.get("divergences", 0)) / max(chains.number, 1)
    behind = bool(told) and (told[apart]["r_hat"] > limits.parameter_r_hat or told[slow]["ess"] < limits.parameter_ess)
    status: Status = "PASS"
    if r_hat > limits.r_hat[0] or ess < limits.ess[0] or divergent > limits.divergent or behind:
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
            f"{shape[0]} chains of {shape[1]} draws; headline quantity: R-hat {number(r_hat, 4)} (limit "
            f"{limits.r_hat[0]:g}), effective sample size {number(ess)} (limit {limits.ess[0]:g}); "
            f"{_parameters(told, apart, slow, limits)}{divergent:.1%} of steps diverged."
        ),
        advice=_advice(status, apart if behind else ""),
        details={"headline": headline, "parameters": told},
        sees="chains that explore different places or move too slowly",
        cannot_see="a place that no chain has visited, and whether the model is right",
        quantity="R-hat of the headline quantity",
    )


def _parameters(told: dict[str, dict[str, float]], apart: str, slow: str, limits: ChainThresholds) -> str:
    if not told:
        return ""
    return (
        f"parameters: R-hat up to {number(told[apart]['r_hat'], 4)} ({apart}; limit {limits.parameter_r_hat:g}), "
        f"effective sample sizes from {number(told[slow]['ess'])} ({slow}; limit {limits.parameter_ess:g}); "
    )


def _advice(status: Status, behind: str) -> str:
    if status == "PASS":
        return ""
    more = "Draw more, or start from a fit with more steps."
    return f"{more} Until then trust no answer that rests on {behind} by itself." if behind else more
