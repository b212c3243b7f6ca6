"""What a program is bound to: the log's events by user, what is seen of each, and what the cells without an event
mean.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np

from counterlog.errors import InputError, RefusedError, UnknownNameError, unknown_name

if TYPE_CHECKING:
    import pyarrow as pa

    from counterlog.logs import InteractionLog
    from counterlog.model import SCM


@dataclass(frozen=True)
class Treatment:
    """How what the log does not show is handled.

    ``implied``: the cells of the grid without an event count, as never exposed (``exposure`` observed) or as not
    clicked (``exposure`` summed out). ``sum_exposure``: exposure is latent and summed out. ``sum_outcome``: an unseen
    outcome is a cause of exposure and is summed out; otherwise it is left out of the likelihood. ``others``: further
    discrete latent sites of an opportunity, summed out.
    """

    implied: bool
    sum_exposure: bool
    sum_outcome: bool
    others: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Cells:
    """Events sorted by user, ready to be cut into blocks of users.

    ``pointer`` int64 ``[n_users + 1]``; all others ``[n]``: ``item`` int64, ``exposure`` float32 or None (latent),
    ``outcome`` int64 level index (rating) or float32 (else), ``known`` bool (outcome seen), ``columns`` the context and
    position by name. ``order`` maps sorted events to the log's rows. Events of one value of the column ``together``
    stand side by side.
    """

    n_users: int
    n_items: int
    pointer: np.ndarray
    item: np.ndarray
    exposure: np.ndarray | None
    outcome: np.ndarray
    known: np.ndarray
    columns: Mapping[str, np.ndarray]
    order: np.ndarray
    treatment: Treatment
    levels: tuple[float, ...]
    n_positions: int
    user_features: np.ndarray
    item_features: np.ndarray
    together: str | None = None

    @property
    def n(self) -> int:
        """Number of events."""
        return len(self.item)

    @property
    def n_levels(self) -> int:
        """Number of rating levels, 2 where the outcome is none."""
        return max(2, len(self.levels))


def bind(scm: SCM, log: InteractionLog) -> Cells:
    """The log's events as the program's sites need them.

    Raises
    ------
    InputError
        The outcome's kind does not fit the site, or a site of the program is neither latent nor a column of the log.
    RefusedError
        The log cannot tell what the program asks for.
    """
    sites = scm.validate()
    if log.outcome is None:
        raise InputError(
            f"{scm.name} needs an outcome column for its site {scm.outcome!r}; name it with outcome= (--outcome)"
        )
    _check_kind(scm, log, sites[scm.outcome].discrete)
    treatment = decide(scm, log)
    columns, others = _columns(scm, log, treatment)
    treatment = dataclasses.replace(treatment, others=others)
    if scm.together is None:
        order = np.argsort(log.user_codes, kind="stable")
    else:
        _check_together(scm, log, treatment)
        order = np.lexsort((columns[scm.together], log.user_codes))
    n_users, n_items = len(log.users), len(log.items)
    pointer = np.concatenate([[0], np.cumsum(np.bincount(log.user_codes, minlength=n_users))]).astype(np.int64)
    exposure = None if treatment.sum_exposure else (np.ones(log.rows) if log.exposure is None else log.exposure)
    outcome, known = _outcome(log, exposure)
    position = columns.get("position")
    cells = Cells(
        n_users,
        n_items,
        pointer,
        log.item_codes[order],
        None if exposure is None else exposure[order].astype(np.float32),
        outcome[order],
        known[order],
        {name: values[order] for name, values in columns.items()},
        order,
        treatment,
        log.levels,
        int(np.nanmax(position, initial=1)) if position is not None else 1,
        _standard(log.user_features.values),
        _standard(log.item_features.values),
        scm.together,
    )
    _check_values(scm, log, cells)
    return _coins(scm, cells)


def decide(scm: SCM, log: InteractionLog) -> Treatment:
    """Which cells count and what is summed out, from the log's kind and the program's graph."""
    hidden = scm.exposure in scm.latent
    logged = log.exposure is not None
    if log.clicks_only and not hidden:
        raise RefusedError(
            f"every row of the log is a click and it has no exposure column: {scm.name} takes exposure as seen and "
            "cannot learn from "
            "clicks alone. Use latent_exposure, or give the impressions (--exposure)"
        )
    if logged:
        return Treatment(False, False, _outcome_causes_exposure(scm))
    if hidden:
        return Treatment(log.clicks_only, True, False)
    return Treatment(True, False, _outcome_causes_exposure(scm))


def _outcome_causes_exposure(scm: SCM) -> bool:
    return scm.exposure in nx.descendants(scm.graph(), scm.outcome)


def _check_kind(scm: SCM, log: InteractionLog, discrete: bool) -> None:
    kind = log.roles.outcome_kind
    if kind == "positive" and discrete:
        raise InputError(
            f"{scm.name}'s outcome site {scm.outcome!r} is discrete, but the log's outcome {log.roles.outcome!r} is a "
            "positive real (--outcome-kind positive); choose a model with a continuous outcome"
        )
    if kind != "positive" and not discrete:
        raise InputError(
            f"{scm.name}'s outcome site {scm.outcome!r} is continuous, but the log's outcome {log.roles.outcome!r} "
            "is a "
            f"{kind}; choose a model with a discrete outcome, or --outcome-kind positive"
        )
    expected = {"rating": "rating", "click": "click", "count": "count", "dwell": "positive"}.get(scm.outcome)
    if expected is not None and expected != kind:
        raise InputError(
            f"{scm.name} models a {scm.outcome} (outcome kind {expected}), but the log's outcome "
            f"{log.roles.outcome!r} is of kind {kind}; choose another model or --outcome-kind {expected}"
        )
    if kind == "rating" and len(log.levels) < 2:
        raise InputError(
            f"the ratings in {log.roles.outcome!r} have a single level {log.levels}; a rating needs at least two"
        )


def _outcome(log: InteractionLog, exposure: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Outcome values that are always inside the support, and where they are known: seen and exposed."""
    values = log.outcome
    assert values is not None
    known = np.isfinite(values) & (np.ones(log.rows, bool) if exposure is None else exposure > 0)
    if log.roles.outcome_kind == "rating":
        return np.searchsorted(np.asarray(log.levels), np.where(known, values, log.levels[0])).astype(np.int64), known
    neutral = 1.0 if log.roles.outcome_kind == "positive" else 0.0
    return np.where(known, values, neutral).astype(np.float32), known


