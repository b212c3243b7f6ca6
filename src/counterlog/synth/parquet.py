"""The data file of a batch: Parquet whose bytes depend on the rows alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from counterlog.errors import StoreError
from counterlog.synth import deltalog
from counterlog.synth.blocks import BLOCK, CONSTANT_TEXT, DataHasher, constant

#: Columns with few values: a dictionary makes them small; on ids and propensities it would cost three times the time.
SMALL_DOMAIN = frozenset({"exposure", "outcome", "rating", "click", "position"}) | CONSTANT_TEXT


def write_rows(file: Path | None, parts: Iterable[pa.RecordBatch], schema: pa.Schema, batch: str) -> DataHasher:
    """Write blocks to a Parquet file (none: only hash) and wait until it is on the disk.

    The bytes depend on the rows alone: row groups are blocks, constant text is a dictionary in order of appearance, and
    no schema or time is kept beside them.
    """
    hasher = DataHasher(schema)
    texts = [name for name in schema.names if name in CONSTANT_TEXT and pa.types.is_string(schema.field(name).type)]
    written = schema
    for name in texts:
        place = schema.get_field_index(name)
        written = written.set(place, pa.field(name, pa.dictionary(pa.int32(), pa.string())))
    writer = None if file is None else _open(file, written)
    try:
        for part in parts:
            if constant(part.column("batch")) != batch:
                raise StoreError(f"column 'batch' must hold {batch!r} in every row, as the card says")
            columns = [_plain(part.column(field.name), field.type) for field in written]
            block = pa.RecordBatch.from_arrays(columns, schema=written)
            hasher.update(block)
            if writer is not None:
                writer.write_batch(block, row_group_size=BLOCK)
    finally:
        if writer is not None:
            writer.close()
    if file is not None:
        deltalog.sync(file)
        deltalog.sync(file.parent)
    return hasher


def _open(file: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        file,
        schema,
        compression="snappy",
        use_dictionary=[name for name in schema.names if name in SMALL_DOMAIN],
        # The least and greatest of a constant say nothing, and cost a quarter of the whole writing.
        write_statistics=[field.name for field in schema if not pa.types.is_dictionary(field.type)],
        store_schema=False,
    )


def _plain(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """The column as ``kind``; a dictionary in the one form that its rows determine."""
    if not pa.types.is_dictionary(kind):
        return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    value = constant(column)
    if value is not None:
        zeros = pa.repeat(pa.scalar(0, pa.int32()), len(column))
        return pa.DictionaryArray.from_arrays(zeros, pa.array([value], kind.value_type))
    plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    return pc.dictionary_encode(plain)


def read_rows(folder: Path, chosen: list[deltalog.Commit], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of commits in their order, a block at a time."""
    for commit in chosen:
        path = folder / commit.file
        try:
            with pq.ParquetFile(path) as file:
                # Group by group: iter_batches over the whole file keeps every page it has read until it ends.
                for group in range(file.num_row_groups):
                    for chunk in file.read_row_group(group, use_threads=False).to_batches():
                        yield chunk.cast(schema)
        except (OSError, pa.ArrowException) as error:
            raise deltalog.failure(f"batch {commit.batch} cannot be read from {path}", error) from error
