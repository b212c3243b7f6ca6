"""What a log shows of its events, in the codes of a fit: the evidence of a unit-level counterfactual."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from counterlog.errors import CounterlogError, InputError, RefusedError
from counterlog.inference.cells import encode
from counterlog.inference.population import Population
from counterlog.query.abduction import Observed

if TYPE_CHECKING:
    from counterlog.inference import Fit
    from counterlog.logs import InteractionLog


@dataclass(frozen=True, eq=False)
class Events:
    """The rows of a log in their order: user and item codes of the fit, context, exposure (None where it is latent),
    outcome as the program has it (levels as indices), and where the outcome was seen.
    """

    log: InteractionLog
    where: Population
    exposure: np.ndarray | None
    outcome: np.ndarray
    known: np.ndarray
    unseen: frozenset[str]
    same: bool

    def __len__(self) -> int:
        return len(self.where)

    def take(self, index: np.ndarray) -> Events:
        """Some of the events."""
        exposure = None if self.exposure is None else self.exposure[index]
        return dataclasses.replace(
            self,
            where=self.where.take(index),
            exposure=exposure,
            outcome=self.outcome[index],
            known=self.known[index],
        )

    def observed(self, fit: Fit, part: slice, context: Mapping[str, torch.Tensor]) -> Observed:
        """What was seen of some consecutive events."""
        scm = fit.scm
        values = {**context, scm.outcome: torch.from_numpy(np.ascontiguousarray(self.outcome[part]))}
        if self.exposure is not None:
            values[scm.exposure] = torch.from_numpy(np.ascontiguousarray(self.exposure[part]))
        known = torch.from_numpy(np.ascontiguousarray(self.known[part]))
        complete = bool(known.all())
        unseen = self.unseen - ({scm.outcome} if complete else set())
        return Observed(values, None if complete else known, unseen)


def events(fit: Fit, log: InteractionLog) -> Events:
    """The rows of ``log`` as evidence for ``fit``; any log of the fit's users and items will do.

    Raises
    ------
    InputError
        A log of another kind than the fit was made for: another outcome, no exposure where the fit has one, a level or
        a context that the fit does not know.
    UnknownNameError
        Users, items or values that the fit has not seen.
    RefusedError
        Rows of the program depend on each other.
    """
    cells, treatment = fit.cells, fit.treatment
    if fit.scm.together is not None:
        raise RefusedError(
            f"{fit.scm.name} has rows of one {fit.scm.together!r} that depend on each other: what would have become of "
            "one of them depends on the noise of all, which is not abducted; ask `effect` or `simulate` for averages"
        )
    unseen = set(treatment.others) | ({fit.scm.exposure} if treatment.sum_exposure else set())
    unseen |= {fit.scm.outcome} if treatment.sum_outcome else set()
    if log.hash == fit.log.hash:
        back = np.empty(cells.n, np.int64)
        back[cells.order] = np.arange(cells.n)
        exposure = None if cells.exposure is None else cells.exposure[back]
        columns = {name: values[back] for name, values in cells.columns.items()}
        where = Population(log.user_codes, log.item_codes, columns, np.arange(cells.n), "")
        return Events(log, where, exposure, cells.outcome[back], cells.known[back], frozenset(unseen), True)
    _same_kind(fit, log)
    try:
        user = fit.log.users.codes(log.users.ids)[log.user_codes]
        item = fit.log.items.codes(log.items.ids)[log.item_codes]
    except CounterlogError as error:
        raise type(error)(f"the log has events that the fit was not made for: {error}") from error
    exposure = None if treatment.sum_exposure else np.ones(log.rows) if log.exposure is None else log.exposure
    outcome, known = _outcome(fit, log, exposure)
    where = Population(user, item, _columns(fit, log), np.arange(log.rows), "")
    shown = None if exposure is None else exposure.astype(np.float32)
    return Events(log, where, shown, outcome, known, frozenset(unseen), False)


def _same_kind(fit: Fit, log: InteractionLog) -> None:
    mine, theirs = fit.log.roles, log.roles
    if log.outcome is None:
        raise InputError(
            f"the log has no outcome column; the fit is of {mine.outcome!r} ({mine.outcome_kind}): name the column "
            "with outcome= (--outcome)"
        )
    if theirs.outcome_kind != mine.outcome_kind:
        raise InputError(
            f"the log's outcome {theirs.outcome!r} is of kind {theirs.outcome_kind}, the fit was made for a "
            f"{mine.outcome_kind}; give a log of that kind, or a fit of this log"
        )
    if fit.log.exposure is not None and log.exposure is None:
        raise InputError(
            f"the fit was made for a log with an exposure column ({mine.exposure!r}); this log has none: name it with "
            "exposure= (--exposure)"
        )


def _outcome(fit: Fit, log: InteractionLog, exposure: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    values: Any = log.outcome
    known = np.isfinite(values) & (np.ones(log.rows, bool) if exposure is None else exposure > 0)
    levels = np.asarray(fit.cells.levels)
    if not len(levels):
        neutral = 1.0 if log.roles.outcome_kind == "positive" else 0.0
        return np.where(known, values, neutral).astype(np.float32), known
    index = np.searchsorted(levels, np.where(known, values, levels[0])).clip(max=len(levels) - 1)
    strange = known & (levels[index] != values)
    if strange.any():
        raise InputError(
            f"the log has the rating {values[strange][0]:g}, which the fit does not know; its levels: "
            f"{', '.join(f'{level:g}' for level in levels)}"
        )
    return index.astype(np.int64), known


def _columns(fit: Fit, log: InteractionLog) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name, like in fit.cells.columns.items():
        if name == "position" and name not in fit.log.roles.context:
            values = log.position
            if values is None:
                raise InputError("the fit needs the position of each event; name its column with position=")
        elif name not in log.table.column_names:
            raise InputError(f"the log has no column {name!r}, which the fit has; name it with context= (--context)")
        else:
            values = encode(fit.log, name, log.table[name])
        if np.isnan(values).any():
            raise InputError(f"{int(np.isnan(values).sum()):,} rows of the log have no {name!r}; leave them out")
        found[name] = values.astype(like.dtype)
    return found
