"""Refuters whose right answer is known: a placebo exposure, a dummy outcome."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from counterlog import rng as _rng
from counterlog.query.refit import Case, doubt, judged, known_rows, skipped, with_columns
from counterlog.query.refutation import Refuted

if TYPE_CHECKING:
    from counterlog.logs import InteractionLog

#: How often a draw is repeated until every level of a rating is shown.
_TRIES = 50


def placebo_exposure(case: Case) -> Refuted:
    """Of the rows whose outcome is known a random half is exposed anew, the outcomes of the others are hidden, and the
    program is fitted again: its mean over all of them must be their known mean.

    It fires on a program that corrects what is not biased. Each repeat hides another half, so that the repeats show the
    sampling error themselves; what the posterior does not know comes on top, not widened, for the widening stands for
    that error.
    """
    name, fit = "placebo exposure", case.fit
    if not case.about_everything_shown:
        return skipped(
            name, f"it asks for the mean {fit.scm.outcome} with everything exposed, which was not asked here"
        )
    if fit.treatment.sum_exposure:
        return skipped(name, "exposure is latent in this fit, so that nobody knows which rows a random half exposes")
    rows = known_rows(fit)
    outcome = _outcome(fit.log)[rows]
    if len(rows) < 20:
        return skipped(name, f"only {len(rows)} rows have a known outcome")
    truth, got, doubts = float(outcome.mean()), [], []
    for index in range(case.repeats):
        shown = _half(outcome, case, index)
        if shown is None:
            return skipped(name, "a level of the rating is so rare that a random half lacks it")
        answer = case.ask(case.again(name, index, _exposed_anew(fit.log, rows, shown)))
        got.append(answer.estimate)
        doubts.append(doubt(answer))
    return judged(
        case,
        name,
        got,
        truth,
        float(np.sqrt(np.mean(np.square(doubts)))),
        f"The program, fitted to {len(rows):,} known outcomes of which a random half is hidden, gives their mean as",
        "The program corrects what is not biased. Look at what it assumes about exposure: a selection that it takes "
        "for granted, or a form that the log cannot settle.",
        "whether the program misses a bias that is there",
    )


def dummy_outcome(case: Case) -> Refuted:
    """The known outcomes are shuffled, so that they depend on nothing, and the program is fitted again: its mean must
    be theirs.

    It fires on a program that finds a dependence of outcome on exposure's causes where there is none. Errors are
    reckoned as for `placebo_exposure`: each repeat shuffles anew.
    """
    name, fit = "dummy outcome", case.fit
    if not case.about_everything_shown:
        return skipped(
            name, f"it asks for the mean {fit.scm.outcome} with everything exposed, which was not asked here"
        )
    if fit.treatment.sum_exposure:
        return skipped(name, "exposure is latent in this fit: what the log shows is exposure and outcome together")
    if fit.treatment.sum_outcome:
        return skipped(
            name,
            f"{fit.scm.outcome} is a cause of exposure in this program: shuffled outcomes keep no trace of what "
            "selected them, and there is no right answer",
        )
    rows = known_rows(fit)
    outcome = _outcome(fit.log)[rows]
    if len(rows) < 20:
        return skipped(name, f"only {len(rows)} rows have a known outcome")
    got, doubts = [], []
    for index in range(case.repeats):
        values = _outcome(fit.log)
        values[rows] = _rng.generator(case.rng, name, index).permutation(outcome)
        column = pa.array(values, mask=~np.isfinite(values))
        log = with_columns(fit.log, np.arange(fit.log.rows), **{str(fit.log.roles.outcome): column})
        answer = case.ask(case.again(name, index, log))
        got.append(answer.estimate)
        doubts.append(doubt(answer))
    return judged(
        case,
        name,
        got,
        float(outcome.mean()),
        float(np.sqrt(np.mean(np.square(doubts)))),
        "The program, fitted to the log's outcomes shuffled among the known rows, gives their mean as",
        "The program finds a dependence that is not there. Look at what it takes for granted about how exposure's "
        "causes act on the outcome.",
        "whether a dependence that is there has the wrong form",
    )


def _outcome(log: InteractionLog) -> np.ndarray:
    values = log.outcome
    return np.empty(0) if values is None else values.copy()


def _half(outcome: np.ndarray, case: Case, index: int) -> np.ndarray | None:
    """A random half, bool ``[n]``, in which every level of a rating occurs; None where chance does not give one."""
    generator = _rng.generator(case.rng, "placebo exposure", index)
    levels = np.asarray(case.fit.cells.levels)
    for _ in range(_TRIES):
        shown = generator.permutation(len(outcome)) < (len(outcome) + 1) // 2
        if np.isin(levels, outcome[shown]).all():
            return shown
    return None


def _exposed_anew(log: InteractionLog, rows: np.ndarray, shown: np.ndarray) -> InteractionLog:
    roles = log.roles
    exposure = roles.exposure or next(n for n in ("exposure", "placebo exposure") if n not in log.table.column_names)
    hidden = pa.array(_outcome(log)[rows], mask=~shown)
    columns = {str(roles.outcome): hidden, exposure: pa.array(shown.astype(np.int8))}
    part = with_columns(log, rows, **columns)
    return dataclasses.replace(part, roles=dataclasses.replace(roles, exposure=exposure, propensity=None))
