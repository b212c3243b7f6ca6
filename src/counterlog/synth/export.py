"""Batches of a store as one file for other tools: CSV or Parquet."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from counterlog.errors import InputError, StoreError, unknown_name
from counterlog.synth import deltalog
from counterlog.synth.store import Store

#: A spreadsheet takes a cell that begins with one of these for a formula (their full-width twins included).
_FORMULA = r"\A([=+\-@\t\r\n＝＋－＠])"


class _Writer(Protocol):
    def write_batch(self, batch: pa.RecordBatch) -> None: ...

    def close(self) -> None: ...


def _csv(path: Path, schema: pa.Schema) -> _Writer:
    from pyarrow import csv

    # Text is quoted, null is empty: an empty text and a null stay apart.
    return csv.CSVWriter(path, schema, write_options=csv.WriteOptions(include_header=True, quoting_style="needed"))


def _parquet(path: Path, schema: pa.Schema) -> _Writer:
    import pyarrow.parquet as pq

    return pq.ParquetWriter(path, schema, compression="zstd")


#: Format -> what opens a writer for it.
FORMATS: dict[str, Callable[[Path, pa.Schema], _Writer]] = {"csv": _csv, "parquet": _parquet}


def export(
    store: Store,
    out: str | os.PathLike[str],
    to: str = "csv",
    *,
    batch: str | None = None,
    version: int | None = None,
    people: bool = False,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write batches to one file, all of it or nothing; memory is bounded by a block of rows.

    Parameters
    ----------
    store
        Where the batches are.
    out
        The file.
    to
        ``csv`` (every value exact: reading it with the types of ``store.schema()`` gives the same rows) or ``parquet``.
    batch, version
        As in `Store.scan`.
    people
        CSV only: text that a spreadsheet would run as a formula gets an apostrophe in front. Not exact any more.
    force
        Overwrite a file that is there.
    progress
        Called with (rows written, rows in all).

    Returns
    -------
    dict
        ``out``, ``to``, ``rows``, ``batch``, ``version``.

    Raises
    ------
    UnknownNameError
        No such format, batch or version.
    InputError
        ``out`` exists, or ``people`` is asked of another format than CSV.
    StoreError
        ``out`` cannot be written, or the store cannot be read.
    """
    if to not in FORMATS:
        raise unknown_name("export format", to, FORMATS)
    if people and to != "csv":
        raise InputError(f"the guard against formulas is for CSV; {to} keeps text as it is, so leave it out")
    target = Path(out)
    _refuse(target, store.path, force)
    total = store.count(batch, version)
    schema = store.schema()
    guarded = [field.name for field in schema if pa.types.is_string(field.type)] if people else []
    names = [_guard_text(name) for name in schema.names] if people else schema.names
    named = pa.schema([field.with_name(name) for field, name in zip(schema, names, strict=True)])
    done = 0
    with _draft(target) as draft:
        writer = FORMATS[to](draft, named)
        try:
            for chunk in store.scan(batch, version):
                columns = [_guard(chunk.column(n)) if n in guarded else chunk.column(n) for n in schema.names]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=named))
                done += chunk.num_rows
                if progress is not None:
                    progress(done, total)
        finally:
            writer.close()
    last = deltalog.last_version(store.path) if version is None else version
    return {"out": str(target), "to": to, "rows": done, "batch": batch, "version": last}


def _refuse(target: Path, store: Path, force: bool) -> None:
    if target.is_dir():
        raise InputError(f"{target} is a folder; give the name of a file")
    if not target.parent.is_dir():
        raise InputError(f"there is no folder {target.parent}; make it first, or choose another --out")
    if store in target.absolute().parents:
        raise InputError(f"{target} is inside the store {store}; choose another --out")
    if os.path.lexists(target) and not force:
        raise InputError(f"{target} exists; choose another --out, or add --force to overwrite it")


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """A file beside the target that takes its place if all goes well, and is gone if not."""
    draft = target.with_name(f".{target.name}.{secrets.token_hex(6)}.part")
    try:
        yield draft
        deltalog.sync(draft)
        draft.replace(target)
    except BaseException as error:
        draft.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, StoreError):
            raise deltalog.failure(f"cannot write {target}", error) from error
        raise


def _guard(column: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(column, _FORMULA, r"'\1")


def _guard_text(name: str) -> str:
    return _guard(pa.array([name]))[0].as_py()
