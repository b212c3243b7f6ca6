"""Simulation-based calibration: do posteriors of worlds drawn from the prior contain those worlds' truths?

Draw parameters from the prior, a log from the program, fit it with the fit's own options, and find the rank of the
truth among posterior draws. Over many worlds the ranks are uniform if the posterior is right (Talts, Betancourt,
Simpson, Vehtari, Gelman 2018, arXiv 1804.06788); for a variational posterior their asymmetry shows bias (VSBC: Yao,
Vehtari, Simpson, Gelman 2018, ICML), their pile at both ends shows that it is too narrow.

What it sees: inference that is biased or too certain, for each named quantity, on average over the prior.

What it cannot see: anything about the log at hand: a wrong model is right in its own worlds, and the worlds of a prior
may be easier or harder than the real one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from counterlog import rng as _rng
from counterlog.errors import CounterlogError
from counterlog.finding import Finding, Status, number, percent
from counterlog.inference.population import pieces, population
from counterlog.inference.widening import widening
from counterlog.model.interventions import Intervention
from counterlog.model.known_world import KnownWorld, known_world
from counterlog.model.worlds import run

if TYPE_CHECKING:
    from counterlog.inference.fit import Fit

#: Posterior draws among which a truth is ranked, and opportunities of a world at most.
DRAWS, CELLS = 99, 20_000
LEVEL = 0.90


@dataclass(frozen=True)
class SimulationThresholds:
    """The probability that any quantity's ranks are called not uniform where they are (Bonferroni): REVIEW and FAIL."""

    review: float = 0.02
    fail: float = 0.004


@dataclass(frozen=True, eq=False)
class Calibration:
    """What simulation-based calibration found: of each quantity the rank of the truth among the draws, in [0, 1], one a
    world; ``widened`` whether a widened interval held it, NaN where none is made.
    """

    ranks: dict[str, np.ndarray]
    widened: dict[str, np.ndarray]
    worlds: int
    failed: tuple[str, ...]


def calibration(fit: Fit, worlds: int, rng: int, tick: Callable[[float, str], None]) -> Calibration | str:
    """Ranks over worlds drawn from the prior, or why no such world can be made."""
    seed = _rng.derive(rng, "sbc")
    ranks: dict[str, list[float]] = {}
    inside: dict[str, list[float]] = {}
    failed: list[str] = []
    factor = widening(fit).whole
    for index in range(worlds):
        try:
            world = _world(fit, _rng.derive(seed, index))
            told = _one(fit, world, _rng.derive(seed, "fit", index), partial(_report, tick, index, worlds))
        except CounterlogError as error:
            failed.append(str(error))
            continue
        for name, (truth, draws, headline) in told.items():
            u = _rng.generator(seed, "tie", name, index).random()
            below, equal = int((draws < truth).sum()), int((draws == truth).sum())
            ranks.setdefault(name, []).append((below + u * (equal + 1)) / (len(draws) + 1))
            centre = draws.mean()
            low, high = centre + factor * (np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) - centre)
            inside.setdefault(name, []).append(float(low <= truth <= high) if headline else np.nan)
    if len(failed) > worlds // 2:
        return f"{len(failed)} of {worlds} worlds from the prior could not be fitted, the first because {failed[0]}"
    arrays = lambda d: {name: np.asarray(v) for name, v in d.items()}  # noqa: E731
    return Calibration(arrays(ranks), arrays(inside), worlds - len(failed), tuple(failed))


def _report(tick: Callable[[float, str], None], index: int, worlds: int, share: float) -> None:
    tick((index + share) / worlds, f"simulated world {index + 1} of {worlds}")


