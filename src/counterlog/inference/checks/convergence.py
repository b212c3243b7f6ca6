"""Did the fit arrive, and would it arrive at the same place again?

What it sees: a loss that was still falling; another start that ends in a better optimum, or in other answers.

What it cannot see: that the model is wrong, or that all starts share a blind spot: they begin at the same prior
medians. One refit sees a second optimum that draws half of all starts in half of all cases: ask for more with
``restarts``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from counterlog import rng as _rng
from counterlog.finding import Finding, Status, number
from counterlog.inference.checks.headlines import headlines
from counterlog.inference.widening import widening

if TYPE_CHECKING:
    from counterlog.inference.fit import Fit

#: Posterior draws of each headline quantity.
DRAWS = 30


@dataclass(frozen=True)
class ConvergenceThresholds:
    """REVIEW and FAIL by how many widened posterior standard deviations a refit's headline quantities lie away; and
    REVIEW where a refit's loss is lower by more than ``better`` of itself. Set on fits of worlds without a fault.
    """

    apart: tuple[float, float] = (2.0, 4.0)
    better: float = 0.01


def loss_curve(fit: Fit) -> Finding:
    """The judgement that the fit itself made of its losses."""
    window = max(1, fit.steps // 10)
    last = fit.losses[-window:]
    before = fit.losses[-2 * window : -window]
    fall = float(before.mean() - last.mean()) if len(before) else math.inf
    noise = math.hypot(float(before.std()), float(last.std())) / math.sqrt(window) if len(before) else math.inf
    limit = max(0.01 * abs(float(last.mean())), 0.001)
    status: Status = "PASS" if fit.converged else "FAIL" if fall > limit else "REVIEW"
    known = math.isfinite(fall)
    return Finding(
        name="convergence",
        status=status,
        value=fall if known else None,
        interval=(fall - 1.645 * noise, fall + 1.645 * noise) if known else None,
        message=f"after {fit.steps:,} steps: {fit.convergence.message}.",
        advice="" if fit.converged else f"Give more steps: steps={4 * fit.steps}.",
        details={"limit": limit, "steps": fit.steps},
        sees="a loss that was still falling",
        cannot_see="a local optimum, and whether the model is right",
        quantity="fall of the loss, in nats an opportunity, over the last tenth of the run",
    )


def restarts(
    fit: Fit, number_of: int, rng: int, limits: ConvergenceThresholds, tick: Callable[[float, str], None]
) -> tuple[Finding, list[Fit]]:
    """Refits from other starting points, and whether they agree with the fit in loss and headline quantities."""
    seed = _rng.derive(rng, "restarts")
    again = []
    for index in range(number_of):
        again.append(refit(fit, _rng.derive(seed, index), partial(_report, tick, index, number_of)))
    mine = headlines(fit, DRAWS, seed)
    table: dict[str, dict[str, Any]] = {}
    for other in again:
        for name, draws in headlines(other, DRAWS, seed).items():
            own = mine[name]
            sd = max(_spread(fit, own), _spread(other, draws), 1e-12)
            row = table.setdefault(name, {"fit": float(own.mean()), "sd": sd, "refits": [], "apart": 0.0})
            row["refits"].append(float(draws.mean()))
            row["apart"] = max(row["apart"], abs(float(own.mean() - draws.mean())) / sd)
    worst = max(table, key=lambda name: table[name]["apart"])
    apart = table[worst]["apart"]
    best = min(other.loss for other in again)
    gain = fit.loss - best
    better = gain > max(limits.better * abs(fit.loss), 0.001)
    status: Status = "FAIL" if apart > limits.apart[1] else "REVIEW" if apart > limits.apart[0] or better else "PASS"
    shown = ", ".join(number(x, 4) for x in table[worst]["refits"])
    message = (
        f"{number_of} refit{'s' if number_of > 1 else ''} from other starts: {worst} is "
        f"{number(table[worst]['fit'], 4)} in the fit and {shown} there, {number(apart, 2)} widened "
        f"posterior standard deviations apart (limit {limits.apart[0]:g}); loss {number(fit.loss, 4)} against "
        f"{number(best, 4)} an opportunity" + (": a better optimum was found" if better else "") + "."
    )
    advice = "" if status == "PASS" else "Fit with restarts=5 and more steps, and report how far the answers differ."
    finding = Finding(
        name="restarts",
        status=status,
        value=apart,
        interval=None,
        message=message,
        advice=advice,
        details={"quantities": table, "loss": fit.loss, "refit_losses": [other.loss for other in again]},
        sees="another start that ends in a better optimum or in other answers",
        cannot_see="a blind spot that all starts share, and whether the model is right",
        quantity="largest distance of a refit's headline quantity, in widened posterior standard deviations",
    )
    return finding, again


def _spread(fit: Fit, draws: np.ndarray) -> float:
    """Posterior standard deviation of a quantity, widened as `effect` widens it."""
    return widening(fit).whole * float(draws.std(ddof=1))


def _report(tick: Callable[[float, str], None], index: int, number_of: int, share: float) -> None:
    tick((index + share) / number_of, f"refit {index + 1} of {number_of}")


def refit(fit: Fit, seed: int, tick: Callable[[float], None]) -> Fit:
    """The same program and log with the same options from another start."""
    from counterlog.inference.fit import fit as fit_

    told = fit.options
    return fit_(
        fit.scm,
        fit.log,
        rng=seed,
        steps=int(told["steps"]),
        batch=told["batch"],
        unexposed=told["unexposed"],
        restarts=1,
        lr=told["lr"],
        device=told["device"],
        progress=lambda step, total, _loss: tick(step / total),
    )
