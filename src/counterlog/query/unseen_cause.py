"""What an unseen cause of exposure and outcome would change: the mean under exposure, with what was seen held fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from counterlog.errors import RefusedError

#: Nodes and weights of a standard normal. The trapezoidal rule converges exponentially for smooth integrands
#: (Trefethen & Weideman 2014, SIAM Review 56): these 27 nodes are exact to 1e-5 up to a strength of 4, where
#: Gauss-Hermite nodes of the same number are not.
NODES = np.linspace(-5.2, 5.2, 27)
WEIGHTS = np.exp(-0.5 * NODES**2) / np.exp(-0.5 * NODES**2).sum()
#: Probabilities of levels and of exposure are kept this far from 0 and 1.
_SMALL = 1e-7
_TOLERANCE = 1e-8


class Laws(Protocol):
    """What a fitted program says of each opportunity, and what an unseen cause would make of it."""

    @property
    def weight(self) -> np.ndarray:
        """The share of each opportunity in the mean ``[n]``, of sum 1."""
        ...

    def corrected(self, a: float, b: float, start: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The mean outcome under exposure of each opportunity ``[n]`` with an unseen cause of strength ``a`` on
        exposure and ``b`` on the outcome, and the solution, from which the next may start.
        """
        ...

    def plain(self) -> np.ndarray:
        """The mean outcome under exposure of each opportunity ``[n]`` without an unseen cause."""
        ...


def change(laws: Laws, a: float, b: float, start: np.ndarray | None = None) -> tuple[float, np.ndarray]:
    """By how much the mean over all opportunities changes, and the solution behind it."""
    each, solution = laws.corrected(a, b, start)
    return float(laws.weight @ (each - laws.plain())), solution


def strength(laws: Laws, shift: float, limit: float, ratio: float = 1.0, step: float = 0.25) -> float | None:
    """The least strength a on exposure, with ``ratio`` times as much on the outcome, at which the mean changes by
    ``shift``; None if there is none up to ``limit`` on both.

    A mean is lowered by a cause that raises both exposure and outcome, and raised by one that raises one and lowers the
    other: the sign of b is chosen so.
    """
    if shift == 0.0:
        return 0.0
    slope, most = -np.sign(shift) * ratio, limit / max(1.0, ratio)
    weak, solution = 0.0, None
    for strong in np.append(np.arange(1, np.ceil(limit / step)) * step * most / limit, most):
        moved, solution = change(laws, strong, slope * strong, solution)
        if abs(moved) >= abs(shift) and moved * shift > 0:
            off = lambda a, begin: change(laws, a, slope * a, begin)[0] - shift  # noqa: E731
            ends = off(weak, solution), off(strong, solution)
            if ends[0] * ends[1] < 0:
                return float(brentq(off, weak, strong, args=(solution,), xtol=1e-3))
            return float(weak if abs(ends[0]) < abs(ends[1]) else strong)  # the answer is an end, up to rounding
        weak = strong
    return None


