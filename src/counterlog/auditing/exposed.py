"""The exposed rows of a log, with the exposures of every known item and user."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from counterlog.logs.log import InteractionLog


@dataclass(frozen=True, eq=False)
class Exposed:
    """Rows with exposure 1; all rows of a log without an exposure column.

    Parameters
    ----------
    users, items
        int64 ``[rows]``: codes.
    outcome, position, propensity
        float64 ``[rows]``, or None where the log has no such column.
    n_users, n_items
        Known ids, with or without exposures.
    """

    users: np.ndarray
    items: np.ndarray
    outcome: np.ndarray | None
    position: np.ndarray | None
    propensity: np.ndarray | None
    n_users: int
    n_items: int

    @property
    def rows(self) -> int:
        """Number of exposures."""
        return len(self.users)

    @cached_property
    def by_item(self) -> np.ndarray:
        """int64 ``[n_items]``: exposures of each known item."""
        return np.bincount(self.items, minlength=self.n_items)

    @cached_property
    def by_user(self) -> np.ndarray:
        """int64 ``[n_users]``: exposures of each known user."""
        return np.bincount(self.users, minlength=self.n_users)

    @property
    def active_users(self) -> int:
        """Users with at least one exposure."""
        return int(np.count_nonzero(self.by_user))

    def known(self, *columns: np.ndarray | None) -> np.ndarray:
        """Bool ``[rows]``: rows in which every given column has a value."""
        keep = np.ones(self.rows, bool)
        for column in columns:
            if column is not None:
                keep &= np.isfinite(column)
        return keep


def exposed_rows(log: InteractionLog) -> Exposed:
    """The exposed rows of ``log``."""
    keep = slice(None) if log.exposure is None else np.flatnonzero(log.exposure == 1)

    def chosen(column: np.ndarray | None) -> np.ndarray | None:
        return None if column is None else column[keep]

    return Exposed(
        users=log.user_codes[keep],
        items=log.item_codes[keep],
        outcome=chosen(log.outcome),
        position=chosen(log.position),
        propensity=chosen(log.propensity),
        n_users=len(log.users),
        n_items=len(log.items),
    )


def most_exposed(log: InteractionLog, exposed: Exposed, most: int = 5) -> list[dict[str, Any]]:
    """The items with most exposures: ``item`` as text and ``exposures``, ties in the order of the vocabulary."""
    order = np.argsort(-exposed.by_item, kind="stable")[:most]
    ids = log.items.ids.take(pa.array(order)).to_pylist()
    return [{"item": str(i), "exposures": int(exposed.by_item[code])} for i, code in zip(ids, order, strict=True)]


def by_user(rows: int, users: int) -> str:
    """How many rows of how many users, for a sentence."""
    return f"{rows:,} exposure{'s' * (rows != 1)} of {users:,} user{'s' * (users != 1)}"
