"""Feature tables: joined by id, text one-hot encoded, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from counterlog.logs.coding import encode
from counterlog.logs.idchecks import Ids, check_ids
from counterlog.logs.log import Features
from counterlog.logs.numeric import parse_numbers, to_numpy
from counterlog.logs.problems import Problem, first, listing, plural
from counterlog.logs.raw import RawTable

#: A text column with more levels than this is a name, not a feature.
MAX_LEVELS = 50


@dataclass(frozen=True)
class FeatureRows:
    """The usable rows of a feature table: ``ids`` (unique), and ``values`` float32 ``[len(ids), len(names)]``, NaN
    where unknown.
    """

    ids: pa.Array
    names: tuple[str, ...]
    values: np.ndarray

    def align(self, known: pa.Array) -> Features:
        """One row a known id; what is unknown gets the column's mean."""
        rows = to_numpy(pc.index_in(known, value_set=self.ids).fill_null(-1)).astype(np.int64)
        missing = rows < 0
        values = np.full((len(known), len(self.names)), np.nan, np.float32)
        values[~missing] = self.values[rows[~missing]]
        if values.size:
            finite = np.isfinite(values)
            counts = finite.sum(0)
            sums = np.where(finite, values, 0).sum(0, dtype=np.float64)
            means = np.divide(sums, counts, out=np.zeros(len(counts)), where=counts > 0)
            values = np.where(finite, values, means.astype(np.float32)).astype(np.float32)
        return Features(self.names, values, missing)


def read_features(raw: RawTable, name: str, kind: pa.DataType | None) -> tuple[FeatureRows | None, list[Problem]]:
    """The features of a table with an id column ``name``, and what is wrong with it.

    Parameters
    ----------
    raw
        The whole table.
    name
        Its id column: the same name as in the log.
    kind
        The type of the log's ids, which these must have too; None if the log's are unusable.
    """
    if raw.column(name) is None:
        return None, []
    ids, found = check_ids(raw, name, f" of {raw.source}")
    if ids is None:
        return None, found
    if kind is not None and ids.known.type != kind:
        ids, clash = _as_type(raw, name, ids, kind)
        found += clash
        if ids is None:
            return None, found
    known = ids.codes >= 0
    again = np.ones(raw.rows, bool)
    again[np.unique(ids.codes, return_index=True)[1]] = False
    again &= known
    if again.any():
        shown = listing(ids.column.filter(pa.array(again)).slice(0, 4).to_pylist())
        message = (
            f"{plural(int(again.sum()))} of {raw.source} with a repeated id in column {name!r}: "
            f"{shown}{{where}}; keep one "
            "row an id"
        )
        found.append(raw.problem("duplicate_features", name, "error", again, message))
    keep = known & ~again
    blocks, names = [], []
    for column in raw.header:
        if column != name and raw.column(column) is not None:
            values, labels, problems = _encode(raw, column, keep)
            found += problems
            if values is not None:
                blocks.append(values)
                names += labels
    if not blocks:
        message = f"{raw.source} has no usable feature beside the id column {name!r}"
        found.append(raw.problem("no_features", name, "warning", np.ones(raw.rows, bool), message))
    table = np.concatenate(blocks, axis=1) if blocks else np.zeros((int(keep.sum()), 0), np.float32)
    rows = ids.column.filter(pa.array(keep))
    return FeatureRows(rows.combine_chunks() if isinstance(rows, pa.ChunkedArray) else rows, tuple(names), table), found


def check_coverage(raw: RawTable, name: str, rows: FeatureRows, events: RawTable, ids: Ids, kind: str) -> list[Problem]:
    """Events of ids without features, and features of ids without events."""
    found = []
    without = ~to_numpy(pc.is_in(ids.known, value_set=rows.ids))
    if without.any():
        affected = ids.rows(without)
        message = (
            f"{plural(int(without.sum()), kind)} of the log ({plural(int(affected.sum()))}) without features in "
            f"{raw.source}: {listing(ids.known.filter(pa.array(without)).slice(0, 4).to_pylist())}{{where}}; they get "
            "the mean of each feature"
        )
        found.append(events.problem("missing_features", name, "warning", affected, message))
    unused = ~to_numpy(pc.is_in(rows.ids, value_set=ids.known))
    if unused.any():
        message = (
            f"{plural(int(unused.sum()), kind)} with features in {raw.source} but without an event: "
            f"{listing(rows.ids.filter(pa.array(unused)).slice(0, 4).to_pylist())}; known all the same, with "
            "nothing but "
            "features to go by"
        )
        found.append(Problem("features_without_events", name, "warning", int(unused.sum()), (), message))
    return found


