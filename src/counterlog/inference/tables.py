"""The mean-field guide as tables: one location and one log-scale for every number that is not seen.

A row of the user table belongs to a user, a row of the item table to an item; globals form a table of one row. A step
touches the rows of its block only, with a row-wise Adam that leaves all others alone, so that its cost does not grow
with the number of users or items.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyro.distributions as dist
import torch
from torch import Tensor
from torch.distributions import biject_to
from torch.optim.adam import adam

from counterlog import rng as _rng
from counterlog.errors import RefusedError
from counterlog.model.view import Opportunities, View

if TYPE_CHECKING:
    from counterlog.inference.cells import Cells
    from counterlog.model import SCM

#: Which table holds the sites of a plate; None is the plate of a global.
TABLE_OF = {"users": "users", "items": "items", None: "globals"}
TABLES = ("globals", "users", "items")


@dataclass(frozen=True, eq=False)
class Latent:
    """Where a latent site lives: its table, its columns there, its event shape and the map from the reals to its
    support.

    ``free`` is the shape before the map: a probability vector of 3 has 2 free numbers. ``standard`` sites have the
    prior Normal(0, 1) whatever the other sites say; they come first in a table, so that their divergence is one sum.
    """

    name: str
    table: str
    start: int
    stop: int
    shape: tuple[int, ...]
    free: tuple[int, ...]
    transform: Any
    standard: bool = False


@dataclass(frozen=True, eq=False)
class Layout:
    """All latent sites of a program, in its own order, and how many columns each table has."""

    sites: tuple[Latent, ...]
    width: Mapping[str, int]

    def of(self, table: str) -> list[Latent]:
        """The sites of one table, by column."""
        return sorted((site for site in self.sites if site.table == table), key=lambda site: site.start)

    def standard(self, table: str) -> tuple[int, str]:
        """How many columns of a table have a standard normal prior, and the names of their sites."""
        sites = [site for site in self.of(table) if site.standard]
        return max((site.stop for site in sites), default=0), ", ".join(site.name for site in sites)


def layout(scm: SCM, cells: Cells) -> tuple[Layout, dict[str, Tensor]]:
    """Where every latent site goes, and the unconstrained prior median of each global, to start from.

    Raises
    ------
    RefusedError
        A discrete latent of a user, an item or the whole, which has no gradient.
    """
    view = sample_view(cells)
    hidden = {s.name for s in scm.sites(view).values() if s.plate != "opportunities"}
    draws: dict[str, list[Tensor]] = {}
    nodes: dict[str, Any] = {}
    with _rng.seeded(0, "prior", scm.name):
        for _ in range(25):
            nodes = scm.trace(view)
            for name in hidden & nodes.keys():
                draws.setdefault(name, []).append(nodes[name]["value"].detach())
    sites, width = [], dict.fromkeys(TABLES, 0)
    start: dict[str, Tensor] = {}
    graph = scm.graph(view)
    standard = {name for name in hidden & nodes.keys() if graph.in_degree(name) == 0 and _standard(nodes[name]["fn"])}
    for name in sorted(
        (n for n in nodes if n in hidden), key=lambda n: n not in standard
    ):  # stable: else in the program's order
        node = nodes[name]
        plate = next((f.name for f in node["cond_indep_stack"] if f.name in ("users", "items")), None)
        table = TABLE_OF[plate]
        shape = tuple(node["fn"].event_shape) if plate else tuple(node["value"].shape)
        if getattr(node["fn"].support, "is_discrete", False):
            raise RefusedError(
                f"{scm.name} has a discrete latent site {name!r} for "
                f"{'every ' + plate[:-1] if plate else 'the whole log'}, which a fit by gradients "
                "cannot learn; use a continuous one (a normal through a sigmoid, a Dirichlet of shares), or a site "
                "of the opportunities"
            )
        transform = biject_to(node["fn"].support)
        free = tuple(transform.inverse_shape(torch.Size(shape)))
        size = int(torch.Size(free).numel())
        sites.append(Latent(name, table, width[table], width[table] + size, shape, free, transform, name in standard))
        width[table] += size
        if table == "globals":
            start[name] = transform.inv(torch.stack(draws[name])).median(0).values.reshape(-1)
    return Layout(tuple(sites), width), start


def _standard(prior: Any) -> bool:
    """Whether a distribution is Normal(0, 1), independently for every number."""
    base = prior
    while isinstance(base, torch.distributions.Independent):
        base = base.base_dist
    normal = type(base) in (dist.Normal, torch.distributions.Normal)
    return normal and bool((base.loc == 0).all()) and bool((base.scale == 1).all())


def sample_view(cells: Cells) -> View:
    """Two users and three items with the log's own numbers of features (random ones), levels and positions."""
    user, item = torch.arange(2).repeat_interleave(3), torch.arange(3).repeat(2)
    from counterlog.model.view import Context

    columns = {
        name: torch.from_numpy(values[:1]).expand(6).clone() for name, values in cells.columns.items() if len(values)
    }
    draw = torch.Generator().manual_seed(0)
    user_features = torch.randn(2, cells.user_features.shape[1], generator=draw)
    item_features = torch.randn(3, cells.item_features.shape[1], generator=draw)
    rows = Opportunities(user, item, Context(columns))
    return View(user_features, item_features, rows, cells.n_levels, cells.n_positions)


