"""The known ids of users or items, in a fixed order, with a content hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from counterlog.errors import UnknownNameError, nearest, unknown_name


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Ids in code order: ``ids[code]`` is the id. Ids keep their Arrow type (text or integer); none is null.

    ``kind`` is ``user`` or ``item`` and is used in messages only.
    """

    kind: str
    ids: pa.Array

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the ids in their order; two vocabularies with one hash code the same."""
        digest = hashlib.sha256(f"{self.kind}:{len(self.ids)}".encode())
        for text in self.labels:
            raw = text.encode()
            digest.update(len(raw).to_bytes(4, "big") + raw)
        return digest.hexdigest()

    @cached_property
    def labels(self) -> list[str]:
        """The ids as text, for coordinates and messages."""
        return [str(x) for x in self.ids.to_pylist()]

    def codes(self, ids: pa.Array | pa.ChunkedArray, missing: str = "error") -> np.ndarray:
        """Codes of ids (int64, shape ``[len(ids)]``). An unseen id raises, or gets -1 with ``missing="declare"``.

        Raises
        ------
        UnknownNameError
            Naming up to five unseen ids and the nearest known ones.
        """
        if missing not in ("error", "declare"):
            raise unknown_name("way with missing ids", missing, ("error", "declare"))
        wanted = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
        narrower = pa.types.is_integer(wanted.type) and not pa.types.is_uint64(wanted.type)
        if wanted.type != self.ids.type and narrower and pa.types.is_int64(self.ids.type):
            wanted, known = wanted.cast(pa.int64()), self.ids
        elif wanted.type != self.ids.type:
            known = self.ids.cast(pa.string()) if not pa.types.is_string(self.ids.type) else self.ids
            wanted = wanted.cast(pa.string())
        else:
            known = self.ids
        found = pc.index_in(wanted, value_set=known)
        codes = found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        unseen = np.flatnonzero(codes < 0)
        if len(unseen) and missing == "error":
            names = [str(x) for x in dict.fromkeys(wanted.take(pa.array(unseen[:200])).to_pylist())][:5]
            close = nearest(names[0], self.labels[:50_000])
            hint = f"; nearest to {names[0]!r}: {', '.join(close)}" if close else ""
            raise UnknownNameError(f"{len(unseen)} rows with an unknown {self.kind}: {', '.join(names)}{hint}")
        return codes