def _columns(scm: SCM, log: InteractionLog, treatment: Treatment) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Context and position by name, and the check that every unnamed site of an opportunity has a column."""
    columns = {name: encode(log, name, log.table[name]) for name in log.roles.context if name != scm.together}
    if scm.together is not None:
        if scm.together not in log.roles.context:
            raise unknown_name(
                "column of rows that stay together",
                scm.together,
                log.roles.context,
                f"{scm.name} needs it in the log: name the column with --context.",
            )
        columns[scm.together] = group_codes(log.user_codes, log.table[scm.together])
    if log.position is not None:
        whole = bool(np.isfinite(log.position).all())
        columns["position"] = log.position.astype(np.int64 if whole else np.float32)
    others: list[str] = []
    sites = [
        s for s in scm.sites().values() if s.plate == "opportunities" and s.name not in (scm.exposure, scm.outcome)
    ]
    for site in sites:
        if site.name in scm.latent and site.name not in columns and not site.discrete:
            raise RefusedError(
                f"{scm.name} has a continuous latent site {site.name!r} for every opportunity; a fit needs one "
                "latent a "
                "user or an item, or a discrete one, which is summed out"
            )
        if site.name in scm.latent and site.name not in columns:
            others.append(site.name)
        elif site.name not in columns:
            flag = "--position" if site.name == "position" else "--context"
            raise unknown_name(
                "column for the site",
                site.name,
                columns,
                f"{scm.name} needs it in the log: name the column with {flag}.",
            )
    for name in (s.name for s in sites if s.name in columns):
        null = int(np.isnan(columns[name]).sum())
        if null:
            raise InputError(
                f"{null:,} of {log.rows:,} rows have no {name!r}, which {scm.name} needs for every opportunity; fill "
                "them in or leave those rows out"
            )
    if treatment.implied and columns:
        _refuse_context(scm, log, sorted({s.name for s in sites} & columns.keys()))
        columns = {}
    return columns, tuple(others)


def _refuse_context(scm: SCM, log: InteractionLog, needed: list[str]) -> None:
    """In a log of interactions only the cells without an event have no context, so a program may not ask for any."""
    from counterlog.model.view import tiny_view

    if not needed:
        try:
            scm.sites(tiny_view(context={}))
        except UnknownNameError as error:
            needed = [name for name in log.roles.context if f"no context {name!r}" in str(error)]
            if not needed:
                raise
    if needed:
        raise RefusedError(
            f"the log has interactions only, so cells without an event have no {', '.join(needed)}; {scm.name} needs "
            "it for every opportunity. "
            "Give a log with an exposure column (--exposure), one row an opportunity"
        )


def encode(log: InteractionLog, name: str, column: pa.ChunkedArray) -> np.ndarray:
    """A context column as a program reads it: numbers as float32 (null is NaN); text, booleans and times as int64 codes
    of the log's values in sorted order.

    Nulls among those have the code after the last.

    Raises
    ------
    UnknownNameError
        A value that the log's own column does not have.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if _is_number(log, name):
        return column.cast(pa.float32(), safe=False).to_numpy(zero_copy_only=False)
    text = column.cast(pa.string())
    levels = _levels(log, name)
    codes = pc.index_in(text, value_set=levels)
    unseen = pc.and_(codes.is_null(), text.is_valid())
    if pc.any(unseen).as_py():
        raise unknown_name(
            f"value of {name!r}", str(text.filter(unseen)[0]), levels.to_pylist(), "The fit has not seen it."
        )
    return codes.fill_null(len(levels)).to_numpy(zero_copy_only=False).astype(np.int64)


