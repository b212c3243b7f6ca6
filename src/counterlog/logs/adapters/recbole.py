"""RecBole atomic files: tab-separated tables with typed headers (``user_id:token``).

Licence: that of the data set behind the files; RecBole states none of its own. This reads your own copy: a folder with
``NAME.inter`` and, where there are any, ``NAME.user`` and ``NAME.item``, or the path of the ``.inter`` file. Ids stay
text. With ``NAME.train.inter``, ``NAME.valid.inter``, ``NAME.test.inter`` beside or instead, ``#train``, ``#valid``,
``#test`` chooses one.

The user is ``user_id``, the item ``item_id``, the time ``timestamp``. The outcome is the first of ``rating`` (a
rating), ``label`` or ``click`` (a click) and ``count`` (a count) that is there; without any, the rows are interactions
without an outcome.
"""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from counterlog.errors import InputError, unknown_name
from counterlog.logs.adapters.common import absent, delimited, multi_hot, table
from counterlog.logs.raw import RawLog, RawTable
from counterlog.logs.roles import Roles

LICENCE = "the terms of the data set that was turned into RecBole's atomic files"
PARTS = ("train", "valid", "test")
_FIELD = re.compile(r"^([^:\s]+):(token|float|token_seq|float_seq)$")
_OUTCOMES = {"rating": "rating", "label": "click", "click": "click", "count": "count"}


def read(path: Path, part: str | None) -> RawLog:
    """The interactions, or those of one part of a split."""
    file = _inter(path, part)
    stem = file.name.split(".")[0]
    events, kinds = _atomic(file)
    roles = _roles(file, list(kinds))
    sides = [
        _features(file.parent / f"{stem}.{side}", key) for side, key in (("user", roles.user), ("item", roles.item))
    ]
    label = f"recbole:{stem}" + (f"#{part}" if part else "")
    return RawLog(table(file, events), roles, sides[0], sides[1], label, LICENCE)


def _inter(path: Path, part: str | None) -> Path:
    if path.is_file():
        return path
    files = sorted(path.glob("*.inter")) if path.is_dir() else []
    if part:
        files = [f for f in files if f.name.endswith(f".{part}.inter")]
        if not files:
            raise absent(path, "recbole", f"NAME.{part}.inter")
    whole = [f for f in files if f.name.count(".") == 1] or files
    if not whole:
        raise absent(path, "recbole", "NAME.inter")
    if len(whole) > 1:
        names = ", ".join(f.name for f in whole)
        raise InputError(
            f"{path} has several .inter files: {names}; name one, or one part of a split: recbole:{path}#train"
        )
    return whole[0]


def _atomic(file: Path) -> tuple[pa.Table, dict[str, str]]:
    """The table under the bare names, and name -> type."""
    with file.open("rb") as stream:
        try:
            head = stream.readline().decode("utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise InputError(f"{file} is not UTF-8 (byte 0x{error.object[error.start]:02x} in its header)") from error
    if not head.strip():
        raise InputError(f"{file} is empty; its first line must name and type the columns, as in user_id:token")
    fields = [_FIELD.match(text) for text in head.split("\t")]
    if not all(fields):
        raise InputError(
            f"{file}: the header must be NAME:TYPE fields separated by tabs (token, float, token_seq, float_seq); "
            f"as read with tabs as the separator it is {head!r}"
        )
    kinds = {f.group(1): f.group(2) for f in fields if f}
    if len(kinds) < len(fields):
        raise InputError(f"{file}: the header names a column twice: {head!r}")
    return delimited(file, "\t", list(kinds), header=True), kinds


def _roles(file: Path, columns: list[str]) -> Roles:
    for wanted in ("user_id", "item_id"):
        if wanted not in columns:
            raise unknown_name(f"column in {file}", wanted, columns, "The adapter wants user_id and item_id.")
    outcome = next((name for name in _OUTCOMES if name in columns), None)
    return Roles(
        "user_id",
        "item_id",
        outcome,
        _OUTCOMES[outcome] if outcome else None,
        timestamp="timestamp" if "timestamp" in columns else None,
    )


def _features(file: Path, key: str) -> RawTable | None:
    """Numbers and tokens as they are, lists of tokens as one column a token; lists of numbers are left out."""
    if not file.exists():
        return None
    content, kinds = _atomic(file)
    columns: dict[str, object] = {}
    for name, kind in kinds.items():
        if kind == "token_seq":
            columns |= multi_hot(content[name], " ", name)
        elif kind != "float_seq":
            columns[name] = content[name]
    if key not in columns:
        raise unknown_name(f"column in {file}", key, list(kinds))
    return table(file, columns)
