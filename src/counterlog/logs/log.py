"""InteractionLog: what happened, frozen, Arrow inside."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from counterlog.logs.roles import Roles
from counterlog.logs.vocabulary import Vocabulary

if TYPE_CHECKING:
    from counterlog.logs.describe import Description
    from counterlog.logs.problems import Check


@dataclass(frozen=True, eq=False)
class Features:
    """One row a known user (or item), in vocabulary order: ``values`` float32 ``[n, p]``, centred by nobody; ``names``
    length p.

    Text columns are one-hot encoded as ``column=level``. ``missing`` marks ids without a row in the feature file
    (their values are the column means).
    """

    names: tuple[str, ...]
    values: np.ndarray
    missing: np.ndarray

    @classmethod
    def empty(cls, n: int) -> Features:
        """No features for ``n`` ids."""
        return cls((), np.zeros((n, 0), np.float32), np.zeros(n, bool))


@dataclass(frozen=True, eq=False)
class InteractionLog:
    """A recommender's log: one row an event, columns by role, users and items by vocabulary.

    With an ``exposure`` column every row is an opportunity, shown (1) or not (0). Without one the rows are
    interactions only, and the other cells of the user-by-item grid are implied: never exposed, or not known to have
    been.

    Parameters
    ----------
    table
        The columns that have a role, under their own names, in the log's own order.
    roles
        Which column plays which role.
    users, items
        Known ids: those of the events and those of the feature tables.
    user_features, item_features
        One row a known id, in vocabulary order.
    name, licence
        Where the log came from, and under which terms; carried into cards and reports.
    """

    table: pa.Table
    roles: Roles
    users: Vocabulary
    items: Vocabulary
    user_features: Features
    item_features: Features
    name: str = "log"
    licence: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def rows(self) -> int:
        """Number of events."""
        return self.table.num_rows

    @cached_property
    def user_codes(self) -> np.ndarray:
        """int64 ``[rows]``: each event's user as an index into ``users.ids``."""
        return self.users.codes(self.table[self.roles.user])

    @cached_property
    def item_codes(self) -> np.ndarray:
        """int64 ``[rows]``: each event's item as an index into ``items.ids``."""
        return self.items.codes(self.table[self.roles.item])

    @cached_property
    def outcome(self) -> np.ndarray | None:
        """float64 ``[rows]``: the outcome as logged; NaN where null."""
        return self._number(self.roles.outcome)

    @cached_property
    def exposure(self) -> np.ndarray | None:
        """float64 ``[rows]`` of 0 and 1, or None if every row is an interaction."""
        return self._number(self.roles.exposure)

    @cached_property
    def position(self) -> np.ndarray | None:
        """float64 ``[rows]``: rank in the slate from 1, or None."""
        return self._number(self.roles.position)

    @cached_property
    def propensity(self) -> np.ndarray | None:
        """float64 ``[rows]``: logged P(exposure = 1), or None."""
        return self._number(self.roles.propensity)

    @cached_property
    def levels(self) -> tuple[float, ...]:
        """The distinct outcome values of a rating, ascending (half stars included); empty for other kinds."""
        if self.roles.outcome_kind != "rating" or self.outcome is None:
            return ()
        return tuple(float(x) for x in np.unique(self.outcome[np.isfinite(self.outcome)]))

    @property
    def clicks_only(self) -> bool:
        """True for clicks without impressions: no exposure column, and no row but clicks."""
        known = self.outcome is not None and self.roles.outcome_kind == "click"
        return bool(known and self.exposure is None and self.rows and np.all(self.outcome == 1))

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the events, the roles, both vocabularies and the features."""
        digest = hashlib.sha256(repr(self.roles).encode())
        for part in (self.users.hash, self.items.hash):
            digest.update(part.encode())
        for features in (self.user_features, self.item_features):
            digest.update(repr(features.names).encode() + np.ascontiguousarray(features.values).tobytes())
        for column in self.table.column_names:
            digest.update(column.encode() + _column_digest(self.table[column]))
        return digest.hexdigest()

    @cached_property
    def timestamp(self) -> np.ndarray | None:
        """datetime64[us] ``[rows]``: when each event happened, in UTC, or None."""
        if self.roles.timestamp is None:
            return None
        micros = self.table[self.roles.timestamp].cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        return np.asarray(micros.to_numpy()).astype("datetime64[us]")

    @cached_property
    def exposed(self) -> np.ndarray:
        """Mask, bool ``[rows]``: the events whose outcome counts; all of them without an exposure column."""
        return np.ones(self.rows, bool) if self.exposure is None else self.exposure == 1

    def check(self) -> Check:
        """Every remark on this log; errors were refused when it was made."""
        from counterlog.logs.sources import check_log

        return check_log(self)

    def describe(self) -> Description:
        """Its empirical distributions as numbers."""
        from counterlog.logs.describe import describe

        return describe(self)

    def save(self, path: str | PathLike[str], *, force: bool = False) -> Path:
        """Write it as a folder, see ``save_log``."""
        from counterlog.logs.folder import save_log

        return save_log(self, path, force=force)

    def _repr_html_(self) -> str:
        from counterlog.logs.show import summary_html

        return summary_html(self)

    def _number(self, column: str | None) -> np.ndarray | None:
        if column is None:
            return None
        return self.table[column].cast(pa.float64()).to_numpy(zero_copy_only=False)


def _column_digest(column: pa.ChunkedArray) -> bytes:
    """The content of a column, independent of chunks and of what stands where a value is null."""
    digest = hashlib.sha256(f"{column.type}:{len(column)}".encode())
    digest.update(np.packbits(_flat(column.is_null())).tobytes())
    if pa.types.is_string(column.type):
        filled = pc.fill_null(column, "")
        digest.update(_flat(pc.binary_length(filled)).astype(np.int32).tobytes())
        for chunk in filled.chunks:
            data = chunk.buffers()[2]
            if data is not None and len(chunk):
                offsets = np.frombuffer(chunk.buffers()[1], np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
                digest.update(memoryview(data)[int(offsets[0]) : int(offsets[-1])])
    elif pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        digest.update(_flat(column.cast(pa.timestamp("ns"), safe=False).cast(pa.int64()).fill_null(0)).tobytes())
    elif pa.types.is_boolean(column.type):
        digest.update(_flat(column.fill_null(False)).tobytes())
    elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        digest.update(_flat(column.fill_null(0)).tobytes())
    else:
        digest.update(repr(column.to_pylist()).encode())
    return digest.digest()


def _flat(column: pa.ChunkedArray) -> np.ndarray:
    return np.ascontiguousarray(column.to_numpy())
