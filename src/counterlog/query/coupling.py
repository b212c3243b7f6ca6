"""One outcome in two worlds that share its exogenous noise: what the other world's outcome was, given this one's.

Each family has its coupling. Ordered outcomes (clicks, ratings, counts) share one uniform that both worlds push through
their own quantile function, so that what raises the outcome's distribution lowers nobody's outcome (rank
preservation, which for a click is the monotonicity of Pearl 2009, 9.2). Unordered choices share a Gumbel for each
alternative (Oberst and Sontag 2019, ICML). Positive reals and reals keep their quantile. No data can tell one coupling
from another: `Coupled` has beside each answer what any of them could give (Frechet 1951).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from counterlog.errors import RefusedError
from counterlog.model.mechanisms import Hurdle, OrdinalRating, Positions, SlateChoice
from counterlog.query.choices import choice_chance, race

#: Counts are followed until what lies above has less probability than this; bounds end there too.
REST = 1e-9
#: A count beyond this is refused: its distribution has no end in sight.
MOST = 20_000


@dataclass(frozen=True, eq=False)
class Coupled:
    """The other world's outcome given this world's, each ``[..., n]``.

    ``value`` is the outcome under the noise that was drawn (None if none was); ``mean`` its expectation given what was
    observed, in the outcome's own units (None for a choice, whose values have no order); ``chance`` the probability of
    ``value`` (or of the value asked for), None for a continuous outcome; ``low`` and ``high`` the sharp bounds of
    ``mean`` (for a choice of ``chance``) over all couplings, None where a continuous outcome leaves it open.
    """

    value: Tensor | None
    mean: Tensor | None
    chance: Tensor | None
    low: Tensor | None
    high: Tensor | None


def couple(
    fn: Any,
    value: Tensor,
    other: Any,
    known: Tensor | None = None,
    units: Sequence[float] = (),
    noise: Tensor | None = None,
    at: Tensor | None = None,
) -> Coupled:
    """The outcome under ``other`` given that it was ``value`` under ``fn``.

    Parameters
    ----------
    fn, other
        The mechanism of this world and of the other, of one family, batch shape ``[..., n]``.
    value
        What was observed: levels as indices.
    known
        Where something was observed, bool ``[n]``; elsewhere the noise is free. None for everywhere.
    units
        Values of the levels; by default their indices.
    noise
        Uniforms in [0, 1), ``[n]`` (for a choice ``[n, K + 1]``): draws ``value``.
    at
        Values whose probability is wanted, ``[n]``, where no noise is drawn.

    Raises
    ------
    RefusedError
        The two mechanisms are of different families, or of one that has no coupling here.
    """
    fn, other = plain(fn), plain(other)
    if isinstance(fn, SlateChoice) or isinstance(other, SlateChoice):
        raise RefusedError("a choice from a slate has one noise for all its rows; they cannot be coupled row by row")
    if isinstance(fn, Hurdle) and isinstance(other, Hurdle):
        return _behind_a_hurdle(fn, value, other, known, noise)
    if isinstance(fn, torch.distributions.Bernoulli) and isinstance(other, torch.distributions.Bernoulli):
        if not units or tuple(units) == (0.0, 1.0):
            return _coin(fn.probs, value, other.probs, known, noise, at)
    if is_choice(fn) and is_choice(other):
        return _choice(fn, value, other, known, noise, at)
    if is_ordered(fn) and is_ordered(other):
        return _ordered(fn, value, other, known, units, noise, at)
    if is_ordered(fn) or is_ordered(other) or is_choice(fn) or is_choice(other):
        raise RefusedError(
            f"a {type(fn).__name__} in this world and a {type(other).__name__} in the other share no noise; keep the "
            "kind of the outcome"
        )
    return _continuous(fn, value, other, known, noise)


def plain(fn: Any) -> Any:
    """A distribution without the wrappers that only move dimensions or mask."""
    while type(fn).__name__ in ("Independent", "MaskedDistribution", "ExpandedDistribution"):
        fn = fn.base_dist
    return fn


def is_choice(fn: Any) -> bool:
    """Whether the values have no order: a choice among alternatives, or a rank drawn as one."""
    return isinstance(fn, torch.distributions.Categorical | Positions)


def is_ordered(fn: Any) -> bool:
    """Whether the values are counted: 0/1, levels, counts."""
    return not is_choice(fn) and bool(getattr(fn.support, "is_discrete", False))


def assumption(name: str, fn: Any) -> str:
    """The sentence about the noise that the two worlds share at a site."""
    fn = plain(fn)
    if is_choice(fn):
        return f"{name}: both worlds share one Gumbel noise for each alternative (no data can tell; bounds beside)"
    if isinstance(fn, Hurdle):
        return (
            f"{name}: an event keeps the quantile of its amount in both worlds; where this world had none, the other's "
            "is a fresh draw (rank preservation; no data can tell)"
        )
    if is_ordered(fn):
        return (
            f"{name}: both worlds share one uniform noise, so that whatever raises its distribution lowers no event's "
            f"own {name} (monotone; no data can tell; bounds beside)"
        )
    return f"{name}: an event keeps its quantile in both worlds (rank preservation; no data can tell)"


Survival = Callable[[int], Tensor]


def _survival(fn: Any) -> tuple[Survival, int | None]:
    """P(Y > k) as a function of k, to be asked for k = 0, 1, ... in turn, and the number of thresholds."""
    if isinstance(fn, torch.distributions.Bernoulli):
        return lambda _: fn.probs, 1
    if isinstance(fn, OrdinalRating):
        return lambda k: torch.sigmoid(fn.affinity - fn.cutpoints[..., k]), fn.n_levels - 1
    exact, above = _in_double(fn), torch.ones((), dtype=torch.float64)

    def next_above(k: int) -> Tensor:
        nonlocal above
        at_k = exact.log_prob(torch.tensor(float(k), dtype=torch.float64)).exp()
        above = (above - torch.nan_to_num(at_k)).clamp(min=0.0)
        return above

    return next_above, None


def _coin(
    p: Tensor, value: Tensor, q: Tensor, known: Tensor | None, noise: Tensor | None, at: Tensor | None
) -> Coupled:
    """`_ordered` for two values, in a third of its operations: yes with probability ``p`` here and ``q`` there.

    The noise of a yes lies in [0, p), that of a no in [p, 1). The point answer is one of the two bounds: what was a yes
    stays one as often as it can, what was a no becomes one as rarely as it can.
    """
    y = value
    if known is not None:  # nothing seen: a no that was certain says nothing about the noise
        there = known.to(p.dtype)
        p, y = p * there, y * there
    mass = (1.0 - y - p).abs()
    mean = ((q - (1.0 - y) * p) / mass).clamp(0.0, 1.0)
    away = (y - ((q - y).abs() / mass).clamp(max=1.0)).abs()
    if bool((mass == 0.0).any()):  # an outcome that could not be: it stays where the other world is as sure
        mean = torch.where(torch.isnan(mean), y, mean)
        away = torch.where(torch.isnan(away), mean, away)
    same = p == q if known is None else (p == q) & known
    away = torch.where(same, mean, away)
    drawn = None if noise is None else (noise < mean).to(p.dtype)
    wanted = at if drawn is None else drawn
    chance = None if wanted is None else (1.0 - wanted - mean).abs()
    if at is not None and chance is not None and not _within(at):
        chance = torch.where((at == 0) | (at == 1), chance, torch.zeros(()))
    return Coupled(drawn, mean, chance, torch.minimum(mean, away), torch.maximum(mean, away))


def _within(at: Tensor) -> bool:
    """Whether all values asked for lie between the two that a coin has."""
    least, most = torch.aminmax(at)
    return bool(least >= 0) and bool(most <= 1)


def _in_double(fn: Any) -> Any:
    """The same distribution in double precision: what lies above a count is one minus a long sum."""
    given = {name: fn.__dict__[name] for name in fn.arg_constraints if name in fn.__dict__}
    try:
        return type(fn)(**{name: torch.as_tensor(x).double() for name, x in given.items()}, validate_args=False)
    except TypeError:  # a class of the user's own that takes other arguments than it declares
        return fn


def _ordered(
    fn: Any,
    value: Tensor,
    other: Any,
    known: Tensor | None,
    units: Sequence[float],
    noise: Tensor | None,
    at: Tensor | None,
) -> Coupled:
    survival, steps = _survival(fn)
    low_u, high_u = _interval(survival, steps, value, known)
    mass = high_u - low_u
    over, last = _survival(other)
    shape = torch.broadcast_shapes(mass.shape, other.batch_shape)
    start = float(units[0]) if units else 0.0
    mean, low, high = (torch.full(shape, start, dtype=mass.dtype) for _ in range(3))
    before: Tensor = torch.ones((), dtype=mass.dtype)
    drawn = torch.zeros(shape, dtype=mass.dtype) if noise is not None else None
    chance = torch.zeros(shape, dtype=mass.dtype) if noise is not None or at is not None else None
    furthest = int(value.max()) if last is None else 0
    k = 0
    while last is None or k < last:
        above = over(k)
        ratio = ((above - low_u) / mass).clamp(0.0, 1.0)
        ratio = torch.where(torch.isnan(ratio), (value > k).to(ratio.dtype), ratio)  # a value that could not be
        gap = float(units[k + 1] - units[k]) if units else 1.0
        mean = torch.add(mean, ratio, alpha=gap)
        low = torch.add(low, ((above - 1.0) / mass + 1.0).clamp(0.0, 1.0).nan_to_num(0.0), alpha=gap)
        high = torch.add(high, (above / mass).clamp(max=1.0).nan_to_num(1.0), alpha=gap)
        if noise is not None and drawn is not None and chance is not None:
            up = (noise < ratio).to(ratio.dtype)
            chance = torch.where((drawn == k) & (up == 0), before - ratio, chance)
            drawn = drawn + up
        elif at is not None and chance is not None:
            chance = torch.where(at == k, before - ratio, chance)
        before = ratio
        k += 1
        if last is None and k > furthest and bool((above <= REST).all()):
            break
        if last is None and k > MOST:
            raise RefusedError(f"{type(other).__name__} puts probability on counts above {MOST:,}; none is that large")
    if drawn is not None and chance is not None:
        chance = torch.where(drawn == k, before, chance)
    elif at is not None and chance is not None:
        chance = torch.where(at == k, before, chance)
    # The bounds hold the point answer; rounding must not say otherwise.
    low, high = torch.minimum(low, mean), torch.maximum(high, mean)
    held = _unmoved(fn, other, known)
    return Coupled(drawn, mean, chance, torch.where(held, mean, low), torch.where(held, mean, high))


def _unmoved(fn: Any, other: Any, known: Tensor | None) -> Tensor:
    """Where the mechanism is the same in both worlds, so that an outcome that was seen stays, whatever the coupling
    (consistency: Pearl 2009, 7.3.1).
    """
    if fn is other:
        same = torch.ones((), dtype=torch.bool)
    elif isinstance(fn, torch.distributions.Bernoulli) and isinstance(other, torch.distributions.Bernoulli):
        same = fn.probs == other.probs
    elif isinstance(fn, OrdinalRating) and isinstance(other, OrdinalRating):
        same = (fn.affinity == other.affinity) & (fn.cutpoints == other.cutpoints).all(-1)
    elif is_choice(fn) and is_choice(other):
        same = (fn.logits == other.logits).all(-1)
    else:
        same = same_parameters(fn, other)
    return same if known is None else same & known


def same_parameters(fn: Any, other: Any) -> Tensor:
    """Where two distributions of one family, with a number for each parameter, are the same."""
    same = torch.tensor(type(fn) is type(other))
    for name in fn.arg_constraints if bool(same) else ():
        if name in fn.__dict__ and name in other.__dict__:
            same = same & torch.as_tensor(getattr(fn, name) == getattr(other, name))
    return same


def _interval(survival: Survival, steps: int | None, value: Tensor, known: Tensor | None) -> tuple[Tensor, Tensor]:
    """The part of the unit interval in which the noise lies, from what was observed: P(Y > y) to P(Y >= y)."""
    number = steps if steps is not None else int(value.max()) + 1
    below: Tensor = torch.zeros(())
    top: Tensor = torch.ones(())
    for k in range(number):
        above = survival(k)
        below = torch.where(value == k, above, below)
        top = torch.where(value == k + 1, above, top)
    if known is not None:
        below = torch.where(known, below, torch.zeros((), dtype=below.dtype))
        top = torch.where(known, top, torch.ones((), dtype=top.dtype))
    return below, top


def _choice(
    fn: Any, value: Tensor, other: Any, known: Tensor | None, noise: Tensor | None, at: Tensor | None
) -> Coupled:
    first = 1 if isinstance(fn, Positions) else 0
    logits, others = fn.logits, other.logits
    if logits.shape[-1] != others.shape[-1]:
        raise RefusedError(
            f"a choice among {logits.shape[-1]} in this world and among {others.shape[-1]} in the other share no noise"
        )
    index = (value - first).long()
    drawn = race(logits, index, others, known, noise) if noise is not None else None
    wanted = drawn if drawn is not None else None if at is None else (at - first).long()
    if wanted is None:
        return Coupled(None, None, None, None, None)
    chance = choice_chance(logits, index, others, wanted, known)
    this = logits.softmax(-1).gather(-1, index.expand(logits.shape[:-1])[..., None])[..., 0]
    that = others.softmax(-1).gather(-1, wanted.expand(others.shape[:-1])[..., None])[..., 0]
    if known is not None:
        this = torch.where(known, this, torch.ones((), dtype=this.dtype))
    low, high = ((this + that - 1.0) / this).clamp(min=0.0), (that / this).clamp(max=1.0)
    held = _unmoved(fn, other, known)
    low = torch.where(held, chance, torch.minimum(low, chance))
    high = torch.where(held, chance, torch.maximum(high, chance))
    return Coupled(None if drawn is None else drawn + first, None, chance, low, high)


def _continuous(fn: Any, value: Tensor, other: Any, known: Tensor | None, noise: Tensor | None) -> Coupled:
    from counterlog.query.quantiles import carry, quantile

    moved = carry(fn, value, other)
    if known is None or bool(known.all()):
        return Coupled(moved if noise is not None else None, moved, None, None, None)
    mean = torch.where(known, moved, other.mean)
    drawn = None if noise is None else torch.where(known, moved, quantile(other, noise))
    return Coupled(drawn, mean, None, None, None)


def _behind_a_hurdle(fn: Hurdle, value: Tensor, other: Hurdle, known: Tensor | None, noise: Tensor | None) -> Coupled:
    """An amount that was seen says at which quantile of amounts the noise lies; a shut gate says nothing about it."""
    from counterlog.query.quantiles import carry, quantile

    seen = fn.gate > 0 if known is None else known & (fn.gate > 0)
    inside = torch.where(seen & (value > 0), value, torch.ones((), dtype=value.dtype))
    moved = carry(fn.amount, inside, other.amount)
    mean = other.gate * torch.where(seen, moved, other.amount.mean)
    drawn = None if noise is None else other.gate * torch.where(seen, moved, quantile(other.amount, noise))
    return Coupled(drawn, mean, None, None, None)
