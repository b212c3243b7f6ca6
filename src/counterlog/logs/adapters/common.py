"""What several formats need."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from counterlog.errors import InputError
from counterlog.logs.numeric import to_numpy
from counterlog.logs.raw import RawTable

#: Between the fields after other separators were replaced; never inside a text.
_UNIT = "\x1f"


def table(source: Path | str, columns: pa.Table | dict[str, object]) -> RawTable:
    """A table that an adapter has put together."""
    made = columns if isinstance(columns, pa.Table) else pa.table(columns)
    return RawTable(str(source), made, tuple(made.column_names))


def find(folder: Path, *names: str) -> Path | None:
    """The first of the files (patterns allowed) in a folder or its ``data`` folder."""
    for name in names:
        for base in (folder, folder / "data"):
            found = sorted(base.glob(name)) if base.is_dir() else []
            if found:
                return found[0]
    return None


def absent(folder: Path, format_name: str, wanted: str) -> InputError:
    """The error for a folder without the files of a format."""
    if not folder.exists():
        return InputError(f"no folder {folder} for {format_name}")
    there = sorted(p.name for p in folder.iterdir())[:8] if folder.is_dir() else [folder.name]
    return InputError(f"{folder} is no {format_name} folder: wanted {wanted}; it has {', '.join(there) or 'nothing'}")


def delimited(
    path: Path,
    separator: str,
    names: Sequence[str],
    *,
    encoding: str = "utf-8",
    header: bool = False,
    wide: bool = False,
) -> pa.Table:
    """A file of unquoted fields as a table of text.

    Parameters
    ----------
    path
        The file.
    separator
        Between the fields, of any length.
    names
        Of the columns, in order; surplus fields of the file are an error unless ``wide``.
    encoding
        Of the format, where its authors fixed another than UTF-8.
    header
        Whether the first line holds names (and is skipped).
    wide
        Whether lines may have more fields than ``names``.
    """
    try:
        text = path.read_bytes().decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not {encoding}: byte 0x{error.object[error.start]:02x} at {error.start}"
        ) from error
    body = text.partition("\n")[2] if header else text
    if not body.strip():
        raise InputError(f"{path} has no rows")
    first = body.partition("\n")[0].rstrip("\r").split(separator)
    if len(first) < len(names) or (len(first) > len(names) and not wide):
        raise InputError(
            f"{path}: the first row has {len(first)} fields when split by {separator!r}, wanted {len(names)} "
            f"({', '.join(names)}): {body.partition(chr(10))[0][:80]!r}"
        )
    everything = [*names, *(f"surplus{i}" for i in range(len(first) - len(names)))]
    try:
        return pacsv.read_csv(
            pa.BufferReader(body.replace(separator, _UNIT).encode()),
            read_options=pacsv.ReadOptions(column_names=everything),
            parse_options=pacsv.ParseOptions(delimiter=_UNIT, quote_char=False),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(everything, pa.string()),
                include_columns=list(names),
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid as error:
        raise InputError(f"{path} cannot be split by {separator!r}: {' '.join(str(error).split())}") from error


def multi_hot(column: pa.ChunkedArray, separator: str, prefix: str, limit: int = 60) -> dict[str, np.ndarray]:
    """A text column of several labels a row as one 0/1 column a label: the ``limit`` most frequent, in alphabetical
    order.
    """
    rows = pc.split_pattern(pc.fill_null(column.combine_chunks(), ""), separator)
    if isinstance(rows, pa.ChunkedArray):
        rows = rows.combine_chunks()
    labels, parents = pc.list_flatten(rows), to_numpy(pc.list_parent_indices(rows))
    labels = pc.utf8_trim_whitespace(labels)
    counted = sorted(pc.value_counts(labels).to_pylist(), key=lambda e: (-e["counts"], e["values"]))
    chosen = sorted([e["values"] for e in counted if e["values"]][:limit])
    found = {}
    for label in chosen:
        hot = np.zeros(len(rows), np.int8)
        hot[parents[to_numpy(pc.equal(labels, label))]] = 1
        found[f"{prefix}={label}"] = hot
    return found
