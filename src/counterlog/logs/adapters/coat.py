"""Coat: 290 users rated 24 coats of their choice and 16 drawn at random (Schnabel et al., ICML 2016).

Licence: none stated by its authors; offered for research. Nothing of it comes with counterlog: this reads your own
copy of the folder with ``train.ascii``, ``test.ascii`` (matrices, 0 = not rated) and ``user_item_features``. ``#test``
or ``#random`` is the part with random items. Ids are the row and column numbers as text, ``"0"`` to ``"289"`` and
``"299"``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from counterlog.errors import InputError
from counterlog.logs.adapters.common import absent, find, table
from counterlog.logs.raw import RawLog, RawTable
from counterlog.logs.roles import Roles

LICENCE = (
    "Coat (Schnabel et al., ICML 2016): no licence stated by its authors, offered for research; do not redistribute"
)
PARTS = ("test", "random")


def read(path: Path, part: str | None) -> RawLog:
    """The self-selected ratings, or those of random items."""
    name = "test.ascii" if part else "train.ascii"
    file = find(path, name)
    if file is None:
        raise absent(path, "coat", f"{name} (a matrix of ratings, 0 = not rated)")
    ratings = _matrix(file)
    users, items = np.nonzero(ratings)
    events = table(
        file,
        {
            "user": pa.array(users).cast(pa.string()),
            "item": pa.array(items).cast(pa.string()),
            "rating": pa.array(ratings[users, items]),
        },
    )
    sides = [_features(path, kind, count) for kind, count in zip(("user", "item"), ratings.shape, strict=True)]
    label = f"coat:{path.name}" + (f"#{part}" if part else "")
    return RawLog(events, Roles(outcome="rating"), sides[0], sides[1], label, LICENCE)


def _matrix(file: Path) -> np.ndarray:
    if not file.read_bytes().strip():
        raise InputError(f"{file} is empty")
    try:
        return np.loadtxt(file, ndmin=2)
    except ValueError as error:
        raise InputError(f"{file} is no matrix of numbers separated by spaces: {error}") from error


def _features(path: Path, kind: str, count: int) -> RawTable | None:
    """Features with the names in the map file; rows that were never rated are known users and items too."""
    file = find(path, f"user_item_features/{kind}_features.ascii", f"{kind}_features.ascii")
    if file is None:
        return None
    values = _matrix(file)
    if len(values) != count:
        raise InputError(f"{file} has {len(values)} rows, but the ratings have {count} {kind}s")
    names = [f"feature_{i}" for i in range(values.shape[1])]
    if (names_file := file.with_name(f"{kind}_features_map.txt")).exists():
        names = [line.strip() for line in names_file.read_text("utf-8").splitlines() if line.strip()]
    if len(names) != values.shape[1] or len(set(names)) != len(names):
        raise InputError(f"{names_file} names {len(names)} features, but {file.name} has {values.shape[1]} columns")
    ids = pa.array(np.arange(count)).cast(pa.string())
    return table(file, {kind: ids, **{name: values[:, i] for i, name in enumerate(names)}})
