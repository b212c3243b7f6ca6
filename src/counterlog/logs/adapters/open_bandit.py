"""Open Bandit: fashion recommendations with logged propensities under two policies (Saito et al., 2020).

Licence: Apache-2.0 as distributed with its software (Copyright 2020 Yuta Saito, Yusuke Narita, and ZOZO Technologies,
Inc.); keep the notice, and say what was changed. This reads your own copy, in one of two layouts:

- the original: ``{bts,random}/CAMPAIGN/CAMPAIGN.csv`` with ``item_context.csv`` beside it;
- ``obd_CAMPAIGN.parquet`` with a column ``policy``, and ``item_context_CAMPAIGN_{bts,random}.csv``.

CAMPAIGN is all, men or women: ``open-bandit:FOLDER/men``. Without it the folder must have just one. The log is that of
Bernoulli Thompson sampling; ``#random`` (or ``#test``) is that of the uniform policy. Every row is one shown item:
exposure is 1.

There is no user id: nobody can be followed from one impression to the next. One user a row would have nothing to learn
from, so the user here is the *tuple of the four hashed user features*: all who look alike to the platform count as one
(a kind of user).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from counterlog.errors import InputError
from counterlog.logs.adapters.common import absent, table
from counterlog.logs.coding import encode
from counterlog.logs.raw import RawLog, RawTable
from counterlog.logs.roles import Roles
from counterlog.logs.tables import read_table

LICENCE = (
    "Apache-2.0 (https://www.apache.org/licenses/LICENSE-2.0). Open Bandit Dataset, Copyright 2020 Yuta Saito, "
    "Yusuke Narita, and "
    "ZOZO Technologies, Inc.; Saito et al., arXiv:2008.07146. Changed: the hashed user features were joined to a "
    "user id."
)
PARTS = ("random", "test")
CAMPAIGNS = ("all", "men", "women")
_HASHES = [f"user_feature_{i}" for i in range(4)]
_EVENT = ["timestamp", "item_id", "position", "click", "propensity_score"]
_NOTE = "no user ids in the source: a user here is everybody with the same four hashed features"


def read(path: Path, part: str | None) -> RawLog:
    """The log of Thompson sampling, or that of the uniform policy."""
    policy = "random" if part else "bts"
    folder, campaign = _campaign(path, policy)
    events, context = _events(folder, campaign, policy)
    users = _users(events)
    shown = events.drop_columns(_HASHES).append_column("user", users)
    shown = shown.append_column("exposure", pa.array(np.ones(shown.num_rows, np.int8)))
    first = pa.array(np.unique(encode(users)[1], return_index=True)[1])
    features = events.select(_HASHES).take(first).append_column("user", users.take(first))
    roles = Roles("user", "item_id", "click", "click", "exposure", "timestamp", "position", "propensity_score")
    label = f"open-bandit:{campaign}" + (f"#{part}" if part else "")
    return RawLog(table(folder, shown), roles, table(folder, features), context, label, LICENCE, (_NOTE,))


def _campaign(path: Path, policy: str) -> tuple[Path, str]:
    """The folder and the campaign that a path means."""
    if not path.exists() and path.name in CAMPAIGNS and path.parent.is_dir():
        return path.parent, path.name
    if not path.is_dir():
        raise absent(path, "open-bandit", "a folder, or FOLDER/CAMPAIGN with all, men or women")
    found = [c for c in CAMPAIGNS if (path / f"obd_{c}.parquet").exists() or (path / policy / c / f"{c}.csv").exists()]
    if not found:
        raise absent(path, "open-bandit", f"obd_CAMPAIGN.parquet or {policy}/CAMPAIGN/CAMPAIGN.csv")
    if len(found) > 1:
        raise InputError(f"{path} has the campaigns {', '.join(found)}; say which: open-bandit:{path / found[0]}")
    return path, found[0]


def _events(folder: Path, campaign: str, policy: str) -> tuple[pa.Table, RawTable | None]:
    parquet = folder / f"obd_{campaign}.parquet"
    if parquet.exists():
        both = _columns(parquet, ["policy", *_EVENT, *_HASHES])
        events = both.filter(pc.equal(both["policy"], policy)).drop_columns(["policy"])
        # The hashes of item features differ between the two files by a renaming only: one of them serves both.
        return events, _items(folder / f"item_context_{campaign}_bts.csv")
    base = folder / policy / campaign
    if not (base / f"{campaign}.csv").exists():
        raise absent(folder, "open-bandit", f"obd_{campaign}.parquet or {policy}/{campaign}/{campaign}.csv")
    return _columns(base / f"{campaign}.csv", [*_EVENT, *_HASHES]), _items(base / "item_context.csv")


def _items(file: Path) -> RawTable | None:
    if not file.exists():
        return None
    names = ["item_id", *(f"item_feature_{i}" for i in range(4))]
    return table(file, _columns(file, names))


def _columns(file: Path, names: list[str]) -> pa.Table:
    raw = read_table(file, names)
    for name in names:
        if name not in raw.header:
            raise InputError(f"{file} has no column {name!r}; it has {', '.join(raw.header[:12])}")
    return raw.table.select(names)


def _users(events: pa.Table) -> pa.ChunkedArray:
    """One id for each tuple of hashes: their first eight characters, if these tell all tuples apart."""
    whole = pc.binary_join_element_wise(*(events[name] for name in _HASHES), "-")
    short = pc.binary_join_element_wise(*(pc.utf8_slice_codeunits(events[name], 0, 8) for name in _HASHES), "-")
    return short if len(pc.unique(short)) == len(pc.unique(whole)) else whole
