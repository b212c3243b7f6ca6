"""Over which opportunities an answer is averaged, and how they are shown to a program in pieces."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from counterlog import rng as _rng
from counterlog.errors import InputError, RefusedError
from counterlog.model.interventions import Intervention
from counterlog.model.view import Context, Opportunities, View

if TYPE_CHECKING:
    from counterlog.inference import Draw, Fit
    from counterlog.inference.cells import Cells

#: Opportunities of one piece: enough to make a run's fixed cost small, few enough to stay in the cache.
PIECE = 131_072


@dataclass(frozen=True, eq=False)
class Population:
    """Opportunities by user and item code, with the context of each; ``rows`` are the log's rows, or None for cells of
    the grid.

    ``sentence`` says in words what it is; ``share`` is the part of the whole that was taken.
    """

    user: np.ndarray
    item: np.ndarray
    columns: Mapping[str, np.ndarray]
    rows: np.ndarray | None
    sentence: str
    share: float = 1.0

    def __len__(self) -> int:
        return len(self.user)

    def take(self, index: np.ndarray | slice) -> Population:
        """Some of the opportunities."""
        columns = {name: values[index] for name, values in self.columns.items()}
        rows = None if self.rows is None else self.rows[index]
        return Population(self.user[index], self.item[index], columns, rows, self.sentence, self.share)


def population(fit: Fit, limit: int, rng: int) -> Population:
    """The log's own opportunities where it has them, else all cells of the grid; a uniform sample where there are more
    than ``limit``.
    """
    cells = fit.cells
    if not fit.treatment.implied:
        whole = log_rows(fit)
        said = f"the {len(whole):,} opportunities of the log"
        if len(whole) <= limit:
            return Population(whole.user, whole.item, whole.columns, whole.rows, said)
        part = whole.take(some_of(cells, whole, limit, _rng.generator(rng, "population")))
        said = f"{len(part):,} of {said}, sampled"
        return Population(part.user, part.item, part.columns, part.rows, said, len(part) / len(whole))
    total = cells.n_users * cells.n_items
    said = f"all {cells.n_users:,} users x {cells.n_items:,} items"
    if total <= limit:
        user, item = np.divmod(np.arange(total), cells.n_items)
        return Population(user, item, {}, None, said)
    generator = _rng.generator(rng, "population")
    key = np.unique(generator.integers(0, total, limit))
    user, item = np.divmod(key, cells.n_items)
    return Population(user, item, {}, None, f"{len(key):,} cells sampled from {said}", len(key) / total)


def some_of(cells: Cells, whole: Population, limit: int, generator: np.random.Generator) -> np.ndarray:
    """Indices of at most ``limit`` opportunities drawn uniformly, in order; where rows stay together whole groups are
    drawn (one at least).
    """
    if cells.together is None:
        return np.sort(generator.choice(len(whole), limit, replace=False))
    _, group, sizes = np.unique(whole.columns[cells.together], return_inverse=True, return_counts=True)
    order = generator.permutation(len(sizes))
    taken = order[: max(1, int(np.searchsorted(np.cumsum(sizes[order]), limit, side="right")))]
    return np.flatnonzero(np.isin(group, taken))


def cuts(cells: Cells, whole: Population, size: int) -> np.ndarray:
    """Where a population is cut into parts of about ``size``: rows that stay together stand side by side, and the cut
    is moved back to where their group begins (on to where it ends, if it is larger than a part).
    """
    n = len(whole)
    wanted = np.arange(0, n, size)
    if cells.together is not None and n:
        group = whole.columns[cells.together]
        begins = np.append(np.flatnonzero(np.append(True, group[1:] != group[:-1])), n)
        wanted = begins[np.searchsorted(begins, wanted, side="right") - 1]
    return np.unique(np.append(wanted, n))


def log_rows(fit: Fit) -> Population:
    """Every row of the log as an opportunity, by user."""
    cells = fit.cells
    user = np.repeat(np.arange(cells.n_users), np.diff(cells.pointer))
    return Population(user, cells.item, cells.columns, cells.order, f"the {cells.n:,} rows of the log")


def _rows_for(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows of a table that some codes need, and where each code's row is among them.

    A run of rows, some of them needed by none, where it is not much longer than the codes; else just the rows needed,
    which takes a sort.
    """
    first, last = int(codes.min(initial=0)), int(codes.max(initial=-1))
    if last + 1 - first <= 2 * len(codes):
        return np.arange(first, last + 1), codes - first
    return np.unique(codes, return_inverse=True)


