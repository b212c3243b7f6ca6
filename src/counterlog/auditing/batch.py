"""Synthetic rows as an audit reads them: exposed rows coded by the real log's vocabularies, and what their card
says.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from counterlog.auditing.finding import jsonable
from counterlog.errors import InputError
from counterlog.logs.log import InteractionLog


@dataclass(frozen=True, eq=False)
class Batch:
    """The synthetic rows of one batch.

    Parameters
    ----------
    table
        All its rows but those marked as real.
    users, items
        int64 ``[exposed rows]``: codes in the real log's vocabularies, -1 for ids that it does not know.
    outcome
        float64 ``[exposed rows]``, or None.
    own_users
        int64 ``[exposed rows]``: the users numbered from 0 as they occur here, known to the real log or not.
    card
        Where it came from; empty if nothing is known.
    """

    table: pa.Table
    users: np.ndarray
    items: np.ndarray
    outcome: np.ndarray | None
    own_users: np.ndarray
    card: Mapping[str, Any]

    @cached_property
    def per_user(self) -> np.ndarray:
        """int64 ``[synthetic users]``: exposures of each synthetic user."""
        return np.bincount(self.own_users)

    @property
    def intervened(self) -> bool:
        """True if the card names an intervention: the rows are meant to differ from the log."""
        found = self.card.get("intervention")
        return any(found.values()) if isinstance(found, Mapping) else bool(found)

    @property
    def counterfactual(self) -> bool:
        """True if the rows are the real events in another world."""
        rungs = set(pc.unique(self.table["rung"]).to_pylist()) if "rung" in self.table.column_names else set()
        return self.card.get("kind") == "counterfactual" or rungs == {"L3"}

    @property
    def set_by_hand(self) -> Mapping[str, Any]:
        """The arguments that the batch was asked for with, rows a user among them."""
        found = self.card.get("arguments")
        return found if isinstance(found, Mapping) else {}

    def about(self) -> dict[str, Any]:
        """Batch name, rows, rung, intervention and identification card, for a report."""
        return {
            "batch": str(self.card.get("batch", "")),
            "rows": self.table.num_rows,
            "rung": self.rung(),
            "intervention": jsonable(self.card.get("intervention")),
            "card": jsonable(self.card.get("identification")),
        }

    def rung(self) -> str | None:
        """The rung that the rows state, if they all state the same."""
        if "rung" not in self.table.column_names or not self.table.num_rows:
            return None
        rungs = pc.unique(self.table["rung"]).to_pylist()
        return str(rungs[0]) if len(rungs) == 1 else None


def read_batch(synthetic: Any, log: InteractionLog) -> Batch:
    """Read synthetic rows beside the log that they should be like.

    Parameters
    ----------
    synthetic
        A table; an object with ``table`` and ``card``; a store or its path, of which the newest batch is read.
    log
        The real log: its roles name the columns.

    Raises
    ------
    InputError
        Something else was given, a column of user, item or exposure is missing, or there is no synthetic row.
    """
    table, card = _table_and_card(synthetic)
    if "source" in table.column_names:
        table = table.filter(pc.fill_null(pc.not_equal(table["source"].cast(pa.string()), "real"), True))
    roles = log.roles
    needed = [c for c in (roles.user, roles.item, roles.exposure) if c is not None]
    missing = [c for c in needed if c not in table.column_names]
    if missing:
        raise InputError(
            f"the synthetic rows have no column {', '.join(map(repr, missing))}; columns: "
            f"{', '.join(table.column_names)}. They need the real log's columns under the same names"
        )
    kept = table if roles.exposure is None else table.filter(pc.equal(_numbers(table, roles.exposure), 1.0))
    if not kept.num_rows:
        raise InputError(
            f"the synthetic batch has no exposed row in {table.num_rows:,} synthetic rows, so there is nothing to "
            "compare"
        )
    outcome = None
    if roles.outcome is not None and roles.outcome in kept.column_names:
        outcome = _numbers(kept, roles.outcome).to_numpy(zero_copy_only=False)
    return Batch(
        table=table,
        users=log.users.codes(kept[roles.user], missing="declare"),
        items=log.items.codes(kept[roles.item], missing="declare"),
        outcome=outcome,
        own_users=_numbered(kept[roles.user]),
        card=card,
    )


def _numbered(column: pa.ChunkedArray) -> np.ndarray:
    encoded = column.combine_chunks().dictionary_encode() if not pa.types.is_dictionary(column.type) else None
    codes = (column.combine_chunks() if encoded is None else encoded).indices
    return codes.to_numpy(zero_copy_only=False).astype(np.int64)


def _numbers(table: pa.Table, column: str) -> pa.ChunkedArray:
    try:
        return table[column].cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(
            f"column {column!r} of the synthetic rows is {table[column].type}, expected numbers ({error})"
        ) from error


def _table_and_card(synthetic: Any) -> tuple[pa.Table, Mapping[str, Any]]:
    if isinstance(synthetic, pa.Table):
        return synthetic, {}
    if hasattr(synthetic, "table") and hasattr(synthetic, "card"):
        return synthetic.table, synthetic.card
    if isinstance(synthetic, str | os.PathLike):
        from counterlog.synth.store import open_store

        synthetic = open_store(synthetic)
    if hasattr(synthetic, "history") and hasattr(synthetic, "read"):
        history = synthetic.history()
        if not history:
            raise InputError(f"the store {getattr(synthetic, 'path', '')} has no batch, so there is nothing to compare")
        return synthetic.read(batch=history[-1]["batch"]), history[-1]["card"]
    raise InputError(
        f"synthetic rows are a synthetic log, an Arrow table, a store or its path, not a {type(synthetic).__name__}"
    )
