"""`refute`: try to refute an answer by changing what should not matter, or what has a known right answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from counterlog.errors import InputError
from counterlog.model.interventions import Intervention
from counterlog.query.effect import effect
from counterlog.query.refit import DRAWS, Case
from counterlog.query.refutation import Refutation, Refuted
from counterlog.query.refute_columns import back_door, implied_independences
from counterlog.query.refute_known import dummy_outcome, placebo_exposure
from counterlog.query.refute_stable import random_common_cause, subset

if TYPE_CHECKING:
    from counterlog.inference import Fit
    from counterlog.logs import InteractionLog

#: Looks at one case and gives what it found, or several results.
Refuter = Callable[[Case], Refuted | tuple[Refuted, ...]]
#: All of them, cheap ones last.
REFUTERS: tuple[Refuter, ...] = (
    placebo_exposure,
    random_common_cause,
    subset,
    dummy_outcome,
    back_door,
    implied_independences,
)


def refute(
    fit: Fit,
    log: InteractionLog | None = None,
    *,
    on: str | None = None,
    do: Intervention | None = None,
    refuters: Sequence[Refuter] | None = None,
    repeats: int = 2,
    rate: float = 0.05,
    rng: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Refutation:
    """Try to refute the answer of `effect`: by a placebo exposure, a random common cause, halves of the users, a dummy
    outcome, and where columns alone identify it, DoWhy's refuters and the graph's implied independences.

    The first four fit the program again with the fit's own options (`random_common_cause` takes twice the steps), so
    each costs ``repeats`` fits. Each decides by a two-sided test at ``rate``. None of them can prove an answer.

    Parameters
    ----------
    log
        The log of the fit, to be sure that it is the right one; it is in the fit anyway.
    on, do
        The question; by default the outcome with everything exposed.
    refuters
        Which to ask: functions of a `Case`, by default `REFUTERS`.
    repeats
        Fits of each refuter that fits; `subset` takes an even number, at least 2.
    rate
        False-alarm rate of each.
    progress
        Called with a line before each fit.

    Raises
    ------
    InputError
        A log that the fit was not made for, or an option out of range.
    UnknownNameError, RefusedError
        As `effect`.
    """
    if log is not None and log.hash != fit.log.hash:
        raise InputError(
            f"the fit was made for another log: {log.name} ({log.rows:,} rows, {log.hash[:8]}) is not "
            f"{fit.log.name} ({fit.log.rows:,} rows, {fit.log.hash[:8]}); give the log that it was fitted to, with the "
            "same roles and features"
        )
    if repeats < 1 or not 0.0 < rate < 1.0:
        raise InputError(f"repeats must be at least 1 and rate in (0, 1); given repeats={repeats}, rate={rate}")
    asked = REFUTERS if refuters is None else tuple(refuters)
    if not asked:
        raise InputError("refuters is empty; leave it out to ask all of them")
    on = fit.scm.outcome if on is None else on
    do = Intervention(fixed={fit.scm.exposure: 1}) if do is None else do
    answer = effect(fit, on, do, rng=rng, draws=DRAWS)
    case = Case(fit, on, do, answer, repeats, rng, rate, progress or (lambda line: None))
    results: list[Refuted] = []
    for refuter in asked:
        found = refuter(case)
        results += [found] if isinstance(found, Refuted) else list(found)
    return Refutation(on, do.describe(), answer.estimate, answer.interval, answer.level, tuple(results))
