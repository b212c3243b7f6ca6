"""Tables that commands read and write beside logs: pairs, groups, predictions."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from counterlog.errors import InputError, StoreError

if TYPE_CHECKING:
    import pyarrow as pa

_FORMATS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv"}


def table_format(path: Path) -> str:
    """``parquet`` or ``csv``, by the suffix of a file that is going to be written; call it before any work.

    Raises
    ------
    InputError
        For another suffix.
    """
    if path.suffix.lower() not in _FORMATS:
        raise InputError(f"--out {path}: the suffix {path.suffix!r} is no format; name a .parquet or a .csv file")
    return _FORMATS[path.suffix.lower()]


def read_pairs(path: Path, user: str) -> pa.Table:
    """All columns of a CSV or Parquet file; everything in CSV is text. ``user`` helps to find the separator of a CSV.

    Raises
    ------
    InputError
        The file cannot be read, or has rows that do not fit its header.
    """
    from counterlog.logs.tables import read_table

    raw = read_table(path, None, user)
    if raw.skipped_count:
        number, text = raw.skipped[0]
        raise InputError(
            f"{path}: {raw.skipped_count} rows do not have the {len(raw.header)} fields of the header; the first is "
            f"row {number}: {text!r}"
        )
    return raw.table


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet or CSV, whole or not at all.

    Raises
    ------
    StoreError
        It cannot be written.
    """
    import pyarrow.csv as pacsv
    import pyarrow.parquet as pq

    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if table_format(path) == "parquet":
            pq.write_table(table, draft, compression="zstd")
        else:
            pacsv.write_csv(table, draft)
        os.replace(draft, path)
    except OSError as error:
        # Arrow keeps the reason in a long text; the errno is what people know.
        reason = os.strerror(error.errno) if error.errno else " ".join(str(error).split())
        raise StoreError(f"cannot write {path}: {reason}") from error
    finally:
        draft.unlink(missing_ok=True)
