"""Columns as integer codes of their distinct values."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from counterlog.logs.numeric import to_numpy


def encode(column: pa.ChunkedArray | pa.Array) -> tuple[pa.Array, np.ndarray]:
    """The distinct values in the order of their first row, and int64 codes ``[rows]`` into them; -1 for null."""
    if isinstance(column, pa.Array):
        column = pa.chunked_array([column])
    if pa.types.is_null(column.type):
        return pa.array([], column.type), np.full(len(column), -1)
    if not len(column):
        return pa.array([], column.type), np.zeros(0, np.int64)
    # Chunk by chunk: joined, the text of a very long log would not fit into one array.
    encoded = column.dictionary_encode().unify_dictionaries()
    codes = [to_numpy(chunk.indices.fill_null(-1)).astype(np.int64) for chunk in encoded.chunks]
    return encoded.chunk(0).dictionary, np.concatenate(codes)
