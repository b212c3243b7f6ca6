"""One table from a path: a CSV or Parquet file, or a folder of parts."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from counterlog.errors import InputError, nearest
from counterlog.logs.csvs import read_csv
from counterlog.logs.frames import normal
from counterlog.logs.raw import RawTable, duplicates

PARQUET = (".parquet", ".pq")
TEXT = (".csv", ".tsv", ".txt")
_PACKED = (".gz", ".bz2", ".zst")


def read_table(path: str | PathLike[str], wanted: Sequence[str] | None, key: str | None = None) -> RawTable:
    """Read the wanted columns (all for None) of a CSV or Parquet file, or of a folder of such parts.

    ``key`` is a column that must be in the header of a CSV file where all columns are wanted; it helps to find the
    separator.

    Raises
    ------
    InputError
        If there is no such path, the format is not known, or the parts do not fit together.
    """
    where = Path(path)
    if where.is_dir():
        return _read_parts(where, wanted, key)
    if not where.exists():
        raise InputError(_missing(where))
    return _read_parquet(where, wanted) if _is_parquet(where) else read_csv(where, wanted, key=key)


def _missing(where: Path) -> str:
    folder = where.parent
    if not folder.is_dir():
        return f"no file {where}: there is no folder {folder}"
    close = nearest(where.name, sorted(p.name for p in folder.iterdir())[:2000])
    return f"no file {where}" + (f"; did you mean {' or '.join(close)}?" if close else "")


def _is_parquet(where: Path) -> bool:
    if where.suffix.lower() in PARQUET:
        return True
    with where.open("rb") as file:
        return file.read(4) == b"PAR1"


def _read_parquet(where: Path, wanted: Sequence[str] | None) -> RawTable:
    if where.stat().st_size == 0:
        raise InputError(f"{where} is empty (0 bytes); a Parquet file is never")
    try:
        file = pq.ParquetFile(where)
        header = list(file.schema_arrow.names)
        twice = [name for name in duplicates(header) if wanted is None or name in wanted]
        if twice:
            raise InputError(f"{where} has more than one column {twice[0]!r}; rename one of them")
        names = [name for name in header if wanted is None or name in wanted]
        table = file.read(columns=names)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InputError(f"{where} cannot be read as Parquet: {' '.join(str(error).split())}") from error
    return RawTable(str(where), normal(table), tuple(header))


def _read_parts(folder: Path, wanted: Sequence[str] | None, key: str | None) -> RawTable:
    files = [
        p
        for p in sorted(folder.rglob("*"))
        if p.is_file() and not any(part.startswith((".", "_")) for part in p.relative_to(folder).parts)
    ]
    kinds = {"Parquet": [p for p in files if p.suffix.lower() in PARQUET], "CSV": [p for p in files if _is_text(p)]}
    found = {kind: parts for kind, parts in kinds.items() if parts}
    if not found:
        raise InputError(f"{folder} holds no .parquet and no .csv file, and is no saved log (it has no log.json)")
    if len(found) > 1:
        raise InputError(f"{folder} holds both Parquet and CSV parts; keep one kind, or name the file that is meant")
    parts = [read_table(p, wanted, key) for p in next(iter(found.values()))]
    return _join(folder, parts)


def _is_text(path: Path) -> bool:
    suffixes = [s.lower() for s in path.suffixes]
    return bool(suffixes) and (
        suffixes[-1] in TEXT or (suffixes[-1] in _PACKED and len(suffixes) > 1 and suffixes[-2] in TEXT)
    )


def _join(folder: Path, parts: list[RawTable]) -> RawTable:
    first = parts[0]
    for part in parts[1:]:
        if set(part.header) != set(first.header):
            differs = sorted(set(part.header) ^ set(first.header))
            raise InputError(
                f"the parts of {folder} differ: {Path(part.source).name} and {Path(first.source).name} disagree on "
                ""
                f"column{'s' if len(differs) > 1 else ''} "
                f"{', '.join(map(repr, differs[:5]))}"
            )
        for field in part.table.schema:
            kind = first.table.schema.field(field.name).type
            if (
                field.type != kind
                and not pa.types.is_null(field.type)
                and not pa.types.is_null(kind)
                and _clash(field.type, kind)
            ):
                raise InputError(f"the parts of {folder} differ: column {field.name!r} is {field.type} in "
                                 f"{Path(part.source).name} and {kind} in {Path(first.source).name}")  # fmt: skip
    try:
        table = pa.concat_tables(
            [p.table.select(first.table.column_names) for p in parts], promote_options="permissive"
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InputError(f"the parts of {folder} do not fit together: {error}") from error
    before, skipped = 0, []
    for part in parts:
        skipped += [(number + before, text) for number, text in part.skipped]
        before += part.rows + part.skipped_count
    return RawTable(str(folder), table, first.header, first.textual, first.separator, tuple(skipped), len(skipped))


def _clash(a: pa.DataType, b: pa.DataType) -> bool:
    """Whether two types of one column cannot be joined; numbers can, and ids that became floats are refused later."""
    return not all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in (a, b))
