"""`check`: every check of a fit, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from counterlog.errors import InputError
from counterlog.finding import Finding
from counterlog.inference.checks.chains import chains_finding
from counterlog.inference.checks.contraction import contraction
from counterlog.inference.checks.convergence import loss_curve, restarts
from counterlog.inference.checks.khat import Khat, khat_finding, khats
from counterlog.inference.checks.predictive import predictive
from counterlog.inference.checks.result import Checks
from counterlog.inference.checks.sbc import calibration, calibration_finding
from counterlog.inference.checks.score import score
from counterlog.inference.checks.seen import LIMIT, bound
from counterlog.inference.checks.thresholds import Thresholds

if TYPE_CHECKING:
    from counterlog.inference.fit import Fit
    from counterlog.logs import InteractionLog

#: Told how much of all work is done, from 0 to 1, and what is being done.
Tick = Callable[[float, str], None]
#: Antithetic pairs of the gradient, fewer where a pass over the log has many blocks: about a third of a fit.
PAIRS, LEAST_PAIRS = 50, 8


def check(
    fit: Fit,
    log: InteractionLog | None = None,
    *,
    restarts: int = 1,
    replicates: int = 100,
    draws: int = 300,
    sbc: int = 0,
    rng: int = 0,
    thresholds: Thresholds | None = None,
    limit: int = LIMIT,
    progress: Tick | bool | None = None,
) -> Checks:
    """Whether a fit is to be trusted: PASS, REVIEW or FAIL for each check, with numbers and advice.

    Parameters
    ----------
    fit
        The fit.
    log
        Another log of the same columns for the predictive checks, such as a held-out part; by default the log that was
        fitted, and all stated rates are for that.
    restarts
        Refits from other starting points, each as long as the fit; 0 leaves them out.
    replicates
        Replicated logs of the predictive checks.
    draws
        Draws of each user's and item's latents behind their k-hat.
    sbc
        Worlds of simulation-based calibration, each as long as a fit of such a log; 0 leaves it out.
    rng
        Seed.
    thresholds
        When to say REVIEW or FAIL.
    limit
        Opportunities that the predictive checks go through at most, whole users at a time.
    progress
        True for a bar on stderr, or a function of the share done and what is being done.

    Returns
    -------
    Checks
        Frozen; ``verdict``, ``to_text()``, ``to_json()``, ``plot()``.

    Raises
    ------
    InputError
        A number is out of range, or the log has other roles, users, items or levels than the fit.
    """
    wanted = {"restarts": (restarts, 0), "replicates": (replicates, 20), "draws": (draws, 100), "sbc": (sbc, 0)}
    for name, (given, least) in {**wanted, "limit": (limit, 1)}.items():
        if given < least:
            raise InputError(f"{name} must be at least {least}; given {given}")
    if 0 < sbc < 10:
        raise InputError(f"sbc={sbc} worlds say nothing about ranks; give at least 10, or 0 to leave it out")
    limits = thresholds or Thresholds()
    cells = bound(fit, log)
    started = time.monotonic()
    findings: list[Finding] = []
    skipped: dict[str, str] = {}
    kept: dict[str, Any] = {"khats": (), "contractions": (), "calibration": None, "refits": ()}
    whole = restarts + sbc + 1.0
    chains = fit.guide == "chains"
    with _bar(progress) as tick:
        part = lambda start, length: lambda share, note: tick((start + length * share) / whole, note)  # noqa: E731
        told, missing = predictive(fit, cells, limit, replicates, rng, limits.predictive, part(0.0, 0.3))
        findings += told
        skipped |= missing
        if chains:
            reason = "the fit holds chains and no normal guide: R-hat and effective sample size judge them"
            skipped |= dict.fromkeys(("restarts", "guide_location", "guide_width", "khat_users", "khat_items"), reason)
        else:
            findings += _guide(fit, draws, rng, limits, part(0.3, 0.5), kept, skipped)
        found, kept["contractions"] = contraction(fit, rng, limits.contraction, part(0.8, 0.2))
        findings.append(found)
        findings = _convergence(fit, restarts, rng, limits, part(1.0, restarts), kept, skipped, chains) + findings
        if sbc:
            ranks = calibration(fit, sbc, rng, part(1.0 + restarts, sbc))
            if isinstance(ranks, str):
                skipped["simulation_based_calibration"] = ranks
            else:
                kept["calibration"] = ranks
                findings.append(calibration_finding(fit, ranks, limits.simulation))
        else:
            skipped["simulation_based_calibration"] = (
                "it fits many simulated worlds and was not asked for; sbc=50 does it"
            )
    about = {
        "model": fit.scm.name,
        "fit_hash": fit.hash,
        "log_hash": fit.log.hash if log is None else log.hash,
        "rng": rng,
        "restarts": restarts,
        "sbc": sbc,
        "seconds": time.monotonic() - started,
        "rate": "meant: without a fault REVIEW in at most 5% and FAIL in at most 1% of fits, all checks together",
    }
    return Checks(fit, tuple(findings), skipped, about, **{k: _frozen(v) for k, v in kept.items()})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _guide(
    fit: Fit, draws: int, rng: int, limits: Thresholds, tick: Tick, kept: dict[str, Any], skipped: dict[str, str]
) -> list[Finding]:
    """The checks of a normal guide: its gradient, and k-hat of users and items."""
    pairs = max(LEAST_PAIRS, min(PAIRS, int(fit.options["steps"] / max(1, fit.options["blocks"]) / 6)))
    findings: list[Finding] = []
    if fit.guide == "mean-field":
        findings += score(fit, pairs, rng, limits.score, lambda share, note: tick(0.4 * share, note))
    else:
        reason = (
            f"the gradient judges a mean-field guide, and this one is an {fit.guide}: check the fit that it came from"
        )
        skipped |= dict.fromkeys(("guide_location", "guide_width"), reason)
    found: list[Khat] = []
    for index, table in enumerate(("users", "items")):
        if not fit.layout.width[table]:
            skipped[f"khat_{table}"] = f"the model has no latent of {table}"
            continue
        if table == "items" and fit.scm.together is not None:
            skipped["khat_items"] = f"items of one {fit.scm.together} share a likelihood, so that none has its own"
            continue
        step = lambda share, k=index, t=table: tick(0.4 + 0.3 * (k + share), f"k-hat of {t}")  # noqa: E731
        told = khats(fit, table, draws, rng, step)
        if isinstance(told, str):
            skipped[f"khat_{table}"] = told
            continue
        found.append(told)
        findings.append(khat_finding(fit, found[-1], draws, limits.khat))
    kept["khats"] = found
    return findings


def _convergence(
    fit: Fit,
    number: int,
    rng: int,
    limits: Thresholds,
    tick: Tick,
    kept: dict[str, Any],
    skipped: dict[str, str],
    chains: bool,
) -> list[Finding]:
    findings = [loss_curve(fit)]
    if chains:
        return [*findings, chains_finding(fit, limits.chains)]
    if not number:
        skipped["restarts"] = "no refit was asked for; restarts=1 makes one"
        return findings
    finding, kept["refits"] = restarts(fit, number, rng, limits.convergence, tick)
    return [*findings, finding]


@contextmanager
def _bar(progress: Tick | bool | None) -> Iterator[Tick]:
    """A bar with the remaining time on stderr, a user's own function, or nothing."""
    if progress is not True:
        yield progress if callable(progress) else lambda share, note: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("check", total=1.0)
        yield lambda share, note: bar.update(task, completed=share, description=note)
