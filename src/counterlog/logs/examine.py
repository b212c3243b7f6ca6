"""One pass over a raw log: every problem, and the columns that a log is built from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from counterlog.errors import nearest
from counterlog.logs.coding import encode
from counterlog.logs.eventchecks import check_context, check_exposure, check_outcome, check_position, check_propensity
from counterlog.logs.features import FeatureRows, check_coverage, read_features
from counterlog.logs.idchecks import Ids, check_ids, check_same
from counterlog.logs.log import Features, InteractionLog
from counterlog.logs.numeric import Numbers, numbers_if_all
from counterlog.logs.problems import Check, Problem, listing, plural
from counterlog.logs.raw import RawLog, RawTable
from counterlog.logs.timechecks import check_repeats, check_times
from counterlog.logs.vocabulary import Vocabulary


@dataclass(frozen=True)
class Examination:
    """What one pass found: the check, the typed columns by name, the known ids, and the feature rows."""

    raw: RawLog
    check: Check
    columns: dict[str, pa.ChunkedArray]
    user_ids: Ids | None
    item_ids: Ids | None
    users: pa.Array
    items: pa.Array
    user_rows: FeatureRows | None
    item_rows: FeatureRows | None

    def build(self) -> InteractionLog:
        """The log.

        Raises
        ------
        InputError
            Naming every problem that must be mended.
        """
        self.check.raise_if_bad()
        raw, roles = self.raw, self.raw.roles
        log = InteractionLog(
            pa.table({name: self.columns[name] for name in dict.fromkeys(roles.columns().values())}),
            roles,
            Vocabulary("user", self.users),
            Vocabulary("item", self.items),
            self.user_rows.align(self.users) if self.user_rows else Features.empty(len(self.users)),
            self.item_rows.align(self.items) if self.item_rows else Features.empty(len(self.items)),
            raw.name,
            raw.licence,
            raw.notes + tuple(p.message for p in self.check.warnings),
        )
        if self.user_ids and self.item_ids:
            # Known here already, so that the log need not look every id up again: these fill its cached properties.
            vars(log)["user_codes"] = log.users.codes(self.user_ids.known)[self.user_ids.codes]
            vars(log)["item_codes"] = log.items.codes(self.item_ids.known)[self.item_ids.codes]
        return log


def examine(raw: RawLog) -> Examination:
    """Look at everything once; nothing is raised here."""
    events, roles = raw.events, raw.roles
    problems = _structure(raw)
    columns: dict[str, pa.ChunkedArray] = {}
    times = position = None
    users, found_users = check_ids(events, roles.user)
    items, found_items = check_ids(events, roles.item)
    problems += found_users + found_items
    problems += check_same(events, roles.user, "user", users) + check_same(events, roles.item, "item", items)
    exposure, outcome = None, None
    if roles.exposure:
        exposure, found = check_exposure(events, roles.exposure)
        problems += found
        _keep(columns, roles.exposure, exposure, pa.int8())
    if roles.outcome:
        kind = roles.outcome_kind or "rating"
        outcome, found = check_outcome(events, roles.outcome, kind, exposure)
        problems += found
        blank = None
        if exposure is not None and outcome is not None and kind in ("rating", "positive"):
            blank = (exposure.values == 0) & (outcome.values == 0)
        whole = {"click": pa.int8(), "count": pa.int64()}.get(kind, pa.float64())
        _keep(columns, roles.outcome, outcome, whole, blank)
    if roles.propensity:
        propensity, found = check_propensity(events, roles.propensity)
        problems += found
        _keep(columns, roles.propensity, propensity, pa.float64())
    if roles.position:
        position, found = check_position(events, roles.position, exposure)
        problems += found
        _keep(columns, roles.position, position, pa.int64())
    if roles.timestamp:
        times, found = check_times(events, roles.timestamp)
        problems += found
        if times is not None:
            columns[roles.timestamp] = times.arrow()
    for name in roles.context:
        found = check_context(events, name)
        problems += found
        if (context := events.column(name)) is not None and not any(p.severity == "error" for p in found):
            columns.setdefault(name, numbers_if_all(context) if events.textual else context)
    if users is not None and items is not None:
        columns[roles.user], columns[roles.item] = users.column, items.column
        codes = [users.codes, items.codes, *(encode(columns[name])[1] for name in roles.context if name in columns)]
        codes += [times.micros] if times is not None else []
        codes += [np.nan_to_num(position.values, nan=-1.0).view(np.int64)] if position is not None else []
        seen = None if outcome is None else outcome.values
        rating = roles.outcome_kind == "rating"
        problems += check_repeats(events, roles.user, roles.item, codes, seen, times is not None, rating)
    user_rows, user_ids, found = _features(raw.users, roles.user, events, users, "user")
    problems += found
    item_rows, item_ids, found = _features(raw.items, roles.item, events, items, "item")
    problems += found
    ordered = sorted(problems, key=lambda p: p.severity != "error")
    check = Check(events.source, events.rows + events.skipped_count, len(user_ids), len(item_ids), tuple(ordered))
    return Examination(raw, check, columns, users, items, user_ids, item_ids, user_rows, item_rows)


def known_ids(parts: Iterable[pa.Array]) -> pa.Array:
    """The distinct ids of all parts (one type), sorted: integers, and texts that are all plain integers, by size."""
    chunks = list(parts)
    if not chunks:
        return pa.array([], pa.string())
    ids = pc.unique(pa.chunked_array(chunks)).drop_null()
    if pa.types.is_string(ids.type) and len(ids):
        plain = pc.all(pc.match_substring_regex(ids, r"^(0|[1-9]\d{0,17})$")).as_py()
        if plain:
            return ids.take(pc.sort_indices(ids.cast(pa.int64())))
    return ids.take(pc.sort_indices(ids))


def missing_column(table: RawTable, name: str, role: str) -> str:
    """What to say about a column that is not there: what the header holds, and what was probably meant."""
    header = list(table.header)
    shown = ", ".join(map(repr, header[:12])) + (f", ... ({len(header)} in all)" if len(header) > 12 else "")
    close = nearest(name, header)
    if table.textual and any(h.lstrip("-").replace(".", "", 1).isdigit() for h in header):
        cure = "; the first line looks like data: is the header missing?"
    elif table.textual and len(header) == 1:
        cure = f"; the first line as read is {header[0]!r}: is the separator something else?"
    else:
        cure = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
    return f"no column {name!r} for the {role} in {table.source}, which has {shown or 'no column'}{cure}"


def _structure(raw: RawLog) -> list[Problem]:
    """Missing columns, columns with two roles, rows that do not fit the header, no rows at all."""
    events, found = raw.events, []
    roles = raw.roles.columns()
    for role, name in roles.items():
        if name not in events.header:
            found.append(
                Problem(
                    "missing_column",
                    name,
                    "error",
                    events.rows,
                    (),
                    missing_column(events, name, role.partition(":")[0]),
                )
            )
    for name in sorted({n for n in roles.values() if list(roles.values()).count(n) > 1}):
        both = " and ".join(role for role, column in roles.items() if column == name)
        found.append(
            Problem(
                "same_column",
                name,
                "error",
                events.rows,
                (),
                f"column {name!r} is both {both}; each role needs its own",
            )
        )
    for table, name in ((raw.users, raw.roles.user), (raw.items, raw.roles.item)):
        if table is not None and name not in table.header:
            found.append(
                Problem(
                    "missing_column", name, "error", table.rows, (), missing_column(table, name, "id of its features")
                )
            )
    for table in (events, raw.users, raw.items):
        if table is not None and table.skipped:
            numbers = tuple(number for number, _ in table.skipped[:3])
            texts = listing(text for _, text in table.skipped[:3])
            message = (
                f"{plural(table.skipped_count)} of {table.source} with another number of fields than the "
                f"header's {len(table.header)} "
                f"(row{'s' if len(numbers) > 1 else ''} {listing(numbers)}): {texts}; quote fields that hold the "
                "separator"
            )
            found.append(Problem("ragged_row", "", "error", table.skipped_count, numbers, message))
        elif table is not None and table.rows == 0:
            shown = ", ".join(table.header[:12])
            message = f"{table.source} has no rows, only a header ({shown}): there is no data to read"
            found.append(Problem("no_rows", "", "error", 0, (), message))
    return found


def _features(
    raw: RawTable | None, name: str, events: RawTable, ids: Ids | None, kind: str
) -> tuple[FeatureRows | None, pa.Array, list[Problem]]:
    """Feature rows, all known ids of this kind, problems."""
    rows, found = (None, []) if raw is None else read_features(raw, name, None if ids is None else ids.known.type)
    if raw is not None and rows is not None and ids is not None:
        found = found + check_coverage(raw, name, rows, events, ids, kind)
    parts = [part for part in (ids.known if ids else None, rows.ids if rows else None) if part is not None]
    return rows, known_ids(parts), found


def _keep(
    columns: dict[str, pa.ChunkedArray],
    name: str,
    numbers: Numbers | None,
    from_text: pa.DataType,
    blank: np.ndarray | None = None,
) -> None:
    """Store a column of numbers: as it is where it has a numeric type, as ``from_text`` otherwise; null where
    ``blank``.
    """
    if numbers is None or (numbers.bad | numbers.infinite).any():
        return
    column = numbers.column
    if pa.types.is_string(column.type) or pa.types.is_null(column.type):
        values = pa.array(numbers.values, pa.float64(), mask=~numbers.finite)
        try:
            column = pa.chunked_array([values.cast(from_text)])
        except pa.ArrowInvalid:  # fractions or too large: reported as out of range where the role forbids it
            column = pa.chunked_array([values])
    if blank is not None and blank.any():
        column = pc.if_else(pa.array(~blank), column, pa.scalar(None, column.type))
    columns[name] = column
