"""Refuters that need no fit: they look at the log's columns alone."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np

from counterlog import rng as _rng
from counterlog.identification import Identified, NotIdentified, dowhy_bridge, identify, independences
from counterlog.identification.criteria import selects_not
from counterlog.identification.question import units
from counterlog.identification.residuals import numbers
from counterlog.query.refit import Case, doubt, judged, skipped
from counterlog.query.refutation import Refuted

#: Rows on which a back-door estimate is made at most.
_ROWS = 5_000


def implied_independences(case: Case) -> Refuted:
    """What the program's graph says must be independent among the log's columns, tested: see
    `counterlog.identification.independences`.
    """
    name, fit = "implied independences", case.fit
    case.say(name)
    found = [f for f in independences(fit.scm, fit.log, case.rate, rng=case.rng) if f.p_value is not None]
    if not found:
        return skipped(name, "the graph implies no independence among the columns of this log that can be tested")
    worst = min(found, key=lambda f: f.p_value if f.p_value is not None else 1.0)
    rejected = [f for f in found if f.rejected]
    return Refuted(
        name=name,
        status="REVIEW" if rejected else "PASS",
        message=(
            f"{len(rejected)} of {len(found)} independences that the graph implies are contradicted by the log; the "
            f"least probable: {worst.to_text()} (false-alarm rate of all together {case.rate:g})."
        ),
        advice=(
            "The log contradicts the graph: an arrow is missing between these columns, or a common cause of them."
            if rejected
            else ""
        ),
        cannot_see="a missing arrow whose trace the columns do not keep, or any arrow too many",
        rate=case.rate,
        statistic=worst.statistic,
        p_value=worst.p_value,
        original=case.answer.estimate,
        repeats=len(found),
    )


def back_door(case: Case) -> Refuted | tuple[Refuted, ...]:
    """Where columns of the log identify the answer by the back-door: DoWhy's estimate of it, against which the fit's
    is held, and DoWhy's own refuters of that estimate.

    Of two estimates of the same data an efficient one differs from the other by no more than the other's sampling error
    (Hausman 1978, Econometrica 46); the fit's own doubt is added. A difference says that the fit's form is wrong, or
    that its propensities are too small to weigh with.
    """
    name, fit = "back-door estimate", case.fit
    scm, log = fit.scm, fit.log
    if not case.about_everything_shown:
        return skipped(name, f"it asks for the mean {scm.outcome} with everything exposed, which was not asked here")
    if fit.treatment.implied or fit.treatment.sum_exposure:
        return skipped(name, "the log has no rows of what was not exposed")
    found = identify(scm, scm.exposure, scm.outcome, log)
    if isinstance(found, NotIdentified):
        return skipped(name, f"not identified from the columns of the log: {found.because}")
    adjust_for = _set(case, found)
    if adjust_for is None:
        return skipped(name, f"identified by {found.criterion}, not by a set of columns to adjust for")
    case.say(name)
    rows = np.arange(log.rows)
    if log.rows > _ROWS:
        rows = np.sort(_rng.generator(case.rng, name).choice(log.rows, _ROWS, replace=False))
    covariates = _covariates(case, adjust_for, rows)
    if covariates.shape[1] == 0:
        return skipped(name, "there is nothing to adjust for: the naive answer is the back-door estimate")
    exposure, outcome = log.exposure, log.outcome
    if exposure is None or outcome is None:
        return skipped(name, "the log has no exposure or no outcome")
    seen = np.where(exposure[rows] == 1, outcome[rows], 0.0)
    if not np.isfinite(seen).all() or len(np.unique(exposure[rows])) < 2:
        return skipped(name, "an exposed row has no outcome, or all rows are alike in exposure")
    doubts_ = dowhy_bridge.doubts(exposure[rows], seen, covariates, log.user_codes[rows], case.rng)
    against = judged(
        case,
        name,
        [doubts_.estimate],
        case.answer.estimate,
        math.hypot(doubts_.sd, doubt(case.answer)),
        f"DoWhy's estimate, which weighs by propensities given {', '.join(adjust_for) or 'features'}, is",
        "The fit and the back-door estimate disagree. Either the form of the outcome or of exposure in the program is "
        "wrong, or overlap is poor: see the card.",
        "a cause that neither has",
    )
    own = [
        _dowhys(case, "DoWhy placebo treatment", doubts_.placebo, 0.0, "exposure shuffled, the effect is"),
        _dowhys(
            case, "DoWhy random common cause", doubts_.random_cause, doubts_.estimate, "a random cause added, it is"
        ),
        _dowhys(case, "DoWhy data subset", doubts_.subset, doubts_.estimate, "in random halves of the rows it is"),
    ]
    return (against, *own)


def _set(case: Case, found: Identified) -> tuple[str, ...] | None:
    """The columns to adjust for. Where exposure has no effect on the outcome but shows it, those that exposure and
    outcome have in common (the selection back-door, Bareinboim, Tian and Pearl 2014, AAAI).
    """
    if found.criterion in ("back-door", "adjustment"):
        return found.adjust_for
    scm = case.fit.scm
    if found.criterion != "no effect":
        return None
    graph = units(scm)
    near = nx.ancestors(graph, scm.exposure) | nx.ancestors(graph, scm.outcome)
    chosen = sorted((set(found.observed) & near) - {scm.exposure, scm.outcome})
    return tuple(chosen) if selects_not(graph, scm.exposure, (), scm.outcome, chosen) else None


def _dowhys(case: Case, name: str, found: tuple[float, float], expected: float, done: str) -> Refuted:
    """What one of DoWhy's refuters says of DoWhy's estimate."""
    value, p = found
    return Refuted(
        name=name,
        status="REVIEW" if p < case.rate else "PASS",
        message=(
            f"Of DoWhy's back-door estimate: {done} {value:.4g} on average; it should be near {expected:.4g} "
            f"(p = {p:.2g}, false-alarm rate at most {case.rate:g})."
        ),
        advice="The back-door estimate is unstable; trust neither it nor its agreement." if p < case.rate else "",
        cannot_see="anything about the fit: it looks at DoWhy's estimate alone",
        rate=case.rate,
        p_value=p,
        original=case.answer.estimate,
        refuted=value,
        expected=expected,
    )


def _covariates(case: Case, adjust_for: tuple[str, ...], rows: np.ndarray) -> np.ndarray:
    """The columns to adjust for, and the features, which a program takes as given: ``[rows, p]``, none constant."""
    log = case.fit.log
    names = [str(log.roles.position) if name == "position" else name for name in adjust_for]
    names += [name for name in log.roles.context if name not in case.fit.scm.sites()]
    parts = [numbers(log, name, rows) for name in names]
    parts += [log.user_features.values[log.user_codes[rows]], log.item_features.values[log.item_codes[rows]]]
    whole = np.concatenate([np.asarray(part, dtype=np.float64) for part in parts], axis=1)
    filled = np.where(np.isfinite(whole), whole, 0.0)
    return filled[:, np.ptp(filled, axis=0) > 0]
