"""MovieLens ratings (Harper and Konstan, 2015), in each layout of its releases.

Licence: GroupLens, University of Minnesota: research use, with acknowledgement; no redistribution without permission,
no commercial use without permission. This reads your own copy of the folder:

- 100K: ``u.data`` (tabs), ``u.user`` and ``u.item`` (bars; Latin-1, as its authors fixed it);
- 1M and 10M: ``ratings.dat``, ``users.dat``, ``movies.dat`` (``::``);
- latest, 20M, 25M, 32M: ``ratings.csv``, ``movies.csv``.

There is no randomised part. Ids stay text. Features: age, gender and occupation of users, genres of movies; titles are
names.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from counterlog.errors import InputError
from counterlog.logs.adapters.common import absent, delimited, find, multi_hot, table
from counterlog.logs.csvs import read_csv
from counterlog.logs.raw import RawLog, RawTable
from counterlog.logs.roles import Roles

LICENCE = (
    "MovieLens, GroupLens, University of Minnesota (Harper and Konstan, 2015, https://doi.org/10.1145/2827872): "
    "research use with "
    "acknowledgement; no redistribution and no commercial use without permission"
)
PARTS: tuple[str, ...] = ()
_RATING = ["user", "item", "rating", "timestamp"]
#: The order of the flags in u.item, from its README.
_GENRES = (
    "unknown|Action|Adventure|Animation|Children's|Comedy|Crime|Documentary|Drama|Fantasy|Film-Noir|Horror|Musical|Mystery|"
    "Romance|Sci-Fi|Thriller|War|Western"
).split("|")


def read(path: Path, part: str | None) -> RawLog:
    """The ratings with the features of their release."""
    for name, reader in (("u.data", _hundred_k), ("ratings.dat", _dat), ("ratings.csv", _csv)):
        if (file := find(path, name)) is not None:
            events, users, items = reader(file)
            roles = Roles(outcome="rating", timestamp="timestamp")
            return RawLog(events, roles, users, items, f"movielens:{path.name}", LICENCE)
    raise absent(path, "movielens", "u.data, ratings.dat or ratings.csv")


def _hundred_k(file: Path) -> tuple[RawTable, RawTable | None, RawTable | None]:
    users = items = None
    if (user_file := file.with_name("u.user")).exists():
        content = delimited(user_file, "|", ["user", "age", "gender", "occupation", "zip"])
        users = table(user_file, content.drop_columns(["zip"]))
    if (item_file := file.with_name("u.item")).exists():
        flags = [f"genre={g}" for g in _GENRES]
        content = delimited(item_file, "|", ["item", "title", "date", "video", "url", *flags], encoding="latin-1")
        items = table(item_file, content.select(["item", *flags]))
    return table(file, delimited(file, "\t", _RATING)), users, items


def _dat(file: Path) -> tuple[RawTable, RawTable | None, RawTable | None]:
    users = items = None
    if (user_file := file.with_name("users.dat")).exists():
        content = delimited(user_file, "::", ["user", "gender", "age", "occupation", "zip"])
        # The occupation is a code of 21 kinds, not an amount.
        codes = pc.binary_join_element_wise("code", content["occupation"], " ")
        content = content.drop_columns(["zip"]).set_column(3, "occupation", codes)
        users = table(user_file, content)
    if (item_file := file.with_name("movies.dat")).exists():
        items = _genres(
            item_file, delimited(item_file, "::", ["item", "title", "genres"], encoding=_encoding(item_file))
        )
    return table(file, delimited(file, "::", _RATING)), users, items


def _csv(file: Path) -> tuple[RawTable, RawTable | None, RawTable | None]:
    events = _renamed(file, {"userId": "user", "movieId": "item", "rating": "rating", "timestamp": "timestamp"})
    items = None
    if (item_file := file.with_name("movies.csv")).exists():
        content = _renamed(item_file, {"movieId": "item", "genres": "genres"}).table
        items = _genres(item_file, content)
    return events, None, items


def _renamed(file: Path, names: dict[str, str]) -> RawTable:
    raw = read_csv(file, list(names))
    for name in names:
        if name not in raw.header:
            raise InputError(f"{file} has no column {name!r}; its first line holds {', '.join(raw.header)}")
    return table(file, raw.table.select(list(names)).rename_columns(list(names.values())))


def _genres(file: Path, content: pa.Table) -> RawTable:
    return table(file, {"item": content["item"], **multi_hot(content["genres"], "|", "genre")})


def _encoding(file: Path) -> str:
    """Release 1M is Latin-1 and 10M is UTF-8: what decodes as UTF-8 is UTF-8."""
    try:
        file.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"
