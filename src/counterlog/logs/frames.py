"""Any data frame as an Arrow table, its ids untouched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from counterlog.errors import InputError
from counterlog.logs.raw import RawTable, duplicates, plain_text


def from_native(frame: Any, wanted: Sequence[str] | None, source: str) -> RawTable:
    """The wanted columns of a frame as they are.

    Parameters
    ----------
    frame
        A pandas or Polars frame (lazy ones too), an Arrow table or record batch, a DuckDB relation: whatever narwhals
        reads.
    wanted
        Columns to take where they exist; all of them for None.
    source
        What messages call it.

    Raises
    ------
    InputError
        If it is no frame, or a column mixes types that Arrow cannot hold in one column.
    """
    import narwhals.stable.v2 as nw
    from narwhals.exceptions import NarwhalsError

    if isinstance(frame, pa.RecordBatch):
        frame = pa.Table.from_batches([frame])
    if isinstance(frame, pa.Table):
        header = list(frame.column_names)
    else:
        try:
            frame = nw.from_native(frame)
            header = list(frame.collect_schema().names())
        except NarwhalsError as error:
            raise InputError(f"{source}: {_one_line(error)}") from error
        except TypeError as error:
            raise InputError(
                f"{source}: a {type(frame).__name__} is no data frame; give a pandas or Polars frame, an Arrow "
                "table, a DuckDB "
                "relation, or use read_log for a file"
            ) from error
    twice = [name for name in duplicates(header) if wanted is None or name in wanted]
    if twice:
        raise InputError(f"{source}: column {twice[0]!r} occurs more than once; rename or drop one of them")
    names = [name for name in header if wanted is None or name in wanted]
    columns = frame.select(names) if isinstance(frame, pa.Table) else _collect(frame, names, source)
    return RawTable(source, normal(columns), tuple(map(str, header)))


def normal(table: pa.Table) -> pa.Table:
    """The table with dictionaries decoded and one kind of text."""
    return pa.table({name: plain_text(table[name]) for name in table.column_names})


def _collect(frame: Any, names: list[str], source: str) -> pa.Table:
    try:
        chosen = frame.select(names)
        return (chosen.collect(backend="pyarrow") if hasattr(chosen, "collect") else chosen).to_arrow()
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise InputError(
            f"{source}: a column mixes types ({_one_line(error)}); make it one type first, ids for example with "
            ".astype('string')"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