@dataclass(eq=False)
class Table:
    """Location and log-scale of each row with Adam's two moments, all ``[rows, width]``; ``age`` counts this table's
    updates.
    """

    loc: Tensor
    log_scale: Tensor
    moments: tuple[Tensor, Tensor, Tensor, Tensor]
    age: int = 0

    @classmethod
    def start(cls, loc: Tensor, log_scale: float) -> Table:
        """A table at ``loc`` with equal scales and no memory."""
        zeros = tuple(torch.zeros_like(loc) for _ in range(4))
        return cls(loc.clone(), torch.full_like(loc, log_scale), zeros)  # type: ignore[arg-type]

    def leaf(self, rows: slice | Tensor) -> tuple[Tensor, Tensor]:
        """Location and log-scale of some rows as leaves of a new autograd graph: views of a slice, copies of gathered
        rows.
        """
        if isinstance(rows, slice):
            return self.loc[rows].detach().requires_grad_(), self.log_scale[rows].detach().requires_grad_()
        return self.loc.index_select(0, rows).requires_grad_(), self.log_scale.index_select(0, rows).requires_grad_()

    @torch.no_grad()
    def update(self, rows: slice | Tensor, leaf: tuple[Tensor, Tensor], lr: float, age: int | None = None) -> None:
        """One Adam step (Kingma and Ba 2015) on these rows alone."""
        self.age += 1
        gathered = isinstance(rows, Tensor)
        memory = [m.index_select(0, rows) if gathered else m[rows] for m in self.moments]  # type: ignore[arg-type]
        params = [p.detach() for p in leaf]
        grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in leaf]
        step = torch.tensor(float(self.age if age is None else age), device=self.loc.device)
        adam(
            params,
            grads,
            memory[:2],
            memory[2:],
            [],
            [step - 1, step - 1],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.99,
            lr=lr,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )
        if isinstance(rows, Tensor):
            for whole, part in zip((self.loc, self.log_scale, *self.moments), (*params, *memory), strict=True):
                whole.index_copy_(0, rows, part)


def start_tables(
    plan: Layout,
    start: Mapping[str, Tensor],
    n_users: int,
    n_items: int,
    seed: int,
    device: torch.device,
    log_scale: float,
) -> dict[str, Table]:
    """Tables to start from: globals at the prior's median, rows near zero, so that products of latents have a
    gradient.
    """
    draw = torch.Generator().manual_seed(_rng.derive(seed, "start"))
    rows = {"globals": 1, "users": n_users, "items": n_items}
    tables = {}
    for name in TABLES:
        loc = 0.1 * torch.randn(rows[name], plan.width[name], generator=draw)
        if name == "globals":
            loc = loc * 0.1
            for site in plan.of("globals"):
                loc[0, site.start : site.stop] += start[site.name]
        tables[name] = Table.start(loc.to(device), log_scale)
    return tables


def split(plan: Layout, table: str, z: Tensor) -> dict[str, Tensor]:
    """Unconstrained values of a table's sites: ``[rows, width]`` cut into ``[rows, *shape]``; globals lose the row."""
    sites = plan.of(table)
    if not sites:
        return {}
    parts = z.split([s.stop - s.start for s in sites], 1)
    lead = () if table == "globals" else (z.shape[0],)
    return {s.name: part.reshape(lead + s.free) for s, part in zip(sites, parts, strict=True)}
