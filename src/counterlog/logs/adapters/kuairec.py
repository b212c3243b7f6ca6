"""KuaiRec: short videos watched under ordinary recommendation, and a block of users and videos observed almost fully
(CIKM 2022).

Licence: CC BY-SA 4.0; copies and adaptations must keep it and name the authors. This reads your own copy, in one of
two layouts:

- the original release: ``big_matrix.csv`` (ordinary) and ``small_matrix.csv`` (the block), ``user_features.csv``,
  ``item_categories.csv``, in the folder or its ``data`` folder. Every row was shown: exposure is 1;
- ``biased_positives.parquet`` (clicks without impressions) and, of the block, ``full_block_positives.parquet``,
  ``full_block_users.csv``, ``full_block_items.csv``: every cell of the block is a row.

``#test`` (or ``#random``) is the block. It is not randomised but fully observed: there is no selection inside it.

The outcome ``click`` is 1 where the watch ratio (play time over length) is above 2, the threshold its authors use. The
ratio itself has zeros, which no positive outcome has; to model it, read the CSV with your own roles.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from counterlog.errors import InputError
from counterlog.logs.adapters.common import absent, find, multi_hot, table
from counterlog.logs.eventchecks import read_numbers
from counterlog.logs.raw import RawLog, RawTable
from counterlog.logs.roles import Roles
from counterlog.logs.tables import read_table

LICENCE = (
    "CC BY-SA 4.0. Contains data adapted from KuaiRec by Chongming Gao, Shijun Li, Wenqiang Lei, Jiawei Chen, "
    "Biao Li, Peng Jiang, "
    "Xiangnan He, Jiaxin Mao and Tat-Seng Chua (CIKM 2022, https://doi.org/10.1145/3511808.3557220), used under "
    "CC BY-SA 4.0 "
    "(https://creativecommons.org/licenses/by-sa/4.0/)."
)
PARTS = ("test", "random")
THRESHOLD = 2.0


def read(path: Path, part: str | None) -> RawLog:
    """The ordinary log, or the fully observed block."""
    label = f"kuairec:{path.name}" + (f"#{part}" if part else "")
    name = "small_matrix.csv" if part else "big_matrix.csv"
    if (file := find(path, name)) is not None:
        return _release(file, label)
    positives = find(path, "full_block_positives.parquet" if part else "biased_positives.parquet")
    if positives is None:
        raise absent(path, "kuairec", f"{name} or {'full_block' if part else 'biased'}_positives.parquet")
    if part:
        return _block(positives, label)
    raw = _columns(positives, ["user", "item"])
    events = table(positives, raw.table.append_column("click", pa.array(np.ones(raw.rows, np.int8))))
    return RawLog(events, Roles(outcome="click"), name=label, licence=LICENCE)


def _release(file: Path, label: str) -> RawLog:
    raw = _columns(file, ["user_id", "video_id", "timestamp", "watch_ratio"])
    ratio, problems = read_numbers(raw, "watch_ratio", "watch ratio")
    if ratio is None or problems:
        raise InputError(f"{file}: {problems[0].message if problems else 'no watch_ratio'}")
    known = pa.array(np.where(ratio.finite, ratio.values > THRESHOLD, False).astype(np.int8), mask=~ratio.finite)
    events = raw.table.drop_columns(["watch_ratio"])
    events = events.append_column("click", known).append_column("exposure", pa.array(np.ones(raw.rows, np.int8)))
    roles = Roles("user_id", "video_id", "click", "click", "exposure", "timestamp")
    users = find(file.parent, "user_features.csv")
    return RawLog(
        table(file, events),
        roles,
        read_table(users, None, "user_id") if users else None,
        _categories(file.parent),
        label,
        LICENCE,
    )


def _categories(base: Path) -> RawTable | None:
    """Categories are written as lists: [8] or [27, 9]."""
    file = find(base, "item_categories.csv")
    if file is None:
        return None
    raw = _columns(file, ["video_id", "feat"])
    bare = pa.chunked_array([[(text or "").strip("[] ") for text in raw.table["feat"].to_pylist()]], pa.string())
    return table(file, {"video_id": raw.table["video_id"], **multi_hot(bare, ",", "category")})


def _block(positives: Path, label: str) -> RawLog:
    """All cells of the block, users first; those not listed as positive are 0."""
    sides = []
    for kind in ("user", "item"):
        file = find(positives.parent, f"full_block_{kind}s.csv")
        if file is None:
            raise absent(positives.parent, "kuairec", f"full_block_{kind}s.csv")
        numbers, problems = read_numbers(_columns(file, [kind]), kind, kind)
        if numbers is None or problems or not numbers.finite.all():
            raise InputError(f"{file}: the ids of the block must be integers")
        sides.append(np.unique(numbers.values.astype(np.int32)))
    users, items = sides
    raw = _columns(positives, ["user", "item"])
    pairs = [raw.table[kind].to_numpy() for kind in ("user", "item")]
    rows, columns = np.searchsorted(users, pairs[0]), np.searchsorted(items, pairs[1])
    inside = (users[rows.clip(max=len(users) - 1)] == pairs[0]) & (items[columns.clip(max=len(items) - 1)] == pairs[1])
    if not inside.all():
        raise InputError(f"{positives}: {int((~inside).sum())} pairs lie outside the block's users and items")
    click = np.zeros((len(users), len(items)), np.int8)
    click[rows, columns] = 1
    events = {
        "user": np.repeat(users, len(items)),
        "item": np.tile(items, len(users)),
        "click": click.reshape(-1),
        "exposure": np.ones(click.size, np.int8),
    }
    return RawLog(table(positives, events), Roles(outcome="click", exposure="exposure"), name=label, licence=LICENCE)


def _columns(file: Path, names: list[str]) -> RawTable:
    raw = read_table(file, names)
    for name in names:
        if name not in raw.header:
            raise InputError(f"{file} has no column {name!r}; it has {', '.join(raw.header[:12])}")
    return raw
