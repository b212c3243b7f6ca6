"""Blocks: runs of consecutive users with all their opportunities, as the views that a program is fitted over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from counterlog import rng as _rng
from counterlog.inference.cells import Cells
from counterlog.model.view import Context, Opportunities, View


@dataclass(frozen=True, eq=False)
class Block:
    """One block of users and what is seen in it.

    ``items`` is None when the view holds every item, else the vocabulary indices of the view's items. ``item_share`` is
    how much of an item's prior counts here (its share of opportunities that lie in the block), ``share`` the same for
    globals. ``weight`` is None or the number of cells that an opportunity stands for.
    """

    first: int
    last: int
    view: View
    items: Tensor | None
    item_share: Tensor | float
    share: float
    exposure: Tensor | None
    outcome: Tensor
    known: Tensor | None
    columns: Mapping[str, Tensor]
    weight: Tensor | None
    total: float


@dataclass(frozen=True, eq=False)
class Plan:
    """How a log is cut: user boundaries, and how many of the cells without an event a block takes.

    ``unexposed`` is None (the rows are all there is), ``"all"`` or the number of sampled cells for each event.
    """

    cells: Cells
    cuts: np.ndarray
    unexposed: str | float | None
    item_counts: np.ndarray
    unseen_items: np.ndarray
    device: torch.device

    def __len__(self) -> int:
        return len(self.cuts) - 1

    @property
    def typical(self) -> float:
        """Opportunities of a block on average, sampled ones counted by their weight."""
        cells = self.cells
        return (cells.n if self.unexposed is None else cells.n_users * cells.n_items) / len(self)

    @property
    def static(self) -> bool:
        """Whether a block is the same in every epoch."""
        return not isinstance(self.unexposed, float)


def plan(cells: Cells, batch: int, unexposed: str | float | None, device: torch.device) -> Plan:
    """Cut the users so that a block holds about ``batch`` opportunities.

    It has at least one user and one event: a view is never empty.
    """
    per_user = np.diff(cells.pointer).astype(np.float64)
    if unexposed == "all":
        per_user = np.full(cells.n_users, float(cells.n_items))
    elif unexposed is not None:
        per_user = per_user * (1.0 + float(unexposed))
    work = np.cumsum(np.maximum(per_user, 1.0))
    n_blocks = max(1, round(work[-1] / batch))
    cuts = np.searchsorted(work, work[-1] * np.arange(1, n_blocks) / n_blocks)
    if unexposed != "all":
        events = cells.pointer[cuts]  # events before each cut
        cuts = cuts[np.unique(events, return_index=True)[1]]
        cuts = cuts[(cells.pointer[cuts] > 0) & (cells.pointer[cuts] < cells.n)]
    cuts = np.unique(np.concatenate([[0], cuts, [cells.n_users]])).astype(np.int64)
    counts = np.bincount(cells.item, minlength=cells.n_items)
    unseen = np.flatnonzero(counts == 0) if unexposed is None else np.zeros(0, np.int64)
    return Plan(cells, cuts, unexposed, counts, unseen, device)


def epoch(plan: Plan, number: int, seed: int, kept: dict[int, Block]) -> Iterator[Block]:
    """The blocks of one epoch in a random order. ``kept`` holds blocks that never change, so that each is built
    once.
    """
    for index in _rng.generator(seed, "order", number).permutation(len(plan)):
        yield block(plan, int(index), number, seed, kept)


def block(plan: Plan, index: int, number: int, seed: int, kept: dict[int, Block]) -> Block:
    """Block ``index`` as epoch ``number`` sees it."""
    if plan.static and index in kept:
        return kept[index]
    made = _make(plan, index, _rng.generator(seed, "unexposed", number, index))
    if plan.static:
        kept[index] = made
    return made


def _make(plan: Plan, index: int, rng: np.random.Generator) -> Block:
    cells, first, last = plan.cells, int(plan.cuts[index]), int(plan.cuts[index + 1])
    rows = slice(int(cells.pointer[first]), int(cells.pointer[last]))
    counts = np.diff(cells.pointer[first : last + 1])
    user, item = np.repeat(np.arange(last - first), counts), cells.item[rows]
    outcome, known = cells.outcome[rows], cells.known[rows]
    exposure = None if cells.exposure is None else cells.exposure[rows]
    columns = {name: values[rows] for name, values in cells.columns.items()}
    weight: np.ndarray | None = None
    if plan.unexposed is not None:
        more_user, more_item, more_weight = _unexposed(plan, user, item, last - first, counts, rng)
        n = len(more_user)
        user, item = np.concatenate([user, more_user]), np.concatenate([item, more_item])
        if more_weight is not None:
            weight = np.concatenate([np.ones(len(outcome), np.float32), more_weight])
        outcome = np.concatenate([outcome, np.zeros(n, outcome.dtype)])
        # a cell without a click is a click of 0, seen; a cell without a rating has an outcome that nobody saw
        known = np.concatenate([known, np.full(n, cells.treatment.sum_exposure)])
        exposure = None if exposure is None else np.concatenate([exposure, np.zeros(n, np.float32)])
    return _block(plan, index, first, last, user, item, exposure, outcome, known, columns, weight)


def _unexposed(
    plan: Plan, user: np.ndarray, item: np.ndarray, n_users: int, counts: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Cells of these users without an event: all, or a uniform sample with the number of cells that each stands for."""
    n_items = plan.cells.n_items
    if plan.unexposed == "all":
        free = np.ones((n_users, n_items), bool)
        free[user, item] = False
        others = np.nonzero(free)
        return others[0], others[1], None
    per_event = float(plan.unexposed or 0.0)
    wanted = np.ceil(np.maximum(counts, 1) * per_event).astype(np.int64)
    more_user = np.repeat(np.arange(n_users), wanted)
    more_item = rng.integers(0, n_items, len(more_user))
    taken = np.sort(user * n_items + item)
    key = more_user * n_items + more_item
    at = np.searchsorted(taken, key)
    unseen = np.ones(len(key), bool)
    inside = at < len(taken)
    unseen[inside] = taken[at[inside]] != key[inside]
    more_user, more_item = more_user[unseen], more_item[unseen]
    got = np.bincount(more_user, minlength=n_users)
    left = n_items - np.bincount(np.unique(user * n_items + item) // n_items, minlength=n_users)
    some = 1.0 - (1.0 - left / n_items) ** wanted  # chance of a cell at all: where there is none, others stand for it
    return more_user, more_item, (left / np.maximum(got * some, 1e-12)).astype(np.float32)[more_user]


def _block(
    plan: Plan,
    index: int,
    first: int,
    last: int,
    user: np.ndarray,
    item: np.ndarray,
    exposure: np.ndarray | None,
    outcome: np.ndarray,
    known: np.ndarray,
    columns: Mapping[str, np.ndarray],
    weight: np.ndarray | None,
) -> Block:
    cells, device = plan.cells, plan.device
    tensor = lambda x: torch.from_numpy(np.ascontiguousarray(x)).to(device)  # noqa: E731
    share = (last - first) / cells.n_users
    items: Tensor | None
    item_share: Tensor | float
    if plan.unexposed == "all":
        items, item_share, local = None, share, item
    else:
        mine = plan.unseen_items[index :: len(plan)]
        found, local = np.unique(item, return_inverse=True)
        count = np.bincount(local, weights=weight, minlength=len(found))
        whole = float(cells.n_users) if plan.unexposed is not None else np.maximum(plan.item_counts[found], 1)
        shares = np.concatenate([count / whole, np.ones(len(mine))])  # an item without events counts once, in one block
        items, item_share = tensor(np.concatenate([found, mine])), tensor(shares.astype(np.float32))
    item_features = torch.from_numpy(cells.item_features).to(device)
    rows = Opportunities(tensor(user), tensor(local), Context({name: tensor(v) for name, v in columns.items()}))
    view = View(
        tensor(cells.user_features[first:last]),
        item_features if items is None else item_features.index_select(0, items),
        rows,
        cells.n_levels,
        cells.n_positions,
    )
    total = float(weight.sum()) if weight is not None else float(len(user))
    if plan.unexposed is None:
        share = len(user) / max(cells.n, 1)
    return Block(
        first,
        last,
        view,
        items,
        item_share,
        share,
        None if exposure is None else tensor(exposure),
        tensor(outcome),
        None if known.all() else tensor(known),
        {name: tensor(values) for name, values in columns.items()},
        None if weight is None else tensor(weight),
        total,
    )
