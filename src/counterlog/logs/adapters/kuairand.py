"""KuaiRand: short videos shown by ordinary policies and, for a small share, at random (Gao et al., CIKM 2022).

Licence: CC BY-SA 4.0; copies and adaptations must keep it and name the authors. This reads your own copy, in one of
two layouts:

- the original release (Pure, 1K or 27K): ``log_standard_*.csv``, ``log_random_*.csv``, ``user_features_*.csv``,
  ``video_features_basic_*.csv``, in the folder or its ``data`` folder. Every row was shown: exposure is 1, the outcome
  ``is_click``;
- a folder with ``biased_clicks.parquet`` (user, item: clicks without impressions) and ``random_exposures.parquet``
  (user, item, click).

``#random`` (or ``#test``) is the randomised part. Its users may have been chosen by their outcome: in the second
layout each has at least one random click, so its click rate is not the population's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from counterlog.errors import InputError
from counterlog.logs.adapters.common import absent, find, table
from counterlog.logs.raw import RawLog, RawTable
from counterlog.logs.roles import Roles
from counterlog.logs.tables import read_table

ATTRIBUTION = (
    "Contains data adapted from KuaiRand by Chongming Gao, Shijun Li, Yuan Zhang, Jiawei Chen, Biao Li, Wenqiang Lei, "
    "Peng Jiang and Xiangnan He (CIKM 2022, https://doi.org/10.1145/3511808.3557624), used under CC BY-SA 4.0 "
    "(https://creativecommons.org/licenses/by-sa/4.0/)."
)
LICENCE = f"CC BY-SA 4.0. {ATTRIBUTION}"
PARTS = ("random", "test")
_NOTE = (
    "users of the random part each have at least one random click: compare models on it, do not read its rate as the "
    "population's"
)


def read(path: Path, part: str | None) -> RawLog:
    """The ordinary log, or the randomised one."""
    label = f"kuairand:{path.name}" + (f"#{part}" if part else "")
    if (file := find(path, "random_exposures.parquet" if part else "biased_clicks.parquet")) is not None:
        return clicks(file, label, LICENCE, random=bool(part))
    kind = "random" if part else "standard"
    bases = [base for base in (path, path / "data") if base.is_dir() and any(base.glob(f"log_{kind}*.csv"))]
    if not bases:
        raise absent(
            path, "kuairand", f"log_{kind}_*.csv, or {'random_exposures' if part else 'biased_clicks'}.parquet"
        )
    return _release(bases[0], kind, label)


def clicks(file: Path, label: str, licence: str, *, random: bool) -> RawLog:
    """The second layout: clicks without impressions, or random exposures with and without a click."""
    wanted = ["user", "item", "click"] if random else ["user", "item"]
    raw = read_table(file, wanted)
    lacking = [name for name in wanted if name not in raw.header]
    if lacking:
        raise InputError(f"{file} has no column {lacking[0]!r}; it has {', '.join(raw.header)}")
    ones = np.ones(raw.rows, np.int8)
    if random:
        events = table(file, raw.table.append_column("exposure", pa.array(ones)))
        return RawLog(events, Roles(outcome="click", exposure="exposure"), name=label, licence=licence, notes=(_NOTE,))
    events = table(file, raw.table.append_column("click", pa.array(ones)))
    return RawLog(events, Roles(outcome="click"), name=label, licence=licence)


def _release(base: Path, kind: str, label: str) -> RawLog:
    roles = Roles("user_id", "video_id", "is_click", "click", "exposure", "time_ms", context=("tab",))
    wanted = ["user_id", "video_id", "is_click", "time_ms", "tab"]
    parts = [read_table(file, wanted) for file in sorted(base.glob(f"log_{kind}*.csv"))]
    for raw in parts:
        lacking = [name for name in wanted if name not in raw.header]
        if lacking:
            raise InputError(f"{raw.source} has no column {lacking[0]!r}; it has {', '.join(raw.header[:12])}")
    joined = pa.concat_tables([raw.table.select(wanted) for raw in parts])
    events = joined.append_column("exposure", pa.array(np.ones(joined.num_rows, np.int8)))
    return RawLog(
        table(base, events),
        roles,
        _side(base, "user_features*.csv"),
        _side(base, "video_features_basic*.csv"),
        label,
        LICENCE,
    )


def _side(base: Path, pattern: str) -> RawTable | None:
    file = find(base, pattern)
    return None if file is None else read_table(file, None)
