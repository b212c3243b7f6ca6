"""Was it the exposure, or another cause? Probabilities of necessity and of sufficiency."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from counterlog.errors import InputError, RefusedError
from counterlog.model.interventions import fix
from counterlog.query import intervals
from counterlog.query.card import Card, card
from counterlog.query.evidence import Events, events
from counterlog.query.unitwise import Question, Units, answer

if TYPE_CHECKING:
    from counterlog.inference import Fit
    from counterlog.logs import InteractionLog
    from counterlog.model.interventions import Intervention

#: Events whose answers are worked out together.
SPAN = 1_000_000


@dataclass(frozen=True)
class Share:
    """A probability of causation over ``rows`` events: under monotonicity with a 90% interval, and its bounds without
    it.

    ``rows`` is the number of events that it speaks of (expected, where exposure is latent).
    """

    value: float
    interval: tuple[float, float]
    bounds: tuple[float, float]
    rows: float

    def to_json(self) -> dict[str, Any]:
        """The answer as data."""
        return {"value": self.value, "interval": list(self.interval), "bounds": list(self.bounds), "rows": self.rows}

    def __str__(self) -> str:
        (low, high), (least, most) = self.interval, self.bounds
        return (
            f"{self.value:.3g} [{low:.3g}, {high:.3g}] over {self.rows:,.0f} events; without monotonicity between "
            f"{least:.3g} and {most:.3g}"
        )


@dataclass(frozen=True)
class Causation:
    """How often a cause was what made the difference.

    ``necessity``: of the events with the cause and the outcome, how many would not have had the outcome without the
    cause. ``sufficiency``: of the events with neither, how many would have had the outcome with the cause. None where
    the log has no such event.
    """

    necessity: Share | None
    sufficiency: Share | None
    level: float
    card: Card

    def to_json(self) -> dict[str, Any]:
        """The answer as data."""
        shares = {"necessity": self.necessity, "sufficiency": self.sufficiency}
        said = {name: None if share is None else share.to_json() for name, share in shares.items()}
        return {**said, "level": self.level, "card": self.card.to_json()}

    def __str__(self) -> str:
        said = [
            f"probability of {name}: {'no such event' if share is None else share}"
            for name, share in (("necessity", self.necessity), ("sufficiency", self.sufficiency))
        ]
        return "\n".join([*said, self.card.to_text()])


def causation(
    fit: Fit,
    log: InteractionLog,
    cause: str | None = None,
    *,
    present: float = 1,
    absent: float = 0,
    draws: int = 50,
    rng: int = 0,
) -> Causation:
    """Probability of necessity and of sufficiency of a cause for a click (Pearl 2009, 9.2; Tian and Pearl 2000).

    Necessity is P(no click had the cause been ``absent`` | ``present``, clicked), sufficiency P(click had it been
    ``present`` | ``absent``, not clicked), each averaged over such events of the log. The value assumes monotonicity
    given the latents: the cause prevents no click, or makes none. The bounds do not.

    Parameters
    ----------
    cause
        A logged site of an opportunity; the exposure by default.
    present, absent
        The two values that are compared, such as 1 and 5 for a position.
    draws
        Posterior draws, at least 10.

    Raises
    ------
    RefusedError
        The outcome is no click, or the log does not show the cause.
    UnknownNameError
        The program has no such site.
    """
    scm = fit.scm
    site = scm.exposure if cause is None else cause
    if fit.log.roles.outcome_kind != "click":
        raise RefusedError(
            f"necessity and sufficiency are about an outcome that happens or not; {scm.outcome} is a "
            f"{fit.log.roles.outcome_kind}: ask counterfactual, with each value of the cause"
        )
    if draws < 10:
        raise InputError(f"an interval needs at least 10 draws; given {draws}")
    if float(present) == float(absent):
        raise InputError(f"present and absent are both {present:g}; give two values of {site}")
    without, having = fix(**{site: absent}), fix(**{site: present})
    without.check(scm)
    found = events(fit, log)
    if site == scm.outcome or (site != scm.exposure and site not in found.where.columns):
        shown = ", ".join([scm.exposure, *(n for n in found.where.columns if n in scm.sites())])
        raise RefusedError(f"the log does not show {site!r} event by event; causes that it shows: {shown}")
    had, lacked = _values(found, site, scm.exposure, present, absent)
    clicked = found.outcome > 0
    necessity = _share(fit, found.take(np.flatnonzero(had & clicked)), without, site, draws, rng)
    sufficiency = _share(fit, found.take(np.flatnonzero(lacked & ~clicked)), having, site, draws, rng)
    said = card(
        fit,
        without,
        scm.outcome,
        f"events of {log.name}",
        {},
        intervals.method(intervals.widening(fit), draws),
        rung="L3",
        extra=(f"monotone given the latents: {site} prevents no {scm.outcome}, or makes none; the bounds do without",),
    )
    one, other = f"{site}={present:g}", f"{site}={absent:g}"
    whole = f"P(no {scm.outcome} under do({other}) | {one}, {scm.outcome})"
    half = f"P({scm.outcome} under do({one}) | {other}, no {scm.outcome})"
    return Causation(necessity, sufficiency, intervals.LEVEL, replace(said, estimand=f"{whole}; {half}"))


def _values(found: Events, site: str, exposure: str, present: float, absent: float) -> tuple[np.ndarray, np.ndarray]:
    """Events that had the cause, and those that may have lacked it (where exposure is latent all may)."""
    if site != exposure:
        values = np.asarray(found.where.columns[site], dtype=np.float64)
    elif found.exposure is not None:
        values = found.exposure.astype(np.float64)
    else:
        return np.full(len(found), present == 1), np.full(len(found), absent == 0)
    return values == present, values == absent


def _share(fit: Fit, chosen: Events, do: Intervention, site: str, draws: int, rng: int) -> Share | None:
    if len(chosen) == 0:
        return None
    question = Question(fit, chosen, do, draws, rng)
    parts: list[Units] = [
        answer(question, first, min(first + SPAN, len(chosen))) for first in range(0, len(chosen), SPAN)
    ]
    clicked = bool(chosen.outcome[0] > 0)  # then it is asked how many would have been without
    latent = site == fit.scm.exposure and chosen.exposure is None
    rows = np.full(draws, float(len(chosen)))
    if latent and not clicked:  # of those that probably were not exposed; one that was, and did not click, would not
        rows = np.asarray(sum(p.absent for p in parts))
    each = np.asarray(sum(p.totals for p in parts)) / rows
    least, most = (
        sum(float(getattr(p, name).sum(dtype=np.float64)) for p in parts) / float(rows.mean())
        for name in ("bound_low", "bound_high")
    )
    if clicked:
        each, least, most = 1.0 - each, 1.0 - most, 1.0 - least
    low, high = np.clip(intervals.widened(each, intervals.widening(fit).whole), 0.0, 1.0)
    bounds = (float(np.clip(least, 0.0, 1.0)), float(np.clip(most, 0.0, 1.0)))
    return Share(float(each.mean()), (float(low), float(high)), bounds, float(rows.mean()))