def view_of(cells: Cells, part: Population) -> tuple[View, Tensor, Tensor]:
    """A view of these opportunities, and the user and item codes of its rows (int64)."""
    users, user = _rows_for(part.user)
    items, item = _rows_for(part.item)
    columns = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in part.columns.items()}
    rows = Opportunities(torch.from_numpy(user), torch.from_numpy(item), Context(columns))
    view = View(
        torch.from_numpy(cells.user_features[users]),
        torch.from_numpy(cells.item_features[items]),
        rows,
        cells.n_levels,
        cells.n_positions,
    )
    return view, torch.from_numpy(users), torch.from_numpy(items)


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a population as a view, ready to be given the latents of a draw."""

    part: Population
    start: int
    view: View
    users: Tensor
    items: Tensor

    def given(self, draw: Draw) -> dict[str, Tensor]:
        """The latents of the piece's users and items in a draw, and its context."""
        return {**draw.values(self.users, self.items), **self.view.rows.context}


def pieces(cells: Cells, whole: Population, size: int = PIECE) -> Iterator[Piece]:
    """The population in consecutive parts, so that memory is bounded by one; what stays together is in one part."""
    for start, stop in pairwise(cuts(cells, whole, size).tolist()):
        part = whole.take(slice(start, stop))
        view, users, items = view_of(cells, part)
        yield Piece(part, start, view, users, items)


def coded(fit: Fit, do: Intervention) -> Intervention:
    """An intervention in the program's own numbers: a rating that people fix in the log's units becomes the index of
    its level.

    Raises
    ------
    InputError
        The log has no such level.
    RefusedError
        A shift of a rating, whose levels end.
    """
    outcome, levels = fit.scm.outcome, np.asarray(fit.cells.levels)
    if not len(levels) or outcome not in do.sites():
        return do
    shown = ", ".join(f"{level:g}" for level in levels)
    if outcome in do.shifted:
        raise RefusedError(
            f"{outcome} has the levels {shown} and cannot be shifted; fix or replace it, or shift one of its causes"
        )
    if outcome not in do.fixed:
        return do
    try:
        value = np.asarray(do.fixed[outcome], dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"fix({outcome}={do.fixed[outcome]!r}): the log's levels are {shown}") from None
    index = np.searchsorted(levels, value).clip(max=len(levels) - 1)
    if not np.array_equal(levels[index], value):
        raise InputError(f"fix({outcome}={do.fixed[outcome]}) is outside the log's levels: {shown}")
    return dataclasses.replace(do, fixed={**do.fixed, outcome: index})


def local(fit: Fit, do: Intervention, piece: Piece) -> Intervention:
    """The intervention for one piece: of an array with a value for each user, item or row of the log, the piece's own.

    Raises
    ------
    InputError
        An array of another length, or values for each row where the opportunities are no rows of the log.
    """
    fixed = dict(do.fixed)
    sites = fit.scm.sites()
    for name, value in do.fixed.items():
        site = sites[name]
        if np.ndim(value) <= len(site.event_shape) or site.plate is None:
            continue
        given = np.asarray(value)
        rows = piece.part.rows
        index, total, what = {
            "users": (piece.users.numpy(), fit.cells.n_users, "user"),
            "items": (piece.items.numpy(), fit.cells.n_items, "item"),
            "opportunities": (rows, fit.log.rows if rows is not None else -1, "row of the log"),
        }[site.plate]
        if len(given) != total or index is None:
            wanted = f"{total:,}" if total >= 0 else "no such array: these are all cells of the grid, not"
            raise InputError(f"fix({name}=...) got {len(given):,} values; expected {wanted}, one for each {what}")
        fixed[name] = given[index]
    return dataclasses.replace(do, fixed=fixed)


def frame(fit: Fit, part: Population) -> Any:
    """The opportunities as a pandas frame of ``user``, ``item`` and context, as a policy reads them.

    Context stands there as the log has it; coded, as programs read it, where the opportunities are not rows of the log.
    """
    import pandas as pd
    import pyarrow as pa

    log = fit.log
    data = {
        "user": log.users.ids.take(pa.array(part.user)).to_pandas(),
        "item": log.items.ids.take(pa.array(part.item)).to_pandas(),
    }
    context: dict[str, Any] = dict(part.columns)
    if part.rows is not None:
        like = pa.array(part.rows)
        for name in context.keys() & set(log.roles.context):
            context[name] = log.table[name].combine_chunks().take(like).to_pandas()
    return pd.DataFrame({**data, **context})