def group_codes(user: np.ndarray, column: pa.ChunkedArray) -> np.ndarray:
    """One int64 code for each pair of a user and a value of a column, counted from 0: what stays together is one
    user's, and numbers are told apart that a float32 would not.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.null_count:
        raise InputError(
            f"{column.null_count:,} rows have no value in the column that keeps rows together; fill them in or leave "
            "those rows out"
        )
    values = pc.dictionary_encode(column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column)
    codes = values.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    found: np.ndarray = np.unique(user * (int(codes.max(initial=0)) + 1) + codes, return_inverse=True)[1]
    return found


def _check_together(scm: SCM, log: InteractionLog, treatment: Treatment) -> None:
    """Rows that depend on each other cannot be summed out one by one, and each must be known."""
    summed = [*treatment.others, *([scm.exposure] if treatment.sum_exposure else [])]
    summed += [scm.outcome] if treatment.sum_outcome else []
    if summed or treatment.implied:
        what = f"sites that were not seen ({', '.join(summed)})" if summed else "cells without an event"
        raise RefusedError(
            f"{scm.name} has rows of one {scm.together!r} that depend on each other, so that {what} cannot be summed "
            "out row by row; give a log with an exposure column (--exposure), one row an opportunity"
        )
    outcome = log.outcome
    assert outcome is not None
    shown = np.ones(log.rows, bool) if log.exposure is None else log.exposure > 0
    missing = int((shown & ~np.isfinite(outcome)).sum())
    if missing:
        raise InputError(
            f"{missing:,} exposed rows have no {log.roles.outcome!r}; rows of one {scm.together!r} depend on each "
            "other, so all must be known: leave out each group with a gap"
        )


def levels_of(log: InteractionLog, name: str, values: np.ndarray) -> pa.Array | np.ndarray:
    """What `encode` read as these numbers: the numbers themselves, or the log's values of these codes."""
    import pyarrow as pa

    if _is_number(log, name):
        return values
    levels = _levels(log, name)
    codes = pa.array(values.astype(np.int64), mask=values >= len(levels))
    return levels.take(codes).cast(log.table[name].type)


def _is_number(log: InteractionLog, name: str) -> bool:
    import pyarrow as pa

    kind = log.table[name].type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _levels(log: InteractionLog, name: str) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    levels = pc.unique(log.table[name].cast(pa.string())).drop_null()
    levels = levels.take(pc.sort_indices(levels))
    return levels.combine_chunks() if isinstance(levels, pa.ChunkedArray) else levels


def _check_values(scm: SCM, log: InteractionLog, cells: Cells) -> None:
    """The lowest and the highest value of each column must be ones that the site of its name can take."""
    import torch

    from counterlog import rng as _rng
    from counterlog.inference.tables import sample_view

    seen = {scm.outcome: cells.outcome[cells.known], **cells.columns}
    with _rng.seeded(0, "values", scm.name):
        nodes = scm.trace(sample_view(cells))
    for name in seen.keys() & nodes.keys():
        if len(seen[name]):
            ends = torch.from_numpy(np.stack([seen[name].min(), seen[name].max()]))
            fine = [bool(nodes[name]["fn"].support.check(end).all()) for end in ends]
            if not all(fine):
                raise InputError(
                    f"the log's {log.roles.outcome if name == scm.outcome else name!r} goes from {ends[0]:g} to "
                    f"{ends[1]:g}, but site {name!r} of "
                    f"{scm.name} ({type(nodes[name]['fn']).__name__}) cannot take such values; choose another model "
                    "or outcome kind"
                )


def _coins(scm: SCM, cells: Cells) -> Cells:
    """Codes of truth values or text as 0.0 and 1.0 where the site of their name is a coin, whose probability takes no
    integers.
    """
    import torch

    from counterlog import rng as _rng
    from counterlog.inference.tables import sample_view

    codes = {name for name, values in cells.columns.items() if np.issubdtype(values.dtype, np.integer)}
    codes &= scm.sites().keys()
    if not codes:
        return cells
    with _rng.seeded(0, "coins", scm.name):
        nodes = scm.trace(sample_view(cells))
    coins = {name for name in codes if isinstance(nodes[name]["fn"], torch.distributions.Bernoulli)}
    columns = {name: v.astype(np.float32) if name in coins else v for name, v in cells.columns.items()}
    return dataclasses.replace(cells, columns=columns)


def _standard(values: np.ndarray) -> np.ndarray:
    """Features centred; numbers (not 0/1 indicators) scaled to unit variance as well."""
    if values.size == 0:
        return values.astype(np.float32)
    centred = values - values.mean(0)
    binary = np.all((values == 0) | (values == 1), axis=0)
    sd = centred.std(0)
    return (centred / np.where(binary | (sd == 0), 1.0, sd)).astype(np.float32)
