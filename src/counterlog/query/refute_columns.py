"""Refuters that need no fit: they look at the log's columns alone."""

from __future__ import annotations

from counterlog.identification import independences
from counterlog.query.refit import Case, skipped
from counterlog.query.refutation import Refuted


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


def back_door(case: Case) -> tuple[Refuted, ...]:
    """DoWhy's own refuters."""
    return ()
