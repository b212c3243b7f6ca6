"""Counterfactual answers event by event, over posterior draws, with memory bounded by the events of one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from counterlog import rng as _rng
from counterlog.inference.population import PIECE, Piece, Population, coded, local, pieces
from counterlog.query import intervals
from counterlog.query.abduction import Factual, Observed, below, expect, factual, sample

if TYPE_CHECKING:
    from counterlog.inference import Fit
    from counterlog.model.interventions import Intervention
    from counterlog.query.evidence import Events

Tick = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Units:
    """Answers for some events, float32 ``[n]`` each, outcomes in the log's own units.

    ``value`` is the outcome of the other world in one draw of latents and noise, ``chance`` the posterior probability
    of just that value (NaN for a continuous outcome), ``mean`` the expected outcome given what was observed (for a
    choice, whose values have no order, ``chance`` again) with its ``low`` and ``high``, ``bound_low`` and
    ``bound_high`` what other couplings of the two worlds would allow (NaN where they leave it open). ``sites`` are the
    other world's values of the sites that were acted on or moved; ``propensity`` is P(exposure = 1) in this world.
    ``totals`` is the sum of ``mean`` over the events in each draw, ``absent`` that of the probability that an event was
    not exposed, given what was observed of it.
    """

    value: np.ndarray
    chance: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    bound_low: np.ndarray
    bound_high: np.ndarray
    sites: Mapping[str, np.ndarray]
    propensity: np.ndarray
    totals: np.ndarray
    absent: np.ndarray


class _Sums:
    """Running sums over draws of some events."""

    def __init__(self, n: int) -> None:
        self.first = np.zeros(n, np.float32)
        # Deviations from the first draw: their squares keep their digits where a probability hardly varies.
        self.off, self.square = np.zeros(n, np.float32), np.zeros(n, np.float32)
        self.chance, self.bound_low, self.bound_high = (np.zeros(n, np.float32) for _ in range(3))

    def add(self, where: slice, first: bool, mean: Tensor, chance: Tensor | None, low: Any, high: Any) -> None:
        if first:
            self.first[where] = mean.numpy()
        else:
            off = mean.numpy() - self.first[where]
            self.off[where] += off
            self.square[where] += off * off
        for total, part in ((self.chance, chance), (self.bound_low, low), (self.bound_high, high)):
            total[where] += np.nan if part is None else part.numpy()


@dataclass(frozen=True)
class Noise:
    """Uniforms by site for some events and a draw, the same for every intervention: worlds share their noise."""

    seed: int
    draw: int
    start: int

    def __call__(self, name: str, shape: torch.Size) -> Tensor:
        """Uniforms in [0, 1) of a shape."""
        stream = torch.Generator().manual_seed(_rng.derive(self.seed, "noise", self.draw, self.start, name))
        return torch.rand(shape, generator=stream)


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked of every event: of which fit, of which log, what is done, with how many posterior draws."""

    fit: Fit
    events: Events
    do: Intervention
    draws: int
    seed: int

    @cached_property
    def action(self) -> Intervention:
        """What is done, in the program's own numbers."""
        return coded(self.fit, self.do)


def answer(question: Question, first: int, last: int, tick: Tick | None = None) -> Units:
    """Answers for the events ``first .. last``; ``tick`` hears of every event of every draw."""
    fit, events = question.fit, question.events
    whole = events.where.take(slice(first, last))
    n = last - first
    sums = _Sums(n)
    value, propensity = np.zeros(n, np.float32), np.zeros(n, np.float32)
    sites: dict[str, np.ndarray] = {}
    totals, absent = np.zeros(question.draws), np.zeros(question.draws)
    parts = list(pieces(fit.cells, whole, PIECE))
    for number in range(question.draws):
        draw = fit.draw(_rng.derive(question.seed, "worlds"), number)
        for piece in parts:
            where = slice(piece.start, piece.start + len(piece.part))
            noise = Noise(question.seed, number, first + piece.start)
            seen = events.observed(fit, slice(first + where.start, first + where.stop), piece.view.rows.context)
            latents = draw.values(piece.users, piece.items)
            fact: Factual | None = None
            if number == 0:
                fact = _once(question, piece, latents, seen, noise, value[where], propensity[where], sites, where, n)
            world = factual(fit.scm, piece.view, latents, seen) if fact is None else fact
            mean, low, high, chance = _expected(question, piece, noise, value[where], world)
            absent[number] += _absent(fit, world)
            sums.add(where, number == 0, mean, chance, low, high)
            totals[number] += float(mean.sum(dtype=torch.float64))
            if tick is not None:
                tick(len(piece.part))
    return _units(question, sums, value, propensity, sites, (totals, absent))


