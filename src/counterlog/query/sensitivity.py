"""`sensitivity`: how strong an unseen cause of exposure and outcome must be to move an answer to a value."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from counterlog.errors import InputError, RefusedError, unknown_name
from counterlog.query import intervals
from counterlog.query.effect import effect
from counterlog.query.sensitivity_laws import benchmarks_of, laws_of
from counterlog.query.sensitivity_result import Sensitivity
from counterlog.query.sensitivity_sentence import shows_everything, unit_of
from counterlog.query.unseen_cause import change, strength

if TYPE_CHECKING:
    from counterlog.inference import Fit
    from counterlog.model.interventions import Intervention

Progress = Callable[[int, int], None]
#: Steps of the table from 0 to the limit.
_STEPS = 6
#: Directions in which the curve is followed, beside the diagonal and with their inverses: outcome to exposure.
_RATIOS = np.array([1.25, 1.6, 2.0, 3.0, 5.0, 8.0])


def sensitivity(
    fit: Fit,
    on: str,
    do: Intervention,
    to: float | None = None,
    *,
    rng: int = 0,
    draws: int = 4,
    rows: int = 300,
    limit: float = 3.0,
    progress: Progress | None = None,
) -> Sensitivity:
    """How strong an unseen cause of exposure and outcome must be to move the answer of `effect` to the value ``to``.

    The unseen cause U is standard normal, one an opportunity, and independent of every cause in the program. It adds
    ``a U`` to the log-odds of exposure and ``b U`` to the linear predictor of the outcome: to the log-odds of exceeding
    each level (a click has one), to the log of the mean of a count or a positive real, to the mean of any real in its
    own standard deviations. No log can tell ``a`` and ``b`` from 0: for each opportunity P(exposure = 1) and the
    distribution of the outcome among the exposed (of a count or a real its mean) stay as the fit has them, by shifts of
    the intercepts that are solved for. The corrected mean then integrates U over its own distribution instead of that
    among the exposed. Where the outcome is itself a cause of exposure its effect, averaged over U, stays as fitted, and
    the shifts are solved for jointly. A cause of one of the two alone changes nothing.

    The idea is that of Rosenbaum & Rubin (1983, J. R. Stat. Soc. B 45) and Imbens (2003, Am. Econ. Rev. 93), with the
    normal cause of Dorie et al. (2016, Stat. Med. 35); E-values after VanderWeele & Ding (2017, Ann. Intern. Med. 167),
    whose bound holds for the ratio of two means of one exposure too (Ding & VanderWeele 2016, Epidemiology 27): the
    law of U in the population lies between those of the exposed and of the others.

    Parameters
    ----------
    on
        The outcome's site.
    do
        What shows everything: ``fix(exposure=1)``, or the uniform policy.
    to
        The value asked about, in the units of the answer; by default the naive answer.
    rng
        Seed of the answer and of what the change is computed on.
    draws, rows
        Posterior draws, and opportunities in each, on which the change is computed; it is added to the estimate.
    limit
        The greatest strength that is tried.

    Raises
    ------
    UnknownNameError
        A site that does not exist.
    RefusedError
        The question is not about the outcome with everything exposed; an unseen cause of something else is not asked.
    InputError
        No value to move to, one that the answer cannot take, or an option out of range.

    Examples
    --------
    >>> sensitivity(fit, "click", fix(exposure=1), to=0.1).strength  # doctest: +SKIP
    1.32
    """
    _check(fit, on, do, to, draws, rows, limit)
    found = effect(fit, on, do, rng=rng)
    goal, goal_is = (to, "the value asked about") if to is not None else (found.naive, "the naive answer")
    if goal is None:
        raise InputError(
            "the log alone gives no naive answer to this question; name the value that the answer would have to move "
            "to, with to= (--to)"
        )
    laws = laws_of(fit, rng, draws, rows)
    low, high = found.interval
    nearest = low if goal < low else high
    inside = low <= goal <= high
    shift = goal - found.estimate
    side = 1.0 if shift <= 0 else -1.0
    ticks = np.linspace(0.0, limit, _STEPS + 1)
    total = 2 * _STEPS**2 + 2 * len(_RATIOS) + 2
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    table = []
    for sign in (1.0, -1.0):
        start: np.ndarray | None = None
        for b in sign * ticks[1:]:
            first: np.ndarray | None = start
            for a in ticks[1:]:
                moved, first = change(laws, a, b, first)
                start = first if a == ticks[1] else start
                table.append({"a": float(a), "b": float(b), "answer": found.estimate + moved})
                tick()
    table += [{"a": 0.0, "b": float(b), "answer": found.estimate} for b in np.concatenate([-ticks[:0:-1], ticks])]
    table += [{"a": float(a), "b": 0.0, "answer": found.estimate} for a in ticks[1:]]
    ratios = [*(1.0 / _RATIOS[::-1]), 1.0, *_RATIOS] if shift else [1.0]
    strengths = {}
    for ratio in ratios:
        strengths[ratio] = strength(laws, shift, limit, ratio)
        tick()
    curve = [(a, side * ratio * a) for ratio, a in strengths.items() if a is not None]
    of_limit = 0.0 if inside else strength(laws, goal - nearest, limit)
    tick()
    causes = benchmarks_of(fit, rng, draws, rows)
    binary = fit.log.roles.outcome_kind == "click"
    return Sensitivity(
        on=on,
        do=do.describe(),
        estimate=found.estimate,
        interval=found.interval,
        level=found.level,
        to=float(goal),
        to_is=goal_is,
        strength=strengths[1.0],
        strength_of_limit=of_limit,
        opposed=side < 0,
        limit=float(limit),
        unit=unit_of(laws),
        table=tuple(sorted(table, key=lambda row: (row["a"], row["b"]))),
        curve=tuple(sorted(curve)),
        benchmarks=causes,
        e_value=e_value(found.estimate, goal) if binary else None,
        e_value_of_limit=(1.0 if inside else e_value(nearest, goal)) if binary else None,
        rows=len(laws.weight) // draws,
        draws=draws,
    )


def e_value(estimate: float, to: float) -> float | None:
    """The E-value of moving a probability from ``estimate`` to ``to``: RR + sqrt(RR (RR - 1)) with RR their ratio, at
    least 1 (VanderWeele & Ding 2017, Ann. Intern. Med. 167). None where one of them is 0.

    Examples
    --------
    >>> round(e_value(0.2, 0.1), 2)
    3.41
    """
    if estimate <= 0.0 or to <= 0.0:
        return None
    ratio = max(estimate / to, to / estimate)
    return ratio + math.sqrt(ratio * (ratio - 1.0))


def _check(fit: Fit, on: str, do: Intervention, to: float | None, draws: int, rows: int, limit: float) -> None:
    scm = fit.scm
    sites = scm.sites()
    if on not in sites:
        raise unknown_name("site", on, sites)
    do.check(scm)
    if on != scm.outcome:
        raise RefusedError(
            f"sensitivity asks about an unseen cause of {scm.exposure} and {scm.outcome}; ask on {scm.outcome!r}, not "
            f"on {on!r}"
        )
    if not shows_everything(fit, do):
        raise RefusedError(
            f"sensitivity asks about an unseen cause of {scm.exposure} and {scm.outcome}; act on the exposure, and on "
            f"nothing else: do({scm.exposure}=1). Given: {do.describe()}"
        )
    if draws < 1 or rows < 1 or not 0 < limit <= 4:
        raise InputError(
            f"draws and rows must be at least 1 and limit in (0, 4]; given draws={draws}, rows={rows}, limit={limit}"
        )
    if to is not None:
        least, most = intervals.support(fit, on)
        if not (math.isfinite(to) and least <= to <= most):
            raise InputError(f"to={to:g}: the mean of {on} lies between {least:g} and {most:g}")
