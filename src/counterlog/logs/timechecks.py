"""What can be wrong with timestamps, and with events that repeat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
    codes: Sequence[np.ndarray],
    outcome: np.ndarray | None,
    timed: bool,
    rating: bool,
) -> list[Problem]:
    """Events that are there twice, and outcomes of one event that contradict each other.

    ``codes`` are int64 ``[rows]``, equal where users, items, then timestamps, positions and contexts (as far as there
    are any) are equal. Without a timestamp a click or a view may well repeat; a rating may not.
    """
    if raw.rows < 2 or not (timed or rating):
        return []
    repeated = repeats(codes)
    if not repeated.any():
        return []
    found = []
    again = repeated if outcome is None else repeats([*codes, np.nan_to_num(outcome, nan=-0.5).view(np.int64)])
    if again.any():
        message = (
            f"{plural(int(again.sum()), 'event')} repeated exactly (same {user}, {item}{', time' if timed else ''} and "
            "outcome){where}: drop the copies if the log was written twice"
        )
        found.append(raw.problem("duplicate_event", user, "warning", again, message))
    conflict = repeated & ~again
    if conflict.any():
        message = (
            f"{plural(int(conflict.sum()), 'event')} with the same {user}, {item}{' and time' if timed else ''} as an "
            "earlier one but another outcome{where}: keep the one that counts"
        )
        found.append(raw.problem("conflicting_outcome", item, "warning", conflict, message))
    return found


def repeats(codes: Sequence[np.ndarray]) -> np.ndarray:
    """Mask of the rows whose codes (int64, one array a column) all occurred together in an earlier row."""
    key = np.zeros(len(codes[0]), np.uint64)
    for column in codes:
        key = _mixed(key ^ column.astype(np.uint64))
    again = np.zeros(len(key), bool)
    ordered = np.sort(key)
    if not np.any(ordered[1:] == ordered[:-1]):
        return again
    order = np.argsort(key, kind="stable")
    later, earlier = order[1:], order[:-1]
    # Equal keys could be an accident of mixing: what counts are the codes.
    again[later] = np.logical_and.reduce([column[later] == column[earlier] for column in codes])
    return again


def _mixed(key: np.ndarray) -> np.ndarray:
    """SplitMix64: a one-to-one scrambling of 64 bits (Steele, Lea and Flood, 2014)."""
    key = key + np.uint64(0x9E3779B97F4A7C15)
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))
