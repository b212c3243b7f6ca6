"""Choices in two worlds that share a Gumbel noise for each alternative, as races of exponential clocks.

The Gumbel-max choice among logits ``l`` is the first of independent exponential clocks with rates ``exp(l)``; in the
other world each clock runs faster by the factor ``exp(l' - l)``. Given the winner, its time is exponential with the sum
of the rates and every other clock has an exponential time more to run (Maddison, Tarlow, Minka 2014, NeurIPS; the
coupling is that of Oberst and Sontag 2019, ICML).
"""

from __future__ import annotations

import torch
from torch import Tensor


def race(logits: Tensor, chosen: Tensor, others: Tensor, known: Tensor | None, noise: Tensor) -> Tensor:
    """The alternative that wins in the other world under one draw of the clocks, int64 ``[..., n]``.

    ``logits`` and ``others`` are ``[..., n, K]``, ``chosen`` ``[..., n]``, ``noise`` uniforms in [0, 1)
    ``[n, K + 1]``: one a clock, the last for the winner. Where nothing was observed (``known`` is False) the clocks run
    freely.
    """
    clocks = -torch.log1p(-noise)  # in [0, infinity): 0 is drawn once in 16 million and ties with nothing else
    rates = torch.exp(logits - logits.logsumexp(-1, keepdim=True))
    more = clocks[..., :-1] / rates
    first = clocks[..., -1:]  # the rates sum to one
    index = torch.arange(logits.shape[-1], device=logits.device)
    times = torch.where(index == chosen[..., None], first, first + more)
    if known is not None:
        times = torch.where(known[..., None], times, more)
    faster = others - logits
    return (times * torch.exp(faster.max(-1, keepdim=True).values - faster)).argmin(-1)


def choice_chance(logits: Tensor, chosen: Tensor, others: Tensor, wanted: Tensor, known: Tensor | None) -> Tensor:
    """P(the other world's choice is ``wanted`` given this world's is ``chosen``), ``[..., n]``, exactly.

    With rates ``r`` (summing to one) and speeds ``s = exp(l' - l)``: the winner at time m stays first if no clock
    overtakes it; another clock k wins at time m t, t between 1/s_k and 1/s_chosen, with density
    ``r_k s_k / (1 + B(t))^2`` after m is integrated out, where ``B(t)`` is the sum over the clocks that did not win of
    ``r_j max(t s_j - 1, 0)``. B is piecewise linear in t, so that the integral is a sum over its pieces.
    """
    shape = torch.broadcast_shapes(logits.shape, others.shape)
    wide_logits, wide_others = logits.expand(shape).double(), others.expand(shape).double()
    chosen, wanted = chosen.expand(shape[:-1]), wanted.expand(shape[:-1])
    rates = wide_logits.softmax(-1)
    speed = wide_others - wide_logits
    # Only differences of speed matter; relative to the winner, the winner's own bound is 1.
    at_chosen = speed.gather(-1, chosen[..., None])
    speed = torch.exp((speed - at_chosen).clamp(max=60.0))
    index = torch.arange(shape[-1], device=logits.device)
    rival = index != chosen[..., None]
    stays = 1.0 / (1.0 + (rates * (speed - 1.0).clamp(min=0.0) * rival).sum(-1))
    # Pieces between the moments at which clocks come into play: 1/s_j, none later than 1.
    moments = torch.where(rival, (1.0 / speed).clamp(max=1.0), torch.ones((), dtype=torch.float64))
    order = moments.argsort(-1)
    sorted_moments = moments.gather(-1, order)
    slope = (torch.where(rival, rates * speed, 0.0)).gather(-1, order).cumsum(-1)
    level = (torch.where(rival, rates, 0.0)).gather(-1, order).cumsum(-1)
    ends = torch.cat([sorted_moments[..., 1:], torch.ones_like(sorted_moments[..., :1])], -1)
    before = 1.0 + slope * sorted_moments - level
    after = 1.0 + slope * ends - level
    pieces = (ends - sorted_moments) / (before * after)  # the integral of 1 / (1 + B)^2 over a linear piece
    total = pieces.flip(-1).cumsum(-1).flip(-1)  # from the start of each piece to 1
    from_moment = torch.zeros_like(total).scatter(-1, order, total)
    pick = lambda x: x.gather(-1, wanted[..., None])[..., 0]  # noqa: E731
    moves = pick(rates) * pick(speed) * pick(from_moment)
    chance = torch.where(wanted == chosen, stays, moves)
    if known is not None:
        chance = torch.where(known, chance, pick(wide_others.softmax(-1)))
    return chance.to(logits.dtype)