def _world(fit: Fit, seed: int) -> KnownWorld:
    """A world from the prior of the log's size, or the same shape with fewer users and items."""
    cells = fit.cells
    users, items = cells.n_users, cells.n_items
    per_user = None if fit.treatment.implied else max(1, round(cells.n / max(users, 1)))
    if per_user is None:
        shrink = min(1.0, (CELLS / (users * items)) ** 0.5)
        users, items = max(2, round(users * shrink)), max(2, round(items * shrink))
    else:
        users = max(2, min(users, CELLS // max(1, per_user)))
        items = max(items, per_user)
    features = max(cells.user_features.shape[1], cells.item_features.shape[1])
    return known_world(
        fit.scm,
        users,
        items,
        seed,
        truth={},
        n_features=features,
        n_levels=cells.n_levels,
        n_positions=cells.n_positions,
        per_user=per_user,
    )


def _one(
    fit: Fit, world: KnownWorld, seed: int, tick: Callable[[float], None]
) -> dict[str, tuple[float, np.ndarray, bool]]:
    """Truth and posterior draws of each quantity, and whether an interval of it is widened."""
    from counterlog.inference.cells import decide
    from counterlog.inference.fit import fit as fit_

    told = fit.options
    again = fit_(
        fit.scm,
        world.log,
        rng=seed,
        steps=int(told["steps"]),
        batch=told["batch"],
        unexposed=told["unexposed"] if decide(fit.scm, world.log).implied else None,
        restarts=1,
        lr=told["lr"],
        progress=lambda step, total, _loss: tick(step / total),
    )
    scm = fit.scm
    sites = [site.name for site in again.layout.sites if site.table == "globals"]
    draws: dict[str, list[float]] = {name: [] for name in sites}
    answer: list[float] = []
    shown = Intervention(fixed={scm.exposure: 1.0})
    whole = population(again, CELLS, seed)
    parts = list(pieces(again.cells, whole))
    levels = again.cells.levels
    for index, draw in enumerate(again.draws(DRAWS, seed)):
        values = draw.values()
        for name in sites:
            draws[name].append(float(values[name].double().mean()))
        with _rng.seeded(seed, "answer", index):
            each = [run(scm, p.view, p.given(draw), shown).mean(scm.outcome, levels).double().sum() for p in parts]
        answer.append(float(sum(each)) / len(whole))
    found = {name: (float(world.latents[name].double().mean()), np.asarray(draws[name]), False) for name in sites}
    truth = world.mean(scm.outcome, shown)
    found[f"mean {scm.outcome} under do({scm.exposure}=1)"] = (truth, np.asarray(answer), True)
    return found


def calibration_finding(fit: Fit, told: Calibration, limits: SimulationThresholds) -> Finding:
    """Are the ranks uniform? Kolmogorov-Smirnov for each quantity, and for asymmetry; Bonferroni over all."""
    from scipy.stats import binomtest, ks_2samp, kstest

    among = len(told.ranks)
    rows: dict[str, dict[str, Any]] = {}
    for name, ranks in told.ranks.items():
        hits = int(((ranks > (1 - LEVEL) / 2) & (ranks < (1 + LEVEL) / 2)).sum())
        low, high = binomtest(hits, len(ranks)).proportion_ci(0.90)
        wide = told.widened[name]
        rows[name] = {
            "p": float(kstest(ranks, "uniform").pvalue),
            "p_bias": float(ks_2samp(ranks, 1.0 - ranks).pvalue),
            "coverage": hits / len(ranks),
            "coverage_interval": [float(low), float(high)],
            "coverage_widened": None if np.isnan(wide).all() else float(np.nanmean(wide)),
            "mean_rank": float(ranks.mean()),
        }
    worst = min(rows, key=lambda name: rows[name]["p"])
    p = rows[worst]["p"]
    status: Status = "FAIL" if p < limits.fail / among else "REVIEW" if p < limits.review / among else "PASS"
    covered, interval = rows[worst]["coverage"], rows[worst]["coverage_interval"]
    answer = f"mean {fit.scm.outcome} under do({fit.scm.exposure}=1)"
    mended = rows[answer]["coverage_widened"]
    bias = [name for name, row in rows.items() if row["p_bias"] < limits.review / among]
    lost = f" ({len(told.failed)} more could not be fitted)" if told.failed else ""
    message = (
        f"{told.worlds} worlds drawn from the prior{lost}: the guide's own 90% interval of {worst!r} holds the truth "
        f"in {percent(covered)} (p = {p:.2g} for uniform ranks, {among} quantities); that of {answer!r} in "
        f"{percent(rows[answer]['coverage'])}, once widened as `effect` does in {percent(mended)}."
        + (f" Ranks lean to one side: {', '.join(bias)}." if bias else "")
    )
    return Finding(
        name="simulation_based_calibration",
        status=status,
        value=covered,
        interval=(interval[0], interval[1]),
        message=message,
        advice=""
        if status == "PASS"
        else f"Do not read the guide's own interval of {worst!r} as 90%; use effect's widened or polished intervals, "
        f"and look whether {number(rows[answer]['coverage_widened'], 2)} is enough for you.",
        details={"quantities": rows, "worlds": told.worlds, "failed": len(told.failed)},
        sees="inference that is biased or too certain, for each named quantity, on average over the prior",
        cannot_see="anything about this log: a wrong model is right in its own worlds",
        quantity=f"coverage of the guide's own 90% interval of {worst}",
    )
