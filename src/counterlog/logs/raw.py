"""Tables as they were read, before any of it is believed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from counterlog.errors import InputError
from counterlog.logs.problems import Problem, Severity, first, listing
from counterlog.logs.roles import Roles


@dataclass(frozen=True)
class RawTable:
    """A table as read: text where the source knows no types.

    ``header`` holds every column of the source, ``table`` those that were asked for and exist. ``skipped`` are the
    numbers of the rows that could not be split into the header's fields (1 is the first row after the header), with
    their text.
    """

    source: str
    table: pa.Table
    header: tuple[str, ...]
    textual: bool = False
    separator: str | None = None
    skipped: tuple[tuple[int, str], ...] = ()
    skipped_count: int = 0

    @property
    def rows(self) -> int:
        """Rows that could be read."""
        return self.table.num_rows

    def column(self, name: str) -> pa.ChunkedArray | None:
        """A column, or None if the source has none of that name."""
        return self.table[name] if name in self.table.column_names else None

    def row_numbers(self, indices: np.ndarray) -> tuple[int, ...]:
        """Numbers in the source (from 1) of rows of ``table``."""
        if not self.skipped:
            return tuple(int(i) + 1 for i in indices)
        gaps = np.array([number for number, _ in self.skipped])
        # The k-th skipped row moves every kept row from (its number - k) on by one.
        return tuple(
            int(i) + 1 + int(np.searchsorted(gaps - np.arange(len(gaps)), i + 1, side="right")) for i in indices
        )

    def problem(self, code: str, column: str, severity: Severity, mask: np.ndarray, message: str) -> Problem:
        """A problem of the rows where ``mask`` is true; the message gets the numbers of the first ones."""
        numbers = self.row_numbers(first(mask))
        count = int(mask.sum())
        where = f" ({'row' if count == 1 else 'rows'} {listing(numbers)}{', ...' if count > len(numbers) else ''})"
        return Problem(code, column, severity, count, numbers, message.replace("{where}", where))


@dataclass(frozen=True)
class RawLog:
    """What the examination starts from: the events, the feature tables, and who plays which role."""

    events: RawTable
    roles: Roles
    users: RawTable | None = None
    items: RawTable | None = None
    name: str = "log"
    licence: str = ""
    notes: tuple[str, ...] = ()


def duplicates(names: Iterable[str]) -> list[str]:
    """The names that occur more than once, in order."""
    seen: set[str] = set()
    return list(dict.fromkeys(n for n in names if n in seen or seen.add(n)))  # type: ignore[func-returns-value]


def plain_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column with dictionaries decoded and every kind of text as ``string``."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        try:
            return column.cast(pa.string())
        except pa.ArrowInvalid as error:
            raise InputError(
                f"a text column is too large for one chunk ({error}); write it in several row groups"
            ) from error
    return column