@dataclass(frozen=True, eq=False)
class Levels:
    """An outcome with K values, a click's two or a rating's, of n opportunities.

    Parameters
    ----------
    probs
        P(outcome = level k | do(exposure = 1)), ``[n, K]``.
    exposure
        Log-odds of exposure at each level of the outcome ``[n, K]``; ``[n, 1]`` where the outcome is no cause of it.
        They are averaged over the unseen cause: their differences between levels stay, on average over it, as fitted.
    values
        The K values in the log's units, ascending.
    weight
        Share of each opportunity in the mean, ``[n]``, of sum 1.
    """

    probs: np.ndarray
    exposure: np.ndarray
    values: np.ndarray
    weight: np.ndarray

    def plain(self) -> np.ndarray:
        """The mean of each opportunity as fitted."""
        mean: np.ndarray = self._probs @ self.values
        return mean

    @property
    def _probs(self) -> np.ndarray:
        kept = np.clip(self.probs, _SMALL, 1.0)
        probs: np.ndarray = kept / kept.sum(1, keepdims=True)
        return probs

    def corrected(self, a: float, b: float, start: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """See `Laws`. With K levels, K shifts keep the K fitted probabilities P(outcome = k, exposure = 1), which is
        all that was seen: one shift of the log-odds of exposure and one of each threshold of the outcome.

        Where Newton's iteration does not arrive it starts again from the solution for half the strength.
        """
        thresholds = logit(np.clip(1.0 - self._probs.cumsum(1)[:, :-1], _SMALL / 2, 1.0 - _SMALL / 2))
        if a == 0.0 or b == 0.0:  # no common cause: the mean stays, only the latent scale of what U acts on changes
            return self.plain(), _nothing(thresholds)
        return self._at(a, b, _nothing(thresholds) if start is None else start, thresholds, 8)

    def _at(
        self, a: float, b: float, start: np.ndarray, thresholds: np.ndarray, halvings: int
    ) -> tuple[np.ndarray, np.ndarray]:
        probs = self._probs
        e = np.clip(self.exposure, logit(_SMALL), -logit(_SMALL))
        seen = np.log(probs) + np.log(expit(e))
        shifts, arrived = _newton(thresholds, _given_cause(e, a), seen, a, b, start)
        if not arrived.all():
            if halvings == 0:
                raise RefusedError(
                    f"no unseen cause of strengths {a:g} and {b:g} was found that keeps what was seen; ask for weaker "
                    "ones, with limit= (--limit)"
                )
            # only the rows that did not arrive are solved again
            rows = ~arrived
            part = Levels(probs[rows], e[rows], self.values, self.weight[rows])
            half = part._at(a / 2, b / 2, _nothing(thresholds[rows]), thresholds[rows], halvings - 1)[1]
            shifts[rows] = part._at(a, b, half, thresholds[rows], halvings - 1)[1]
        above = expit((thresholds + shifts[:, 1:])[:, :, None] + b * NODES) @ WEIGHTS
        return self.values[0] + above @ np.diff(self.values), shifts


def _given_cause(log_odds: np.ndarray, a: float) -> np.ndarray:
    """The log-odds at u = 0 of an exposure whose probability, averaged over an independent cause of strength a, is that
    of ``log_odds``.

    So what the program says of exposure is what it says on average over the unseen cause, and a cause of exposure
    alone (b = 0) changes nothing, also where the outcome acts on exposure.
    """
    x = np.linspace(1.6 * logit(_SMALL) - 3.0 * a, -1.6 * logit(_SMALL) + 3.0 * a, 4001)
    averaged: np.ndarray = np.interp(log_odds, logit(expit(x[:, None] + a * NODES) @ WEIGHTS), x)
    return averaged


def _nothing(thresholds: np.ndarray) -> np.ndarray:
    return np.zeros((len(thresholds), thresholds.shape[1] + 1))


def _newton(
    thresholds: np.ndarray,
    exposure: np.ndarray,
    seen: np.ndarray,
    a: float,
    b: float,
    start: np.ndarray,
    most: int = 25,
) -> tuple[np.ndarray, np.ndarray]:
    """Shifts ``[n, K]`` (of exposure, then of each threshold) at which log P(outcome = k, exposure = 1) is ``seen``,
    and where that was reached.
    """
    n, k = seen.shape
    x = start.copy()
    todo = np.arange(n)
    arrived = np.zeros(n, bool)
    for _ in range(most):
        alpha, cuts = x[todo, :1], thresholds[todo] + x[todo, 1:]
        above = expit(cuts[:, :, None] + b * NODES)  # [n, K - 1, Q]
        shown = expit((exposure[todo] + alpha)[:, :, None] + a * NODES)  # [n, K or 1, Q]
        wide = np.concatenate([np.ones((len(todo), 1, len(NODES))), above, np.zeros((len(todo), 1, len(NODES)))], 1)
        level = np.maximum(wide[:, :-1] - wide[:, 1:], 1e-300)  # P(outcome = k | u)
        mass = np.maximum((level * shown) @ WEIGHTS, 1e-300)
        short = np.log(mass) - seen[todo]
        fine = np.abs(short).max(1) < _TOLERANCE
        arrived[todo[fine]] = True
        if fine.all():
            break
        slope = above * (1.0 - above)
        jacobian = np.zeros((len(todo), k, k))
        jacobian[:, :, 0] = (level * shown * (1.0 - shown)) @ WEIGHTS
        index = np.arange(k - 1)
        jacobian[:, index + 1, index + 1] = (slope * (shown[:, 1:] if shown.shape[1] > 1 else shown)) @ WEIGHTS
        jacobian[:, index, index + 1] = -((slope * (shown[:, :-1] if shown.shape[1] > 1 else shown)) @ WEIGHTS)
        keep = ~fine
        jacobian = jacobian[keep] / mass[keep][:, :, None]
        try:
            step = np.linalg.solve(jacobian, short[keep][:, :, None])[:, :, 0]
        except np.linalg.LinAlgError:
            break
        todo, cuts = todo[keep], cuts[keep]
        usable = np.isfinite(step).all(1)
        todo, cuts, step = todo[usable], cuts[usable], step[usable]
        if not len(todo):
            break
        size = np.minimum(1.0, 2.0 / np.maximum(np.abs(step).max(1), 1e-300))
        if k > 2:  # thresholds stay in order
            gap, closing = cuts[:, :-1] - cuts[:, 1:], step[:, 1:-1] - step[:, 2:]
            room = np.where(closing > 0, 0.8 * gap / np.maximum(closing, 1e-300), np.inf).min(1)
            size = np.minimum(size, room)
        x[todo] -= size[:, None] * step
    return x, arrived


@dataclass(frozen=True, eq=False)
class Magnitudes:
    """An outcome without a largest value: a count or a positive real (``link`` "log"), or any real ("identity").

    Parameters
    ----------
    mean
        E[outcome | do(exposure = 1)] of each opportunity, ``[n]``.
    exposure
        Log-odds of exposure, ``[n]``.
    unit
        What a strength of 1 is on the linear predictor, ``[n]``: 1 for the log link; for the identity the standard
        deviation of the outcome given its causes.
    weight
        Share of each opportunity in the mean, ``[n]``, of sum 1.
    link
        ``"log"`` or ``"identity"``.
    """

    mean: np.ndarray
    exposure: np.ndarray
    unit: np.ndarray
    weight: np.ndarray
    link: str

    def plain(self) -> np.ndarray:
        """The mean of each opportunity as fitted."""
        return self.mean

    def corrected(self, a: float, b: float, start: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """See `Laws`: P(exposure = 1) and E[outcome | exposure = 1] are kept; all in closed form."""
        e = np.clip(self.exposure, logit(_SMALL), -logit(_SMALL))
        given = _given_cause(e, a)
        nothing = np.zeros((len(e), 0))
        if self.link == "identity":
            tilt = (expit(given[:, None] + a * NODES) @ (WEIGHTS * NODES)) / expit(e)  # E[u | exposure = 1]
            return self.mean - b * self.unit * tilt, nothing
        # the integral of exp(b u) against the normal is a shift of it by b
        return self.mean * expit(e) / (expit((given + a * b)[:, None] + a * NODES) @ WEIGHTS), nothing