def _as_type(raw: RawTable, name: str, ids: Ids, kind: pa.DataType) -> tuple[Ids | None, list[Problem]]:
    if pa.types.is_string(kind) or pa.types.is_integer(ids.known.type):
        return Ids(ids.column.cast(kind), ids.known.cast(kind), ids.codes), []
    odd = to_numpy(pc.invert(pc.match_substring_regex(ids.known, r"^(0|-?[1-9]\d{0,17})$")))
    if odd.any():
        shown = listing(ids.known.filter(pa.array(odd)).slice(0, 4).to_pylist())
        message = (
            f"ids in column {name!r} of {raw.source} are text ({shown}{{where}}) but integers in the log: make both "
            "text"
        )
        return None, [raw.problem("id_type", name, "error", ids.rows(odd), message)]
    return Ids(ids.column.cast(kind), ids.known.cast(kind), ids.codes), []


def _encode(raw: RawTable, name: str, keep: np.ndarray) -> tuple[np.ndarray | None, list[str], list[Problem]]:
    """Numbers as they are, text as one column a level; None for a column that is left out, with the reason."""
    column = raw.table[name]
    numbers = parse_numbers(column, truth=True)
    every = np.ones(raw.rows, bool)

    def left_out(code: str, why: str) -> tuple[None, list[str], list[Problem]]:
        return (
            None,
            [],
            [raw.problem(code, name, "warning", every, f"feature {name!r} of {raw.source} {why}; it is left out")],
        )

    if numbers is None:
        return left_out("feature_type", f"is {column.type}, neither numbers nor text")
    found = []
    if not numbers.bad.any():
        values = numbers.values[keep]
        finite = values[np.isfinite(values)]
        if not len(finite) and not numbers.infinite.any():
            return left_out("constant_feature", "is empty")
        if numbers.infinite.any():
            shown = listing(numbers.shown(first(numbers.infinite)))
            message = (
                f"{plural(int(numbers.infinite.sum()), 'value')} of feature {name!r} of {raw.source} not finite: "
                f"{shown}{{where}}; "
                "replace them or leave them empty"
            )
            found.append(raw.problem("feature_not_finite", name, "error", numbers.infinite, message))
        if numbers.missing.any():
            message = (
                f"{plural(int(numbers.missing.sum()))} without feature {name!r} in {raw.source}{{where}}: read as "
                "its mean"
            )
            found.append(raw.problem("null_feature", name, "warning", numbers.missing, message))
        if len(finite) and np.all(finite == finite[0]):
            return _with(left_out("constant_feature", f"is {finite[0]:g} in every row"), found)
        return values.astype(np.float32)[:, None], [name], found
    if 2 * numbers.given.sum() > (~numbers.missing).sum():
        shown = listing(numbers.shown(first(numbers.bad)))
        message = (
            f"feature {name!r} of {raw.source} is mostly numbers but for {plural(int(numbers.bad.sum()), 'value')}: "
            f"{shown}{{where}}; read as text"
        )
        found.append(raw.problem("mixed_feature", name, "warning", numbers.bad, message))
    distinct, codes = encode(column.filter(pa.array(keep)))
    levels = distinct.to_pylist()
    counts = np.bincount(codes[codes >= 0], minlength=len(levels))
    if len(levels) == 1 and np.all(codes >= 0):
        return _with(left_out("constant_feature", f"is {levels[0]!r} in every row"), found)
    if len(levels) > MAX_LEVELS or (len(levels) and counts.max() == 1 and len(levels) > 2):
        return _with(
            left_out(
                "feature_levels",
                f"has {plural(len(levels), 'level')} of text in {plural(int(keep.sum()))}: a name, not a feature",
            ),
            found,
        )
    order = sorted(range(len(levels)), key=lambda i: levels[i])
    values = (codes[:, None] == np.array(order, dtype=np.int64)[None, :]).astype(np.float32)
    return values, [f"{name}={levels[i]}" for i in order], found


def _with(left: tuple[None, list[str], list[Problem]], found: list[Problem]) -> tuple[None, list[str], list[Problem]]:
    return left[0], left[1], found + left[2]
