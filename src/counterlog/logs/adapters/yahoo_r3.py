"""Yahoo! R3: song ratings of 15,400 users, chosen by themselves, and of 5,400 of them for 10 songs drawn at random.

Licence: Yahoo! Webscope, for non-commercial research by its licensees only; it may not be passed on. This reads your
own copy: ``ydata-ymusic-rating-study-v1_0-train.txt`` and ``...-test.txt`` (tab-separated user, item, rating, no
header). ``#test`` or ``#random`` is the randomised part. Ids stay text.
"""

from __future__ import annotations

from pathlib import Path

from counterlog.logs.adapters.common import absent, delimited, find, table
from counterlog.logs.raw import RawLog
from counterlog.logs.roles import Roles

LICENCE = (
    "Yahoo! Webscope R3 (ydata-ymusic-rating-study-v1_0): non-commercial research by licensees only; do not "
    "redistribute"
)
PARTS = ("test", "random")


def read(path: Path, part: str | None) -> RawLog:
    """The self-selected ratings, or those of random songs."""
    kind = "test" if part else "train"
    name = f"ydata-ymusic-rating-study-v1_0-{kind}.txt"
    file = find(path, name, f"*{kind}.txt")
    if file is None:
        raise absent(path, "yahoo-r3", name)
    events = delimited(file, "\t", ["user", "item", "rating"])
    label = f"yahoo-r3:{path.name}" + (f"#{part}" if part else "")
    return RawLog(table(file, events), Roles(outcome="rating"), name=label, licence=LICENCE)
