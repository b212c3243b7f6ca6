"""What a log shows of a fit's sites, as checks compare it: whole users, with all their opportunities."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from counterlog import rng as _rng
from counterlog.errors import InputError
from counterlog.inference.cells import Cells, bind, encode
from counterlog.inference.population import Piece, Population, pieces

if TYPE_CHECKING:
    from counterlog.inference.fit import Fit
    from counterlog.logs import InteractionLog

#: Opportunities that predictive checks go through at most, whole users at a time; bounds their memory and time.
LIMIT = 100_000


@dataclass(frozen=True, eq=False)
class Seen:
    """Opportunities at which one site was seen.

    ``site`` is its name and ``value`` ``[n]`` what was seen (the index of a rating's level); ``exposure`` ``[n]`` is
    None where the exposure was not logged or is the site itself. ``whole`` says whether no user was left out.
    """

    site: str
    part: Population
    value: np.ndarray
    exposure: np.ndarray | None
    whole: bool
    cells: Cells

    def __len__(self) -> int:
        return len(self.part)

    @cached_property
    def piece(self) -> Piece:
        """The opportunities as one view."""
        return next(iter(pieces(self.cells, self.part, len(self.part))))


def bound(fit: Fit, log: InteractionLog | None) -> Cells:
    """A log's events in the codes of a fit: of the log that was fitted if None.

    Raises
    ------
    InputError
        The log has other roles, or users, items or rating levels that the fit does not know.
    """
    if log is None or log.hash == fit.log.hash:
        return fit.cells
    if log.roles != fit.log.roles:
        raise InputError(
            f"{log.name} has other roles than the log that was fitted: {log.roles} instead of {fit.log.roles}; read it "
            "with the same options"
        )
    for what, mine, theirs in (("user", fit.log.users, log.users), ("item", fit.log.items, log.items)):
        strange = sorted(set(theirs.labels) - set(mine.labels))
        if strange:
            raise InputError(
                f"{log.name} has {len(strange):,} {what}s that the fit does not know, such as {strange[0]!r}; leave "
                "their rows out"
            )
    same = dataclasses.replace(
        log,
        users=fit.log.users,
        items=fit.log.items,
        user_features=fit.log.user_features,
        item_features=fit.log.item_features,
    )
    levels = fit.log.levels
    strange_levels = sorted(set(same.levels) - set(levels))
    if strange_levels:
        shown = ", ".join(f"{level:g}" for level in levels)
        raise InputError(f"{log.name} has the level {strange_levels[0]:g}; the fit knows {shown}")
    same.__dict__["levels"] = levels  # a part of a log may lack a level; its codes are still those of the whole
    cells = bind(fit.scm, same)
    if cells.n_positions > fit.cells.n_positions:
        raise InputError(f"{log.name} has positions up to {cells.n_positions}; the fit knows {fit.cells.n_positions}")
    coded = {n: encode(fit.log, n, log.table[n])[cells.order] for n in log.roles.context if n in cells.columns}
    return dataclasses.replace(cells, columns={**cells.columns, **coded}, n_positions=fit.cells.n_positions)


def outcomes(fit: Fit, cells: Cells, limit: int, rng: int) -> Seen | str:
    """The opportunities whose outcome was seen, or why there are none to compare.

    Where exposure is latent and only clicks were logged, these are all cells of the grid.
    """
    how = fit.treatment
    if how.implied and how.sum_exposure:
        if cells is not fit.cells:
            return "in another log of clicks alone, cells without a click were not seen to be left unclicked"
        users, whole = _users(np.full(cells.n_users, cells.n_items), limit, rng)
        part, event = _grid(cells, users)
        value = np.where(event >= 0, cells.outcome[event], 0.0).astype(np.float32)
        return Seen(fit.scm.outcome, part, value, None, whole, cells)
    counts = np.bincount(_user(cells)[cells.known], minlength=cells.n_users)
    users, whole = _users(counts, limit, rng)
    rows = np.flatnonzero(cells.known & np.isin(_user(cells), users))
    if not len(rows):
        return "the log has no outcome of an exposed opportunity"
    part = _rows(cells, rows)
    exposure = None if cells.exposure is None else cells.exposure[rows]
    return Seen(fit.scm.outcome, part, cells.outcome[rows], exposure, whole, cells)


def exposures(fit: Fit, cells: Cells, limit: int, rng: int) -> Seen | str:
    """The opportunities at which it was seen whether the item was exposed, or why there are none to compare."""
    how = fit.treatment
    if how.sum_exposure:
        return "the exposure was not logged"
    if not how.implied:
        assert cells.exposure is not None
        if np.all(cells.exposure == cells.exposure[:1]):
            return "every row of the log has the same exposure"
        counts = np.diff(cells.pointer)
        users, whole = _users(counts, limit, rng)
        rows = np.flatnonzero(np.isin(_user(cells), users))
        return Seen(fit.scm.exposure, _rows(cells, rows), cells.exposure[rows], None, whole, cells)
    if cells is not fit.cells:
        return "in another log of interactions only, cells without an event were not seen to be unexposed"
    users, whole = _users(np.full(cells.n_users, cells.n_items), limit, rng)
    part, event = _grid(cells, users)
    return Seen(fit.scm.exposure, part, (event >= 0).astype(np.float32), None, whole, cells)


def _user(cells: Cells) -> np.ndarray:
    return np.repeat(np.arange(cells.n_users), np.diff(cells.pointer))


def _users(counts: np.ndarray, limit: int, rng: int) -> tuple[np.ndarray, bool]:
    """Users taken at random until their opportunities reach the limit (at least one), ascending."""
    if counts.sum() <= limit:
        return np.arange(len(counts)), True
    order = _rng.generator(rng, "users checked").permutation(len(counts))
    taken = max(1, int(np.searchsorted(np.cumsum(counts[order]), limit, side="right")))
    return np.sort(order[:taken]), False


def _rows(cells: Cells, rows: np.ndarray) -> Population:
    columns = {name: values[rows] for name, values in cells.columns.items()}
    return Population(_user(cells)[rows], cells.item[rows], columns, None, "rows of the log")


def _grid(cells: Cells, users: np.ndarray) -> tuple[Population, np.ndarray]:
    """Every event and every cell without one of some users; and the index of each one's event, -1 for none."""
    place = np.full(cells.n_users, -1)
    place[users] = np.arange(len(users))
    local = place[_user(cells)]
    events = np.flatnonzero(local >= 0)
    free = np.ones((len(users), cells.n_items), bool)
    free[local[events], cells.item[events]] = False
    row, column = np.nonzero(free)
    user, item = np.concatenate([users[local[events]], users[row]]), np.concatenate([cells.item[events], column])
    event = np.concatenate([events, np.full(len(row), -1)])
    return Population(user, item, {}, None, "cells of the grid"), event


def part_of(cells: Cells, users: np.ndarray | None, items: np.ndarray | None) -> tuple[Cells, np.ndarray]:
    """The events of some users and items alone, with codes of their own; and those events' places among the whole."""
    user = _user(cells)
    new_user, n_users = _codes(cells.n_users, users)
    new_item, n_items = _codes(cells.n_items, items)
    kept = np.flatnonzero((new_user[user] >= 0) & (new_item[cells.item] >= 0))
    codes = new_user[user[kept]]
    kept = kept[np.argsort(codes, kind="stable")]
    codes = new_user[user[kept]]
    pointer = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=n_users))]).astype(np.int64)
    made = dataclasses.replace(
        cells,
        n_users=n_users,
        n_items=n_items,
        pointer=pointer,
        item=new_item[cells.item[kept]],
        exposure=None if cells.exposure is None else cells.exposure[kept],
        outcome=cells.outcome[kept],
        known=cells.known[kept],
        columns={name: values[kept] for name, values in cells.columns.items()},
        order=cells.order[kept],
        user_features=cells.user_features if users is None else cells.user_features[users],
        item_features=cells.item_features if items is None else cells.item_features[items],
    )
    return made, kept


def _codes(n: int, chosen: np.ndarray | None) -> tuple[np.ndarray, int]:
    if chosen is None:
        return np.arange(n), n
    codes = np.full(n, -1)
    codes[chosen] = np.arange(len(chosen))
    return codes, len(chosen)
