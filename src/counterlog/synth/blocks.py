"""Rows in blocks of a fixed size: the unit in which a batch is written, hashed and read back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from counterlog.errors import StoreError

#: Rows in a block. Fixed, because Parquet row groups and the data hash are cut here: another number gives other bytes.
BLOCK = 125_000

#: Text columns that hold one value for most of a batch; they travel as dictionaries.
CONSTANT_TEXT = frozenset({"source", "rung", "batch"})

_WIDER = {pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64(), pa.uint64(): pa.int64()}
_AS_IS = frozenset(
    {pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.string(), pa.binary()}
    | {pa.date32()}
)


def stored_schema(schema: pa.Schema) -> pa.Schema:
    """The schema in which a store keeps columns of ``schema``: plain types that a Delta table knows, no metadata.

    Dictionaries become their values, unsigned integers the next wider signed ones, half floats single ones, large and
    view types the plain ones, timestamps microseconds (in UTC where they have a zone).

    Raises
    ------
    StoreError
        For columns that are given twice, or whose type is nested or unknown to a Delta table.
    """
    twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twice:
        raise StoreError(f"the batch has more than one column called {', '.join(map(repr, twice))}; rename them")
    return pa.schema([pa.field(field.name, _stored_type(field.name, field.type)) for field in schema])


def _stored_type(name: str, given: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(given):
        return _stored_type(name, given.value_type)
    if given in _AS_IS:
        return given
    if given in _WIDER:
        return _WIDER[given]
    if pa.types.is_float16(given):
        return pa.float32()
    if pa.types.is_large_string(given) or pa.types.is_string_view(given):
        return pa.string()
    if pa.types.is_large_binary(given) or pa.types.is_binary_view(given) or pa.types.is_fixed_size_binary(given):
        return pa.binary()
    if pa.types.is_date64(given):
        return pa.date32()
    if pa.types.is_timestamp(given):
        return pa.timestamp("us", tz="UTC" if given.tz else None)
    raise StoreError(
        f"column {name!r} has the type {given}, which a store cannot hold; "
        "expected numbers, text, bytes, dates or timestamps, so convert or drop it"
    )


def blocks(chunks: Iterable[pa.RecordBatch], schema: pa.Schema, rows: int = BLOCK) -> Iterator[pa.RecordBatch]:
    """The rows of ``chunks`` in blocks of exactly ``rows`` rows (the last one shorter), whatever the chunks' sizes.

    Columns come in the order and with the types of ``schema`` (one from `stored_schema`), except that dictionaries stay
    dictionaries: they are cheap to hash and to write. At most one block and one chunk are held at a time.

    Raises
    ------
    StoreError
        A chunk whose columns are not those of ``schema``, or with values that its types cannot hold.
    """
    waiting: list[pa.RecordBatch] = []
    held = 0
    for number, chunk in enumerate(chunks):
        start = 0
        conformed = _conform(chunk, schema, number)
        while start < conformed.num_rows:
            part = conformed.slice(start, rows - held)
            waiting.append(part)
            start += part.num_rows
            held += part.num_rows
            if held == rows:
                yield _joined(waiting)
                waiting, held = [], 0
    if waiting:
        yield _joined(waiting)


def _conform(chunk: pa.RecordBatch, schema: pa.Schema, number: int) -> pa.RecordBatch:
    if set(chunk.schema.names) != set(schema.names) or len(chunk.schema.names) != len(schema.names):
        raise StoreError(
            f"chunk {number} has the columns {', '.join(chunk.schema.names)}; the batch declares "
            f"{', '.join(schema.names)}"
        )
    columns = []
    for field in schema:
        column = chunk.column(field.name)
        given = column.type
        try:
            if pa.types.is_dictionary(given):
                wanted = pa.dictionary(pa.int32(), field.type)
                column = column if given == wanted else column.cast(wanted)
            elif given != field.type:
                column = column.cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise StoreError(f"column {field.name!r} of chunk {number} does not fit {field.type}: {error}") from error
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=schema.names)


def _joined(parts: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(parts) == 1:
        return parts[0]
    columns = []
    for name in parts[0].schema.names:
        pieces = [part.column(name) for part in parts]
        if any(piece.type != pieces[0].type for piece in pieces):  # some chunks brought dictionaries, others values
            pieces = [piece.dictionary_decode() if pa.types.is_dictionary(piece.type) else piece for piece in pieces]
        joined = pa.chunked_array(pieces)
        if pa.types.is_dictionary(joined.type):
            joined = joined.unify_dictionaries()
        joined = joined.combine_chunks()
        columns.append(joined.chunk(0) if isinstance(joined, pa.ChunkedArray) else joined)
    return pa.RecordBatch.from_arrays(columns, names=parts[0].schema.names)


def constant(column: pa.Array) -> object | None:
    """The one value of a column of text or bytes without nulls; None where there are several, nulls, or no rows."""
    if not len(column) or column.null_count:
        return None
    if pa.types.is_dictionary(column.type):
        if len(column.dictionary) == 1:
            return None if column.dictionary.null_count else column.dictionary[0].as_py()
        column = column.dictionary_decode()
    first = column[0]
    if column.null_count or not first.equals(column[-1]):
        return None
    return first.as_py() if pc.all(pc.equal(column, first)).as_py() else None


class DataHasher:
    """SHA-256 over the content of rows: names, types, nulls and values, never how they were chunked or encoded.

    Two tables have one hash if and only if a store would keep the same columns, types and values in the same order; a
    dictionary counts as its values. Bits count: ``-0.0`` is not ``0.0``.

    Parameters
    ----------
    schema
        Of the rows to come; brought to what a store keeps.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = stored_schema(schema)
        self.rows = 0
        self._digest = hashlib.sha256(json.dumps([[field.name, str(field.type)] for field in self.schema]).encode())
        self._waiting: list[pa.RecordBatch] = []
        self._held = 0

    def update(self, chunk: pa.RecordBatch) -> None:
        """Take the next rows; those that do not fill a block wait for more."""
        self.rows += chunk.num_rows
        self._waiting.append(chunk)
        self._held += chunk.num_rows
        if self._held < BLOCK:
            return
        full, self._waiting = self._waiting, []
        for block in blocks(full, self.schema):
            if block.num_rows < BLOCK:
                self._waiting.append(block)
            else:
                _hash_block(self._digest, block)
        self._held = sum(block.num_rows for block in self._waiting)

    def hexdigest(self) -> str:
        """The hash of all rows so far, 64 hexadecimal digits."""
        digest = self._digest.copy()
        for block in blocks(self._waiting, self.schema):
            _hash_block(digest, block)
        digest.update(f"rows {self.rows}".encode())
        return digest.hexdigest()


