"""What a program may see: sizes, features, contexts and plates, never an exposure or an outcome."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyro
import torch
from torch import Tensor

from counterlog.errors import unknown_name
from counterlog.model.pairs import Incidence, incidence

#: The plates of every program, and the name under which a site's rows are known.
PLATES = ("users", "items", "opportunities")


class Context(Mapping[str, Tensor]):
    """The circumstances of each opportunity by name; an unknown name raises with the nearest known one."""

    def __init__(self, columns: Mapping[str, Tensor]) -> None:
        self._columns = dict(columns)

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._columns:
            raise unknown_name("context", name, self._columns, "Name it with --context, or in Roles(context=...).")
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


@dataclass(frozen=True, eq=False)
class Opportunities:
    """The opportunities of a view, one row each.

    ``user`` and ``item`` are int64 ``[n]``, indices into the view's own rows; ``context`` maps a name to a float
    ``[n]`` (numbers) or int64 ``[n]`` (codes of text).
    """

    user: Tensor
    item: Tensor
    context: Mapping[str, Tensor] = field(default_factory=lambda: Context({}))
    _incidence: dict[tuple[int, int], Incidence] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.user)

    def incidence(self, n_users: int, n_items: int) -> Incidence:
        """Which opportunities belong to each user and item: sorted once, for as long as this object lives."""
        shape = (n_users, n_items)
        if shape not in self._incidence:
            self._incidence[shape] = incidence(self.user, self.item, n_users, n_items)
        return self._incidence[shape]


@dataclass(frozen=True, eq=False)
class View:
    """A part of a world as a program sees it: some users, some items, some opportunities between them.

    Parameters
    ----------
    user_features, item_features
        float32 ``[n_users, p]`` and ``[n_items, q]``, centred; p and q may be 0.
    rows
        The opportunities, with indices local to this view.
    n_levels
        Number of levels of a rating; 2 where the outcome is none.
    n_positions
        Length of the longest slate; 1 without positions.
    """

    user_features: Tensor
    item_features: Tensor
    rows: Opportunities
    n_levels: int = 5
    n_positions: int = 1

    @property
    def n_users(self) -> int:
        """Number of users in this view."""
        return self.user_features.shape[0]

    @property
    def n_items(self) -> int:
        """Number of items in this view."""
        return self.item_features.shape[0]

    @property
    def n_opportunities(self) -> int:
        """Number of opportunities in this view."""
        return len(self.rows)

    def users(self) -> pyro.plate:
        """The plate over users: a site inside has one value a user, shape ``[n_users]``."""
        return pyro.plate("users", self.n_users, dim=-1)

    def items(self) -> pyro.plate:
        """The plate over items: a site inside has one value an item, shape ``[n_items]``."""
        return pyro.plate("items", self.n_items, dim=-1)

    @contextmanager
    def opportunities(self) -> Iterator[Opportunities]:
        """The plate over opportunities; gives their user and item indices and their context."""
        with pyro.plate("opportunities", len(self.rows), dim=-1):
            yield self.rows


class _AnyContext(Context):
    """A context for drawing the graph without a log: whatever name is asked for gets small random codes."""

    def __init__(self, n: int) -> None:
        super().__init__({})
        self._n = n

    def __getitem__(self, name: str) -> Tensor:
        return self._columns.setdefault(name, torch.arange(self._n) % 2)


def tiny_view(
    n_users: int = 3,
    n_items: int = 4,
    n_levels: int = 5,
    n_positions: int = 3,
    n_features: int = 2,
    context: Mapping[str, Tensor] | None = None,
) -> View:
    """A small full grid with random features, for reading a program's graph and checking its sites.

    Draws from torch's current stream (see `counterlog.rng.seeded`).
    """
    n = n_users * n_items
    user = torch.arange(n_users).repeat_interleave(n_items)
    item = torch.arange(n_items).repeat(n_users)
    columns = _AnyContext(n) if context is None else Context(context)
    features = torch.randn(n_users, n_features), torch.randn(n_items, n_features)
    return View(*features, Opportunities(user, item, columns), n_levels, n_positions)
