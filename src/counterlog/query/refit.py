"""What refuters share: the question, the test, and fits of changed logs with the fit's own options."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from counterlog import rng as _rng
from counterlog.inference.cells import decide
from counterlog.inference.fit import fit as fit_
from counterlog.query import intervals
from counterlog.query.effect import Effect, effect
from counterlog.query.refutation import Refuted

if TYPE_CHECKING:
    from counterlog.inference import Fit
    from counterlog.logs import InteractionLog
    from counterlog.model import SCM
    from counterlog.model.interventions import Intervention

#: Posterior draws of each answer.
DRAWS = 50


@dataclass(frozen=True, eq=False)
class Case:
    """An answer that refuters try to refute.

    Parameters
    ----------
    fit, on, do, answer
        The fit, the question and its answer.
    repeats
        How often a refuter fits again.
    rng
        Seed.
    rate
        False-alarm rate of each test.
    say
        Called with a line before each piece of work.
    """

    fit: Fit
    on: str
    do: Intervention
    answer: Effect
    repeats: int
    rng: int
    rate: float
    say: Callable[[str], None]

    @property
    def about_everything_shown(self) -> bool:
        """Whether the question is the mean outcome with everything exposed."""
        from counterlog.query.sensitivity_sentence import shows_everything

        return self.on == self.fit.scm.outcome and shows_everything(self.fit, self.do)

    def again(self, name: str, index: int, log: InteractionLog, scm: SCM | None = None, times: int = 1) -> Fit:
        """Fit a program (the fit's own) to another log with the options of the fit, ``times`` as many steps."""
        self.say(f"{name}: fit {index + 1}")
        scm = self.fit.scm if scm is None else scm
        told = self.fit.options
        return fit_(
            scm,
            log,
            rng=_rng.derive(self.rng, "refute", name, index),
            steps=int(told["steps"]) * times,
            batch=told["batch"],
            unexposed=told["unexposed"] if decide(scm, log).implied else None,
            restarts=told["restarts"],
            lr=told["lr"],
            device=told["device"],
        )

    def ask(self, fit: Fit, by: str | None = None) -> Effect:
        """The same question of another fit."""
        return effect(fit, self.on, self.do, by=by, rng=self.rng, draws=DRAWS)


def spread(fit: Fit, answer: Effect) -> float:
    """Standard deviation of an answer over the posterior, widened as its interval is."""
    return intervals.widening(fit).whole * doubt(answer)


def doubt(answer: Effect) -> float:
    """Standard deviation of an answer over the posterior as it is."""
    return float(np.std(answer.draws, ddof=1))


def judged(
    case: Case,
    name: str,
    got: Sequence[float],
    expected: float,
    tolerance: float,
    done: str,
    advice: str,
    cannot_see: str,
) -> Refuted:
    """A two-sided t-test of the mean of ``got`` against ``expected``.

    Its variance is that of the mean of the repeats plus ``tolerance`` squared, which is known; degrees of freedom after
    Welch and Satterthwaite.
    """
    from scipy.stats import t as student

    refuted, n = float(np.mean(got)), len(got)
    sampling = float(np.var(got, ddof=1)) / n if n > 1 else 0.0
    sd = math.sqrt(sampling + tolerance**2)
    freedom = (sampling + tolerance**2) ** 2 / (sampling**2 / (n - 1)) if sampling > 0 else math.inf
    score = 0.0 if refuted == expected else (refuted - expected) / sd if sd > 0 else math.inf
    p = float(2.0 * student.sf(abs(score), freedom))
    away = float(student.isf(case.rate / 2.0, freedom)) * sd
    review = p < case.rate
    return Refuted(
        name=name,
        status="REVIEW" if review else "PASS",
        message=(
            f"{done} {refuted:.4g}; it should be {expected:.4g}, give or take {away:.2g} (t = {score:.2f}, "
            f"p = {p:.2g}, false-alarm rate {case.rate:g}{f', {n} fits' if n > 1 else ''})."
        ),
        advice=advice if review else "",
        cannot_see=cannot_see,
        rate=case.rate,
        statistic=score,
        p_value=p,
        original=case.answer.estimate,
        refuted=refuted,
        expected=expected,
        interval=(expected - away, expected + away),
        repeats=n,
    )


def skipped(name: str, why: str) -> Refuted:
    """A refuter that could not be asked."""
    return Refuted(name, "SKIPPED", why)


def known_rows(fit: Fit) -> np.ndarray:
    """Rows of the log whose outcome is known: int64, ascending."""
    return np.sort(fit.cells.order[fit.cells.known])


def with_columns(log: InteractionLog, rows: np.ndarray, **columns: pa.Array) -> InteractionLog:
    """Some rows of a log, with some columns put in place of those of their names, users and items as they are."""
    table = log.table.take(pa.array(rows))
    for name, values in columns.items():
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, values)
        else:
            table = table.append_column(name, values)
    return dataclasses.replace(log, table=table)