def data_hash(data: pa.Table | pa.RecordBatch) -> str:
    """The `DataHasher` hash of a whole table."""
    hasher = DataHasher(data.schema)
    for chunk in data.to_batches() if isinstance(data, pa.Table) else [data]:
        hasher.update(chunk)
    return hasher.hexdigest()


def _hash_block(digest: hashlib._Hash, block: pa.RecordBatch) -> None:
    digest.update(block.num_rows.to_bytes(8, "little"))
    for column in block.columns:
        _hash_column(digest, column)


def _hash_column(digest: hashlib._Hash, column: pa.Array) -> None:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    textual = pa.types.is_string(kind) or pa.types.is_binary(kind)
    if textual:
        value = constant(column)  # source, rung and batch: a value, not a hundred thousand copies of it
        if value is not None:
            raw = value.encode() if isinstance(value, str) else bytes(value)  # type: ignore[call-overload]
            digest.update(b"C" + len(raw).to_bytes(8, "little") + raw)
            return
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if column.null_count:
        digest.update(b"N" + np.packbits(column.is_valid().to_numpy(zero_copy_only=False)).tobytes())
        column = column.fill_null(_zero(kind))  # what lies under a null is not content
    if textual:
        _, offsets, data = column.buffers()
        ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
        digest.update(b"T" + np.diff(ends).tobytes())
        if ends[-1] > ends[0]:
            digest.update(memoryview(data)[ends[0] : ends[-1]])
        return
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
        kind = column.type
    width = kind.bit_width // 8
    digest.update(b"V")
    digest.update(memoryview(column.buffers()[1])[column.offset * width : (column.offset + len(column)) * width])


def _zero(kind: pa.DataType) -> pa.Scalar:
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return pa.scalar(b"", pa.binary()).cast(kind)
    if pa.types.is_temporal(kind):
        return pa.scalar(0, pa.int32() if kind.bit_width == 32 else pa.int64()).cast(kind)
    return pa.scalar(False) if pa.types.is_boolean(kind) else pa.scalar(0, kind)
