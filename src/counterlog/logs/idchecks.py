"""What can be wrong with a column of ids. Ids are labels: nothing here turns one into a number."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from counterlog.logs.numeric import to_numpy
from counterlog.logs.problems import Problem, listing, plural
from counterlog.logs.raw import RawTable

_WORDS = ("nan", "NaN", "null", "NULL", "None", "NA", "N/A", "<NA>", "NaT", "undefined")
_INVISIBLE = r"[\x{0000}-\x{001F}\x{007F}\x{200B}-\x{200F}\x{2060}\x{FEFF}]"
_SCIENTIFIC = r"^[0-9](\.[0-9]+)?[eE]\+?[0-9]{1,2}$"


def check_ids(raw: RawTable, name: str) -> tuple[pa.ChunkedArray | None, list[Problem]]:
    """The ids of a column, null where missing or blank, and what is wrong with them; no ids if the type cannot hold
    any.
    """
    column = raw.column(name)
    if column is None:
        return None, []
    kind = column.type
    if pa.types.is_null(kind):
        column = column.cast(pa.string())
    elif pa.types.is_integer(kind):
        return column, _nulls(raw, name, column)
    elif not pa.types.is_string(kind):
        return None, [_wrong_type(raw, name, column)]
    ids = pc.if_else(pc.equal(pc.utf8_trim_whitespace(column), ""), pa.scalar(None, pa.string()), column)
    return ids, _nulls(raw, name, ids) + _spelling(raw, name, ids)


def _wrong_type(raw: RawTable, name: str, column: pa.ChunkedArray) -> Problem:
    cure = "make them text or integers"
    if pa.types.is_floating(column.type):
        cure = (
            "integers beside missing values became floats, which cannot tell large ids apart; read them as text or "
            "as 'Int64'"
        )
    shown = listing(column.drop_null().slice(0, 3).to_pylist())
    message = f"ids in column {name!r} are {column.type} ({shown}): {cure}"
    return raw.problem("id_type", name, "error", np.ones(raw.rows, bool), message)


def _nulls(raw: RawTable, name: str, ids: pa.ChunkedArray) -> list[Problem]:
    null = to_numpy(ids.is_null())
    if not null.any():
        return []
    message = (
        f"{plural(int(null.sum()))} without an id in column {name!r}{{where}}: a missing id is nobody; fill it in or "
        "drop the row"
    )
    return [raw.problem("null_id", name, "error", null, message)]


def _spelling(raw: RawTable, name: str, ids: pa.ChunkedArray) -> list[Problem]:
    """Remarks on ids that probably mean another id. They are kept as they are: nobody but the user knows."""
    known = pc.unique(ids).drop_null()
    found = []

    def remark(code: str, odd: pa.Array, what: str, cure: str) -> None:
        culprits = known.filter(odd)
        if len(culprits):
            rows = to_numpy(pc.is_in(ids, value_set=culprits))
            shown = listing(culprits.slice(0, 4).to_pylist())
            message = f"{plural(len(culprits), 'id')} in column {name!r} {what}: {shown}{{where}}. {cure}"
            found.append(raw.problem(code, name, "warning", rows, message))

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
        "that look like a missing value written as a word",
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
    found += _lookalikes(raw, name, ids, known)
    return found


def _lookalikes(raw: RawTable, name: str, ids: pa.ChunkedArray, known: pa.Array) -> list[Problem]:
    """Ids that differ only by case or by how an accent is encoded (composed or not)."""
    folded = pc.utf8_lower(pc.utf8_normalize(pc.utf8_trim_whitespace(known), form="NFC"))
    codes = folded.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    alike = np.bincount(codes, minlength=1)[codes] > 1 if len(codes) else np.zeros(0, bool)
    # A difference by outer spaces alone is reported as such.
    trimmed = pc.utf8_trim_whitespace(known).dictionary_encode().indices.to_numpy(zero_copy_only=False)
    spaces_only = np.zeros(len(codes), bool)
    if alike.any():
        forms = np.unique(np.stack([codes, trimmed]), axis=1)[0]
        spaces_only = np.bincount(forms, minlength=len(codes) + 1)[codes] == 1
    odd = alike & ~spaces_only
    if not odd.any():
        return []
    order = np.argsort(codes[odd], kind="stable")
    shown = listing(known.filter(pa.array(odd)).take(pa.array(order[:4])).to_pylist(), 4)
    rows = to_numpy(pc.is_in(ids, value_set=known.filter(pa.array(odd))))
    message = (
        f"{plural(int(odd.sum()), 'id')} in column {name!r} differ from another only by case or by the encoding "
        "of an accent: "
        f"{shown}{{where}}. They are kept apart; rewrite them if they mean the same"
    )
    return [raw.problem("id_case", name, "warning", rows, message)]


def check_same(raw: RawTable, name: str, kind: str, ids: pa.ChunkedArray | None) -> list[Problem]:
    """A remark if all events are of one user or one item."""
    if ids is None or raw.rows < 2:
        return []
    known = pc.unique(ids).drop_null()
    if len(known) != 1:
        return []
    what = (
        f"all {raw.rows:,} events have one {kind}, {known[0].as_py()!r} (column {name!r}): nothing can be learned "
        f"across {kind}s"
    )
    return [raw.problem(f"single_{kind}", name, "warning", np.ones(raw.rows, bool), what)]
