"""What can be wrong with timestamps, and with events that repeat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from counterlog.logs.numeric import to_numpy
from counterlog.logs.problems import Problem, first, listing, plural
from counterlog.logs.raw import RawTable
from counterlog.logs.times import PLAUSIBLE, Times, parse_times


def check_times(raw: RawTable, name: str) -> tuple[Times | None, list[Problem]]:
    """Timestamps are instants, all stated in the same way."""
    column = raw.column(name)
    if column is None:
        return None, []
    times = parse_times(column)
    every = np.ones(raw.rows, bool)
    if times is None:
        message = (
            f"timestamps in column {name!r} are {column.type}; they must be times, dates, epoch numbers or ISO 8601 "
            "text"
        )
        return None, [raw.problem("timestamp_type", name, "error", every, message)]
    found = []

    def report(code: str, severity: str, mask: np.ndarray, message: str) -> None:
        if mask.any():
            found.append(raw.problem(code, name, "error" if severity == "error" else "warning", mask, message))

    shown = listing(times.column[int(i)].as_py() for i in first(times.bad))
    report(
        "timestamp_unparsable",
        "error",
        times.bad,
        f"{plural(int(times.bad.sum()), 'timestamp')} in column {name!r} cannot be read: {shown}{{where}}; write "
        "ISO 8601 "
        "(2026-11-25T14:47:00Z) or seconds since 1970, the same way in every row",
    )
    mixed = times.mixed_zones
    report(
        "mixed_zones",
        "error",
        mixed,
        f"column {name!r} mixes times with and without a zone; the smaller group has "
        f"{plural(int(mixed.sum()))}{{where}}: "
        "state the zone everywhere (Z for UTC), or nowhere",
    )
    report(
        "null_timestamp",
        "error",
        times.missing,
        f"{plural(int(times.missing.sum()))} without a timestamp in column {name!r}{{where}}; fill it in, drop "
        "the row, or leave "
        "the role out",
    )
    report(
        "mixed_units",
        "warning",
        times.odd_unit,
        f"{plural(int(times.odd_unit.sum()), 'timestamp')} in column {name!r} "
        f"{'has' if times.odd_unit.sum() == 1 else 'have'} the size of another "
        f"unit than the rest, which are read as {times.reading}{{where}}",
    )
    if times.reading == "dates":
        report(
            "date_number",
            "warning",
            every & times.good,
            f"numbers like {times.column.drop_null()[0].as_py()} in column {name!r} are read as dates "
            "(YYYYMMDD), not as seconds",
        )
    odd = times.good & ~times.odd_unit & ((times.micros < PLAUSIBLE[0]) | (times.micros >= PLAUSIBLE[1]))
    report(
        "timestamp_far",
        "warning",
        odd,
        f"{plural(int(odd.sum()), 'timestamp')} in column {name!r} before 1900 or after 2099{{where}}: is the "
        "unit right?",
    )
    if times.zones > 1 and not mixed.any():
        report(
            "several_zones",
            "warning",
            every & times.zoned,
            f"column {name!r} states {times.zones} different offsets: all are turned into UTC, and so is the "
            "hour of the day",
        )
    good = times.micros[times.good]
    if len(good) > 1 and np.all(good == good[0]):
        report(
            "constant_timestamp",
            "warning",
            every,
            f"every timestamp in column {name!r} is the same: there is no order in time",
        )
    return times, found


def check_repeats(
    raw: RawTable,
    user: str,
    item: str,
    columns: Sequence[pa.ChunkedArray],
    outcome: np.ndarray | None,
    timed: bool,
    rating: bool,
) -> list[Problem]:
    """Events that are there twice, and ratings of one pair that contradict each other.

    ``columns`` are user, item, then timestamp, position and contexts as far as there are any.
    """
    if raw.rows < 2 or len(columns) < 2:
        return []
    found = []
    key = group_codes(columns)
    whole = key if outcome is None else _combine(key, _ranks(outcome))
    again = _repeats(whole)
    # Without a timestamp a click or a view may well repeat; a rating may not.
    if again.any() and (timed or rating):
        message = (
            f"{plural(int(again.sum()), 'event')} repeated exactly (same {user}, "
            f"{item}{', time' if timed else ''} and outcome)"
            "{where}: drop the copies if the log was written twice"
        )
        found.append(raw.problem("duplicate_event", user, "warning", again, message))
    if outcome is not None:
        conflict = _repeats(key) & ~again
        if conflict.any() and (timed or rating):
            message = (
                f"{plural(int(conflict.sum()), 'event')} with the same {user}, "
                f"{item}{' and time' if timed else ''} as an earlier one "
                "but another outcome{where}: keep the one that counts"
            )
            found.append(raw.problem("conflicting_outcome", item, "warning", conflict, message))
    return found


def group_codes(columns: Sequence[pa.ChunkedArray]) -> np.ndarray:
    """One int64 code a row, equal where every column is equal (nulls are equal to nulls)."""
    codes = _column_codes(columns[0])
    for column in columns[1:]:
        codes = _combine(codes, _column_codes(column))
    return codes


def _column_codes(column: pa.ChunkedArray) -> np.ndarray:
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return to_numpy(encoded.indices).astype(np.int64)


def _combine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Codes of pairs; numbered anew, so that they never overflow."""
    width = int(b.max(initial=0)) + 1
    if int(a.max(initial=0)) > (2**62) // width:
        a = np.unique(a, return_inverse=True)[1].astype(np.int64)
    return a * width + b


def _ranks(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _repeats(codes: np.ndarray) -> np.ndarray:
    """Mask of the entries that occurred before."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    again = np.zeros(len(codes), bool)
    again[order[1:]] = ordered[1:] == ordered[:-1]
    return again