def mechanisms(question: Question) -> Mapping[str, Any]:
    """The distribution of each site of an opportunity in one draw of the world that was, for a few events."""
    fit, events = question.fit, question.events
    piece = next(pieces(fit.cells, events.where.take(slice(0, 20)), PIECE))
    seen = events.observed(fit, slice(0, len(piece.part)), piece.view.rows.context)
    latents = fit.draw(_rng.derive(question.seed, "worlds"), 0).values(piece.users, piece.items)
    return factual(fit.scm, piece.view, latents, seen).fns


def _once(
    question: Question,
    piece: Piece,
    latents: Mapping[str, Tensor],
    seen: Observed,
    noise: Noise,
    value: np.ndarray,
    propensity: np.ndarray,
    sites: dict[str, np.ndarray],
    where: slice,
    n: int,
) -> Factual | None:
    """One draw of the other world, written where it belongs; this world, if every site of it was seen."""
    fit, scm = question.fit, question.fit.scm
    do = local(fit, question.action, piece)
    fact, other = sample(scm, piece.view, latents, seen, do, noise, partial(_frame, question, piece.part))
    value[:] = _units_of(fit, other[scm.outcome].numpy())
    propensity[:] = fact.fns[scm.exposure].mean.numpy()
    for name in _reported(fit, do):
        if name not in sites:
            sites[name] = np.zeros(n, other[name].numpy().dtype)
        sites[name][where] = other[name].numpy()
    return fact if not seen.unseen and seen.known is None else None


def _expected(
    question: Question, piece: Piece, noise: Noise, value: np.ndarray, world: Factual
) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
    fit, scm = question.fit, question.fit.scm
    at = torch.from_numpy(_index_of(fit, value))
    do, rows = local(fit, question.action, piece), partial(_frame, question, piece.part)
    found = expect(scm, piece.view, world, do, fit.cells.levels, at, noise, rows)
    size = (len(piece.part),)
    wide = lambda x: None if x is None else x.expand(size)  # noqa: E731
    mean = found.mean if found.mean is not None else found.chance
    assert mean is not None  # a continuous outcome has a mean, a choice a probability
    return mean.expand(size), wide(found.low), wide(found.high), wide(found.chance)


def _units(
    question: Question,
    sums: _Sums,
    value: np.ndarray,
    propensity: np.ndarray,
    sites: Mapping[str, np.ndarray],
    by_draw: tuple[np.ndarray, np.ndarray],
) -> Units:
    fit, draws = question.fit, question.draws
    off = sums.off / draws
    mean = sums.first + off
    sd = np.sqrt(np.maximum(sums.square / draws - off * off, 0.0) * (draws / max(1, draws - 1)))
    least, most = intervals.support(fit, fit.scm.outcome)
    factor = intervals.widening(fit).unit
    low, high = intervals.spread(mean, factor * sd, least, most)
    chance, bound_low, bound_high = (x / np.float32(draws) for x in (sums.chance, sums.bound_low, sums.bound_high))
    low, high = low.astype(np.float32), high.astype(np.float32)
    return Units(value, chance, mean, low, high, bound_low, bound_high, sites, propensity, *by_draw)


def _absent(fit: Fit, world: Factual) -> float:
    """The expected number of these events that were not exposed."""
    exposure = world.values[fit.scm.exposure]
    if world.weight is None or exposure.dim() == 1:
        return float((exposure == 0).sum())
    return float((world.weight * (exposure == 0)).sum(dtype=torch.float64))


def _reported(fit: Fit, do: Intervention) -> list[str]:
    """Logged sites of an opportunity that are acted on or moved, without the outcome."""
    logged = {fit.scm.exposure, *fit.cells.columns}
    places = fit.scm.sites()
    changed = (do.sites() | below(fit.scm, do)) - {fit.scm.outcome}
    return [n for n, s in places.items() if s.plate == "opportunities" and n in changed & logged]


def _units_of(fit: Fit, value: np.ndarray) -> np.ndarray:
    return np.asarray(fit.cells.levels)[value.astype(np.int64)] if fit.cells.levels else value


def _index_of(fit: Fit, value: np.ndarray) -> np.ndarray:
    if not fit.cells.levels:
        return value
    return np.searchsorted(np.asarray(fit.cells.levels), value.astype(np.float64)).astype(np.float32)


def _frame(question: Question, part: Population) -> Any:
    """The events as a pandas frame of ``user``, ``item`` and context as the log has them, for a policy to read."""
    import pyarrow as pa

    log = question.events.log
    rows = pa.array(part.rows)
    names = {"user": log.roles.user, "item": log.roles.item, **{name: name for name in log.roles.context}}
    frame = pa.table({name: log.table[column].combine_chunks().take(rows) for name, column in names.items()})
    return frame.to_pandas()
