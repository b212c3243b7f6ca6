"""Abduction, action, prediction (Pearl 2009, 7.1.3) for one draw of the latents: from what was observed of each
opportunity to the world in which something else was done.

The noise of an opportunity's sites is not stored. What was observed says in which part of its distribution the noise
lies, and `counterlog.query.coupling` carries that part through the other world's mechanism, exactly. Sites that were
not observed are taken with every value that they can have, weighted by how probable it is given what was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import networkx as nx
import pyro
import torch
from torch import Tensor

from counterlog.errors import RefusedError
from counterlog.inference.elbo import Assign
from counterlog.model.worlds import Act, Rows, require_sites
from counterlog.query.coupling import Coupled, couple, is_choice, plain

if TYPE_CHECKING:
    from counterlog.model import SCM, View
    from counterlog.model.interventions import Intervention

#: Name of a site and the shape that is wanted -> uniforms in [0, 1): the same for every intervention.
Noise = Callable[[str, torch.Size], Tensor]

_NEVER = -1e9


@dataclass(frozen=True, eq=False)
class Observed:
    """What was seen of some opportunities: values by site ``[n]`` (outcomes as the program has them), where the outcome
    was among it (None for everywhere), and the discrete sites of which nothing was seen.
    """

    values: Mapping[str, Tensor]
    known: Tensor | None
    unseen: frozenset[str]


@dataclass(frozen=True, eq=False)
class Factual:
    """The world that was, for one draw of the latents: every site's mechanism and value, and, where sites are unseen,
    the probability of each joint value of theirs given what was seen, ``[..., n]`` with a dimension a site.
    """

    fns: Mapping[str, Any]
    values: Mapping[str, Tensor]
    weight: Tensor | None
    dims: Mapping[str, int]
    known: Tensor | None


def factual(scm: SCM, view: View, latents: Mapping[str, Tensor], seen: Observed) -> Factual:
    """The world as it was, unseen sites with every value that they can have.

    Raises
    ------
    RefusedError
        An unseen site whose values cannot be listed.
    """
    with (
        torch.no_grad(),
        pyro.validation_enabled(False),
        Assign({**latents, **seen.values}, frozenset(seen.unseen)) as assign,
    ):
        scm(view)
    known = None if scm.outcome in assign.dims else seen.known
    if not assign.dims:
        return Factual(assign.fns, assign.used, None, {}, known)
    total = torch.zeros(())
    for name, fn in assign.fns.items():
        if name not in seen.values and name not in assign.dims:
            continue
        score = _score(fn, assign.used[name])
        if name in assign.dims and name in seen.values and seen.known is not None:  # seen at some opportunities
            score = score.masked_fill(seen.known & (assign.used[name] != seen.values[name]), _NEVER)
        elif name == scm.outcome and seen.known is not None and name not in assign.dims:
            score = torch.where(seen.known, score, torch.zeros(()))
        if score.dim() > 1:
            total = total + score
    over = tuple(range(total.dim() - 1))
    weight = torch.exp(total - total.logsumexp(over, keepdim=True))
    return Factual(assign.fns, assign.used, weight, assign.dims, known)


def _score(fn: Any, value: Tensor) -> Tensor:
    """Log P(value); a coin that cannot fall so gives next to nothing, where the library's own keeps a millionth."""
    score: Tensor = fn.log_prob(value)
    coin = plain(fn)
    if not isinstance(coin, torch.distributions.Bernoulli):
        return score
    never = ((value == 1) & (coin.probs <= 0.0)) | ((value == 0) & (coin.probs >= 1.0))
    return score.masked_fill(never, _NEVER)


def one_of(fact: Factual, noise: Noise) -> dict[str, Tensor]:
    """One joint draw of the unseen sites given what was seen, ``[n]`` each."""
    if fact.weight is None:
        return {}
    weight = fact.weight
    flat = weight.reshape(-1, weight.shape[-1])
    u = noise("which of the unseen", torch.Size(flat.shape[-1:]))
    index = (u > flat.cumsum(0)).sum(0).clamp(max=len(flat) - 1)
    wide = {name: fact.values[name].expand(weight.shape).reshape(flat.shape) for name in fact.dims}
    return {name: values.gather(0, index[None])[0] for name, values in wide.items()}


class _Other(Act):
    """The other world: sites below the action carry their noise over, all others stay as they were."""

    def __init__(
        self,
        fact: Factual,
        do: Intervention,
        moved: set[str],
        rows: Rows | None,
        noise: Noise,
        needed: frozenset[str] | None,
    ) -> None:
        super().__init__(fact.values, do, rows)
        self.fact, self.moved, self.noise, self.needed = fact, moved, noise, needed
        #: For each yes-or-no mediator the probability of yes given what was, and its bounds, in the order of the runs.
        self.mediators: list[tuple[Tensor, Tensor, Tensor]] = []

    def natural(self, name: str, fn: Any) -> Tensor:
        return self._carried(name, fn) if name in self.moved else self.given[name]

    def replaced(self, name: str, fn: Any) -> Tensor:
        return self._carried(name, fn)

    def _carried(self, name: str, fn: Any) -> Tensor:
        before, value = self.fact.fns[name], self.fact.values[name]
        if self.needed is not None and name not in self.needed:
            return value  # not a cause of what is asked for
        coin = isinstance(plain(fn), torch.distributions.Bernoulli) and not fn.event_shape and fn.batch_shape
        if self.needed is None or not coin:
            drawn = couple(before, value, fn, noise=_noise_of(name, fn, value, self.noise)).value
            if drawn is None:
                raise RefusedError(f"site {name!r} ({type(fn).__name__}) cannot be carried into another world")
            return drawn.to(value.dtype)
        yes = couple(before, value, fn)
        self.mediators.append(tuple(torch.as_tensor(x) for x in (yes.mean, yes.low, yes.high)))  # type: ignore[arg-type]
        depth = len(self.fact.dims) + len(self.mediators)
        return torch.arange(2, dtype=value.dtype).reshape((-1,) + (1,) * depth)


