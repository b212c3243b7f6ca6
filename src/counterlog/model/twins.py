"""Known worlds with their noise kept: the same opportunities in two worlds, so that unit-level answers have a truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import networkx as nx
import pyro
import torch
from torch import Tensor

from counterlog import rng as _rng
from counterlog.model.mechanisms import OrdinalRating, Positions
from counterlog.model.worlds import Act, World, require_sites

if TYPE_CHECKING:
    from counterlog.model.interventions import Intervention
    from counterlog.model.known_world import KnownWorld


@dataclass(frozen=True, eq=False)
class Twins:
    """A known world drawn from noise that was kept, and the world that the same noise gives under an intervention.

    ``before`` holds the values and the log of the first, ``after`` the mechanisms and values of the second.
    """

    before: KnownWorld
    after: World


def twins(world: KnownWorld, do: Intervention, rng: int = 0) -> Twins:
    """Draw the opportunities of a known world anew from kept noise, and once more with something done.

    Each site has its own noise: a uniform that the quantile function turns into an outcome, a Gumbel for each
    alternative of a choice. Nothing is abducted here: this is the truth by which abduction is judged.
    """
    do.check(world.scm)
    graph = world.scm.graph()
    moved = {below for site in do.sites() & set(graph) for below in nx.descendants(graph, site)}
    held = {name: value for name, value in world.latents.items() if name not in moved}
    first, second = (_drawn(world, held, act, rng) for act in (None, do))
    latents = {name: first.values[name] for name in world.latents}
    return Twins(replace(world, values=first.values, latents=latents), second)


def _drawn(world: KnownWorld, held: dict[str, Tensor], do: Intervention | None, rng: int) -> World:
    from counterlog.model.interventions import Intervention

    act = Intervention() if do is None else do
    with torch.no_grad(), pyro.validation_enabled(False), _Kept(held, act, None, rng) as kept:
        world.scm(world.view)
    require_sites(world.scm, act, kept)
    return World(kept.fns, kept.values, act.shifted)


class _Kept(Act):
    """Every site that is not given is made from its own noise, whatever its mechanism."""

    def __init__(self, given: dict[str, Tensor], do: Intervention, rows: Any, seed: int) -> None:
        super().__init__(given, do, rows)
        self.seed = seed

    def natural(self, name: str, fn: Any) -> Tensor:
        return self.given[name] if name in self.given else self._made(name, fn)

    def replaced(self, name: str, fn: Any) -> Tensor:
        return self._made(name, fn)

    def _made(self, name: str, fn: Any) -> Tensor:
        extra = fn.probs.shape[-1:] if isinstance(fn, torch.distributions.Categorical | Positions) else ()
        stream = torch.Generator().manual_seed(_rng.derive(self.seed, "kept noise", name))
        shape = torch.Size((*fn.batch_shape, *fn.event_shape, *extra))
        u = torch.rand(shape, generator=stream, dtype=torch.float64).clamp(min=1e-16)
        return made(fn, u)


def made(fn: Any, u: Tensor) -> Tensor:
    """The value that a distribution gives to noise ``u`` in (0, 1): large where ``u`` is small."""
    while type(fn).__name__ == "Independent":
        fn = fn.base_dist
    if isinstance(fn, torch.distributions.Bernoulli):
        return (u < fn.probs).to(fn.probs.dtype)
    if isinstance(fn, OrdinalRating):
        return (u[..., None] < torch.sigmoid(fn.affinity[..., None] - fn.cutpoints)).sum(-1)
    if isinstance(fn, Positions | torch.distributions.Categorical):
        first = 1 if isinstance(fn, Positions) else 0
        return (fn.logits - torch.log(-torch.log(u))).argmax(-1) + first
    if isinstance(fn, torch.distributions.Poisson):
        from scipy import stats

        return torch.as_tensor(stats.poisson.isf(u.numpy(), fn.rate.double().numpy())).to(fn.rate.dtype)
    value: Tensor = fn.icdf(1.0 - u)
    return value.to(torch.get_default_dtype())
