"""How far the log's own mean is from the mean that a fit gives if everything were shown to everyone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from counterlog.auditing.finding import Finding, Status, number
from counterlog.logs.log import InteractionLog


@dataclass(frozen=True)
class CorrectionThresholds:
    """When the naive mean is too far off, in standard deviations of the logged outcome: a twentieth is worth a look, a
    fifth (small
    in Cohen's words, but large against the effects that recommenders are tuned for) makes the naive mean useless. Only
    if the interval of the difference leaves out 0.
    """

    review_change: float = 0.05
    fail_change: float = 0.2


def corrected_mean(fit: Any, rng: int = 0) -> Any:
    """The mean outcome under exposure=1, as `counterlog.effect` answers it."""
    from counterlog.query import effect, fix

    return effect(fit, on=fit.scm.outcome, do=fix(**{fit.scm.exposure: 1}), rng=rng)


def check_correction(log: InteractionLog, answer: Any, thresholds: CorrectionThresholds) -> Finding:
    """The naive mean against the corrected one.

    Parameters
    ----------
    log
        The log, for the scale of its outcome.
    answer
        What `corrected_mean` returns: ``estimate``, ``interval``, ``level``, ``naive`` (a number) and ``card``.
    thresholds
        See there.
    """
    naive, estimate = float(answer.naive), float(answer.estimate)
    low, high = (float(x) for x in answer.interval)
    outcome = log.outcome if log.outcome is not None else np.empty(0)
    known = outcome[np.isfinite(outcome)]
    sd = float(known.std()) if len(known) else 0.0
    # Clicks alone have no spread; a binary outcome with the corrected mean has this one.
    scale = sd or float(np.sqrt(abs(estimate * (1 - estimate)))) or 1.0
    difference = naive - estimate
    interval = (naive - high, naive - low)
    relative = abs(difference) / scale
    status: Status = "PASS"
    if not interval[0] <= 0 <= interval[1]:
        if relative >= thresholds.fail_change:
            status = "FAIL"
        elif relative >= thresholds.review_change:
            status = "REVIEW"
    card = answer.card.to_json()
    return Finding(
        name="naive_vs_corrected",
        quantity="naive less corrected mean outcome",
        status=status,
        value=difference,
        interval=interval,
        message=(
            f"The log's own mean is {number(naive)}, the fit's mean under exposure=1 is {number(estimate)}: a "
            f"difference of {number(difference)} ({answer.level:.0%} interval {number(interval[0])} to "
            f"{number(interval[1])}, from the fit, the log's mean taken as given)."
        ),
        advice=(
            "No evidence that the naive mean misleads, as far as the model's assumptions go."
            if status == "PASS"
            else "Report the corrected mean with its interval and its assumptions, and check it against a randomised "
            "part if there is one."
        ),
        details={
            "naive": naive,
            "corrected": estimate,
            "corrected_interval": [low, high],
            "level": answer.level,
            "change_in_sd": relative,
            "identified": card.get("identified"),
            "assumptions": card.get("assumptions"),
        },
        sees="Selection that the fitted model can express.",
        cannot_see="Whether the model is right: a cause that it leaves out moves both numbers without a trace. Read "
        "the card.",
    )
