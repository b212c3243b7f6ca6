"""What can be wrong with a column of ids. Ids are labels: nothing here turns one into a number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from counterlog.logs.coding import encode
from counterlog.logs.numeric import to_numpy
from counterlog.logs.problems import Problem, listing, plural
from counterlog.logs.raw import RawTable

_WORDS = ("nan", "NaN", "null", "NULL", "None", "NA", "N/A", "<NA>", "NaT", "undefined")
_INVISIBLE = r"[\x{0000}-\x{001F}\x{007F}\x{200B}-\x{200F}\x{2060}\x{FEFF}]"
_SCIENTIFIC = r"^[0-9](\.[0-9]+)?[eE]\+?[0-9]{1,2}$"


@dataclass(frozen=True)
class Ids:
    """A column of ids, null where missing or blank; ``known[codes]`` are its values, code -1 stands for null."""

    column: pa.ChunkedArray
    known: pa.Array
    codes: np.ndarray

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> Ids:
        """Encode a column once, so that every check works on the distinct ids."""
        return cls(column, *encode(column))

    def rows(self, culprits: np.ndarray) -> np.ndarray:
        """Mask of the rows whose id is marked in ``culprits`` (one entry a known id)."""
        return np.append(culprits, False)[self.codes]


def check_ids(raw: RawTable, name: str, where: str = "") -> tuple[Ids | None, list[Problem]]:
    """The ids of a column and what is wrong with them; no ids if its type cannot hold any.

    ``where`` follows the column's name in messages: " of items.csv" for a feature table.
    """
    called = f"{name!r}{where}"
    column = raw.column(name)
    if column is None:
        return None, []
    kind = column.type
    if pa.types.is_null(kind):
        column = column.cast(pa.string())
    elif pa.types.is_integer(kind):
        found = Ids.of(column)
        return found, _nulls(raw, name, called, found)
    elif not pa.types.is_string(kind):
        return None, [_wrong_type(raw, name, called, column)]
    ids = Ids.of(column)
    blank = to_numpy(pc.equal(pc.utf8_trim_whitespace(ids.known), ""))
    if blank.any():
        ids = Ids.of(pc.if_else(pa.array(ids.rows(blank)), pa.scalar(None, pa.string()), column))
    return ids, _nulls(raw, name, called, ids) + _spelling(raw, name, called, ids)


def _wrong_type(raw: RawTable, name: str, called: str, column: pa.ChunkedArray) -> Problem:
    cure = "make them text or integers"
    if pa.types.is_floating(column.type):
        cure = (
            "integers beside missing values became floats, which cannot tell large ids apart; read them as text or "
            "as 'Int64'"
        )
    shown = listing(column.drop_null().slice(0, 3).to_pylist())
    message = f"ids in column {called} are {column.type} ({shown}): {cure}"
    return raw.problem("id_type", name, "error", np.ones(raw.rows, bool), message)


def _nulls(raw: RawTable, name: str, called: str, ids: Ids) -> list[Problem]:
    null = ids.codes < 0
    if not null.any():
        return []
    message = (
        f"{plural(int(null.sum()))} without an id in column {called}{{where}}: a missing id is nobody; fill it in or "
        "drop the row"
    )
    return [raw.problem("null_id", name, "error", null, message)]


def _spelling(raw: RawTable, name: str, called: str, ids: Ids) -> list[Problem]:
    """Remarks on ids that probably mean another id. They are kept as they are: nobody but the user knows."""
    known = ids.known
    found = []

    def remark(code: str, odd: pa.Array, what: str, cure: str) -> None:
        culprits = to_numpy(odd)
        if culprits.any():
            shown = listing(known.filter(odd).slice(0, 4).to_pylist())
            message = f"{plural(int(culprits.sum()), 'id')} in column {called} {what}: {shown}{{where}}. {cure}"
            found.append(raw.problem(code, name, "warning", ids.rows(culprits), message))

    remark(
        "id_space",
        pc.not_equal(pc.utf8_trim_whitespace(known), known),
        "with a leading or trailing space",
        "They are kept apart from the id without the space; trim them if that is wrong",
    )
    remark(
        "id_invisible",
        pc.match_substring_regex(known, _INVISIBLE),
        "with an invisible character",
        "Remove control characters, zero-width spaces and byte-order marks",
    )
    remark(
        "id_word",
        pc.is_in(known, value_set=pa.array(_WORDS)),
        "spelled like a missing value",
        "They are read as ids of that name; leave the field empty if nothing is meant",
    )
    remark(
        "id_scientific",
        pc.match_substring_regex(known, _SCIENTIFIC),
        "in scientific notation",
        "A spreadsheet may have cut the digits off; export the ids again as text",
    )
    floats = pc.match_substring_regex(known, r"^[0-9]+\.0$")
    if len(known) and 2 * (pc.sum(floats).as_py() or 0) >= len(known):
        remark(
            "id_float", floats, "that end in '.0'", "Integers went through a float somewhere; large ids may be mixed up"
        )
    return found + _lookalikes(raw, name, called, ids)


def _lookalikes(raw: RawTable, name: str, called: str, ids: Ids) -> list[Problem]:
    """Ids that differ from a usual one only by case or by how an accent is encoded (composed or not)."""
    forms, group = encode(pc.utf8_lower(pc.utf8_normalize(ids.known, form="NFC")))
    if len(forms) == len(ids.known):
        return []
    events = np.bincount(ids.codes[ids.codes >= 0], minlength=len(ids.known))
    order = np.lexsort((-events, group))  # the most frequent form of each group comes first
    first = np.ones(len(order), bool)
    first[1:] = group[order[1:]] != group[order[:-1]]
    usual = order[first][group]
    odd = usual != np.arange(len(group))
    pairs = [(ids.known[int(i)].as_py(), ids.known[int(usual[i])].as_py()) for i in np.flatnonzero(odd)[:3]]
    shown = ", ".join(f"{rare!r} beside {common!r}" for rare, common in pairs)
    message = (
        f"{plural(int(odd.sum()), 'id')} in column {called} differing from another only by case or by the "
        "encoding of an "
        f"accent: {shown}{{where}}. They are kept apart; rewrite them if they mean the same"
    )
    return [raw.problem("id_case", name, "warning", ids.rows(odd), message)]


def check_same(raw: RawTable, name: str, kind: str, ids: Ids | None) -> list[Problem]:
    """A remark if all events are of one user or one item."""
    if ids is None or raw.rows < 2 or len(ids.known) != 1:
        return []
    what = (
        f"all {raw.rows:,} events have one {kind}, {ids.known[0].as_py()!r} (column {name!r}): nothing can be learned "
        f"across {kind}s"
    )
    return [raw.problem(f"single_{kind}", name, "warning", np.ones(raw.rows, bool), what)]