def below(scm: SCM, do: Intervention) -> set[str]:
    """The sites that follow what is done, without those that are set themselves.

    Raises
    ------
    RefusedError
        For a cut edge.
    """
    if do.cuts:
        raise RefusedError(
            "a cut edge lets a child see another unit's value, so that no unit has a counterfactual of its own; fix "
            "or shift the parent, or ask `effect`"
        )
    graph = scm.graph()
    moved = {name for site in do.sites() & set(graph) for name in nx.descendants(graph, site)}
    return moved - set(do.fixed) - set(do.replaced)


def sample(
    scm: SCM, view: View, latents: Mapping[str, Tensor], seen: Observed, do: Intervention, noise: Noise, rows: Rows
) -> tuple[Factual, dict[str, Tensor]]:
    """One draw of what is unseen and of the noise: the world that was, and the values of every site in the other."""
    whole = factual(scm, view, latents, seen)
    filled = one_of(whole, noise)
    known = seen.known if scm.outcome not in filled else None
    fact = whole
    if filled:
        fact = factual(scm, view, latents, Observed({**seen.values, **filled}, known, frozenset()))
    if known is not None:  # an outcome of which nothing is known is drawn, in this world already
        base, value = fact.fns[scm.outcome], fact.values[scm.outcome]
        u = _noise_of(scm.outcome, base, value, lambda name, shape: noise(f"unseen {name}", shape))
        free = couple(base, value, base, known, noise=u).value
        if free is None:
            raise RefusedError(f"site {scm.outcome!r} ({type(base).__name__}) cannot be drawn where it was not seen")
        drawn = {**seen.values, **filled, scm.outcome: free.to(value.dtype)}
        fact = factual(scm, view, latents, Observed(drawn, None, frozenset()))
    with torch.no_grad(), pyro.validation_enabled(False), _Other(fact, do, below(scm, do), rows, noise, None) as other:
        scm(view)
    require_sites(scm, do, other)
    return fact, other.values


def _noise_of(name: str, fn: Any, value: Tensor, noise: Noise) -> Tensor:
    """A site's noise: one number for each of its own entries (a choice: for each alternative, and one more), whatever
    else is gone through.
    """
    own = value.shape if fn.event_shape else torch.Size(fn.batch_shape[-1:])
    extra = (plain(fn).logits.shape[-1] + 1,) if is_choice(plain(fn)) else ()
    return noise(name, torch.Size((*own, *extra)))


def expect(
    scm: SCM,
    view: View,
    fact: Factual,
    do: Intervention,
    units: tuple[float, ...],
    at: Tensor,
    noise: Noise,
    rows: Rows,
) -> Coupled:
    """The other world's outcome given what was observed, everything that can be gone through gone through, ``[n]``.

    ``chance`` is that of the value ``at``; ``value`` is None.
    """
    moved = below(scm, do)
    outcome = scm.outcome
    last = outcome in moved or outcome in do.replaced
    needed = frozenset(nx.ancestors(scm.graph(), outcome))
    with torch.no_grad(), pyro.validation_enabled(False), _Other(fact, do, moved, rows, noise, needed) as other:
        scm(view)
    if outcome in do.fixed:
        set_to = other.values[outcome]
        mean = torch.tensor(units)[set_to.long()] if units else set_to
        return Coupled(None, mean, (set_to == at).float(), mean, mean)
    shifted = do.shifted.get(outcome, 0.0)
    mechanism = other.fns[outcome] if last else fact.fns[outcome]
    found = couple(fact.fns[outcome], fact.values[outcome], mechanism, fact.known, units, at=at - shifted)
    mean, chance, low, high = (
        None if x is None else _folded(x, other.mediators, fact.weight, way)
        for x, way in ((found.mean, 0), (found.chance, 0), (found.low, -1), (found.high, 1))
    )
    if shifted:
        mean, low, high = (None if x is None else x + shifted for x in (mean, low, high))
    return Coupled(None, mean, chance, low, high)


def _folded(x: Tensor, mediators: list[tuple[Tensor, Tensor, Tensor]], weight: Tensor | None, way: int) -> Tensor:
    """The average of ``x`` over mediators and unseen sites, ``[n]``.

    With ``way`` -1 or 1 the least or the greatest that any coupling of the mediators' own worlds allows: a coin's
    probability moves between its bounds, and what is linear in it is extreme at one of them.
    """
    depth = len(mediators) + (1 if weight is None else weight.dim())
    x = x.expand(torch.broadcast_shapes(x.shape, (2,) * len(mediators) + (1,) * (depth - len(mediators))))
    for mean, low, high in reversed(mediators):  # the last one's dimension is the leftmost
        no, yes = x[0], x[1]
        if way == 0:
            x = no + mean * (yes - no)
        else:
            ends = torch.stack([no + q * (yes - no) for q in (low, high)])
            x = ends.max(0).values if way > 0 else ends.min(0).values
    if weight is None:
        return x
    product = x * weight
    return product.sum(tuple(range(product.dim() - 1)))
