"""Who could be shown what in a synthetic log: the log's own opportunities again, or items drawn from the catalogue for
each user.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np

from counterlog import rng as _rng
from counterlog.errors import InputError, RefusedError
from counterlog.inference.population import log_rows
from counterlog.model.policies import Uniform

if TYPE_CHECKING:
    from counterlog.inference import Fit
    from counterlog.model.interventions import Intervention

#: Opportunities of a unit: the piece of work that has its own random stream, so that memory is bounded and bytes never
#: depend on it.
UNIT = 125_000
#: More cells than this are not gone through without being asked.
MOST_CELLS = 1_000_000_000


@dataclass(frozen=True)
class Source:
    """Where opportunities come from.

    ``log``: the rows of the log again, with their context. ``catalogue``: for each user ``counts`` distinct items,
    uniformly. ``users`` is the number of users; new ones when ``new`` is set. ``natural``: exposure follows the
    program, so that only some opportunities are exposed.
    """

    kind: str
    n_users: int
    n_items: int
    counts: np.ndarray | None
    new: bool
    natural: bool

    @property
    def sentence(self) -> str:
        """The source in words."""
        who = f"{self.n_users:,} {'new users drawn from the model' if self.new else 'users of the log'}"
        if self.kind == "log":
            return f"the log's own opportunities of {who}"
        each = 0 if self.counts is None else float(np.mean(self.counts))
        what = "all items" if each == self.n_items else f"{each:g} of {self.n_items:,} items each, drawn uniformly"
        return f"{who}, {what}"


def source(fit: Fit, do: Intervention, per_user: int | None, rows: int | None, users: int | None, seed: int) -> Source:
    """What `simulate` was asked for, checked.

    Raises
    ------
    InputError
        Numbers out of range, or two that exclude each other.
    RefusedError
        The whole grid is too large to go through unasked.
    """
    if per_user is not None and rows is not None:
        raise InputError("give per_user or rows, not both")
    n_items = fit.cells.n_items
    if per_user is not None and not 1 <= per_user <= n_items:
        raise InputError(f"per_user must be between 1 and the number of items, {n_items}; given {per_user}")
    if users is not None and users < 1:
        raise InputError(f"the number of new users must be at least 1; given {users}")
    n_users = users if users is not None else fit.cells.n_users
    if rows is not None and not 1 <= rows <= n_users * n_items:
        raise InputError(f"rows must be between 1 and {n_users * n_items:,} (users x items); given {rows}")
    exposure = fit.scm.exposure
    natural = exposure not in do.sites()
    redrawn = isinstance(do.replaced.get(exposure), Uniform)
    if not fit.treatment.implied and not redrawn and per_user is None and rows is None and users is None:
        return Source("log", n_users, n_items, None, False, natural)
    if fit.scm.together is not None:
        raise RefusedError(
            f"{fit.scm.name} has rows of one {fit.scm.together!r} that depend on each other; items drawn from the "
            f"catalogue belong to no {fit.scm.together!r}. Simulate the log's own opportunities: no per_user, rows or "
            "users, and a policy of your own in place of the uniform one"
        )
    if rows is not None:
        counts = np.full(n_users, rows // n_users)
        lucky = _rng.generator(seed, "lucky").permutation(n_users)[: rows % n_users]
        counts[lucky] += 1
        if counts.max() > n_items:
            raise InputError(f"{rows:,} rows are more than {n_items} items for each of {n_users:,} users")
        return Source("catalogue", n_users, n_items, counts, users is not None, natural)
    if per_user is None:
        usual = max(1, round(fit.log.rows / max(1, len(fit.log.users))))
        per_user = n_items if natural and fit.treatment.implied else min(usual, n_items)
        if n_users * per_user > MOST_CELLS:
            raise RefusedError(
                f"{n_users:,} users x {n_items:,} items are {n_users * n_items:,} cells; say how many to draw for "
                "each user with per_user= "
                "(--per-user) or in all with rows= (--rows)"
            )
    return Source("catalogue", n_users, n_items, np.full(n_users, per_user), users is not None, natural)


@dataclass(frozen=True, eq=False)
class Unit:
    """Opportunities of consecutive users ``first .. last``: codes, context, the log's rows they are modelled on,
    selection probability.
    """

    number: int
    first: int
    last: int
    user: np.ndarray
    item: np.ndarray
    columns: Mapping[str, np.ndarray]
    rows: np.ndarray
    chance: np.ndarray | float


def units(fit: Fit, where: Source, seed: int) -> Iterator[Unit]:
    """The opportunities in units of whole users, each from its own stream."""
    if where.kind == "log":
        yield from _log_units(fit)
        return
    assert where.counts is not None
    dense = int(where.counts.max()) * 3 > where.n_items
    cost = np.maximum(where.counts, where.n_items if dense else 1)
    edges = _edges(cost)
    for number, (first, last) in enumerate(pairwise(edges)):
        rng = _rng.generator(seed, "unit", number)
        counts = where.counts[first:last]
        user = np.repeat(np.arange(first, last), counts)
        item = _distinct(rng, counts, where.n_items)
        rows = _models(fit, where, user, rng)
        columns = {name: values[rows] for name, values in fit.cells.columns.items()} if fit.cells.columns else {}
        chance = np.repeat(counts / where.n_items, counts).astype(np.float32)
        yield Unit(number, int(first), int(last), user, item, columns, rows, chance)


def _log_units(fit: Fit) -> Iterator[Unit]:
    whole = log_rows(fit)
    edges = _edges(np.maximum(np.diff(fit.cells.pointer), 1))
    for number, (first, last) in enumerate(pairwise(edges)):
        rows = np.arange(fit.cells.pointer[first], fit.cells.pointer[last])
        part = whole.take(rows)
        yield Unit(number, int(first), int(last), part.user, part.item, part.columns, rows, 1.0)


def _edges(cost: np.ndarray) -> np.ndarray:
    """Boundaries of runs of users whose cost is about a unit, at least one user each."""
    work = np.cumsum(cost, dtype=np.float64)
    number = max(1, int(np.ceil(work[-1] / UNIT)))
    inner = np.searchsorted(work, work[-1] * np.arange(1, number) / number)
    return np.unique(np.concatenate([[0], inner, [len(cost)]])).astype(np.int64)


def _distinct(rng: np.random.Generator, counts: np.ndarray, n_items: int) -> np.ndarray:
    """For each user ``counts`` distinct items, uniformly over such sets: shuffled rows where most are taken, else
    redrawn repeats.
    """
    total = int(counts.sum())
    if total == 0:
        return np.zeros(0, np.int64)
    most = int(counts.max())
    if most * 3 > n_items:
        if counts.min() == n_items:
            return np.tile(np.arange(n_items), len(counts))
        order = rng.random((len(counts), n_items), dtype=np.float32).argsort(1)
        return order[np.arange(n_items) < counts[:, None]]
    key = np.repeat(np.arange(len(counts)) * n_items, counts) + rng.integers(0, n_items, total)
    while True:
        key.sort()  # by user, then item: repeats lie side by side
        repeated = np.flatnonzero(key[1:] == key[:-1]) + 1
        if not len(repeated):
            return key % n_items
        key[repeated] += rng.integers(0, n_items, len(repeated)) - key[repeated] % n_items


def _models(fit: Fit, where: Source, user: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For each opportunity a sorted event of the log whose context and time it takes: of the same user, else of
    anyone.
    """
    if not fit.cells.columns and fit.log.roles.timestamp is None:
        return np.zeros(0, np.int64)
    anyone = rng.integers(0, fit.cells.n, len(user))
    if where.new:
        return anyone
    start = fit.cells.pointer[user]
    size = fit.cells.pointer[user + 1] - start
    own = start + (rng.random(len(user)) * size).astype(np.int64)
    return np.where(size > 0, own, anyone)


def context_given(fit: Fit, do: Intervention, where: Source) -> set[str]:
    """Names of context columns that a run is given; sites that the intervention reaches, or that a new opportunity
    draws, are not.
    """
    names = set(fit.cells.columns)
    graph = fit.scm.graph()
    acted = do.sites() | {child for _, child in do.cuts}
    reached = acted.union(*(nx.descendants(graph, site) for site in acted)) if acted else set()
    drawn = {name for name in names if name in graph and (name in reached or where.kind == "catalogue")}
    return names - drawn
