"""Ways into a log: from a frame, from files, from what stands on a command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from counterlog.errors import InputError, unknown_name
from counterlog.logs import adapters
from counterlog.logs.examine import examine
from counterlog.logs.folder import is_saved, load_log
from counterlog.logs.frames import from_native
from counterlog.logs.log import InteractionLog
from counterlog.logs.problems import Check
from counterlog.logs.raw import RawLog, RawTable
from counterlog.logs.roles import Roles
from counterlog.logs.tables import read_table

Path_ = str | PathLike[str]
_ROLES = tuple(f.name for f in fields(Roles))


def from_frame(
    frame: Any,
    roles: Roles | None = None,
    *,
    users: Any = None,
    items: Any = None,
    name: str = "frame",
    licence: str = "",
    **columns: Any,
) -> InteractionLog:
    """Make a log from a data frame.

    Parameters
    ----------
    frame
        A pandas or Polars frame, an Arrow table, a DuckDB relation. Ids keep their type (text or integers).
    roles
        Which column plays which role; or name them by keyword: ``user="uid", item="iid", outcome="click"``.
    users, items
        Feature tables (frames, or paths) with the id column named as in the log.
    name, licence
        Carried into cards and reports.

    Raises
    ------
    InputError
        Naming every problem that must be mended.

    Examples
    --------
    >>> import pyarrow as pa
    >>> events = pa.table({"user": ["ana", "ben"], "item": ["a", "a"], "rating": [4, 2]})
    >>> log = from_frame(events, outcome="rating")
    >>> log.rows, log.levels
    (2, (2.0, 4.0))
    """
    chosen = roles_from(roles, columns)
    return examine(_raw_frame(frame, chosen, users, items, name, licence)).build()


def read_log(
    path: Path_,
    roles: Roles | None = None,
    *,
    users: Any = None,
    items: Any = None,
    name: str = "",
    licence: str = "",
    **columns: Any,
) -> InteractionLog:
    """Read a log from a CSV or Parquet file, or a folder of such parts.

    In CSV every id is text: ``007`` and ``7`` are two. Columns are named as in ``from_frame``.

    Raises
    ------
    InputError
        If the file cannot be read, or naming every problem that must be mended.
    """
    return examine(_raw_files(path, roles_from(roles, columns), users, items, name, licence)).build()


def open_log(
    spec: Path_, roles: Roles | None = None, *, users: Any = None, items: Any = None, **columns: Any
) -> InteractionLog:
    """Open what a command line calls LOG.

    Parameters
    ----------
    spec
        A saved log, a CSV or Parquet file, a folder of parts, ``demo`` (``demo#random``), or ``NAME:PATH`` of an
        adapter (``coat:``, ``kuairand:`` ...; ``NAME:PATH#random`` is its randomised part).
    roles, users, items, columns
        As in ``read_log``; only files need them.

    Raises
    ------
    InputError, UnknownNameError
        If there is no such thing, or it has a problem that must be mended.
    """
    if (saved := _saved(spec)) is not None:
        _refuse_roles(spec, roles, columns, users, items)
        return load_log(saved)
    return examine(raw_log(spec, roles, users=users, items=items, **columns)).build()


def check(
    log: Any, roles: Roles | None = None, *, users: Any = None, items: Any = None, name: str = "", **columns: Any
) -> Check:
    """Find every problem of a log at once.

    Parameters
    ----------
    log
        An InteractionLog, a data frame, or anything that ``open_log`` opens.
    roles, users, items, columns
        As in ``from_frame``.

    Raises
    ------
    InputError
        Only if there is nothing to check: no such file, not UTF-8, no table.
    """
    if isinstance(log, InteractionLog):
        _refuse_roles(log.name, roles, columns, users, items)
        return check_log(log)
    if isinstance(log, str | PathLike):
        if (saved := _saved(log)) is not None:
            _refuse_roles(log, roles, columns, users, items)
            return check_log(load_log(saved))
        return examine(raw_log(log, roles, users=users, items=items, **columns)).check
    return examine(_raw_frame(log, roles_from(roles, columns), users, items, name or "frame", "")).check


def check_log(log: InteractionLog) -> Check:
    """The remarks on a finished log; what is an error never became one."""
    table = RawTable(log.name, log.table, tuple(log.table.column_names))
    found = examine(RawLog(table, log.roles, name=log.name)).check
    return replace(found, users=len(log.users), items=len(log.items))


def raw_log(spec: Path_, roles: Roles | None = None, *, users: Any = None, items: Any = None, **columns: Any) -> RawLog:
    """What ``open_log`` opens, as read and before it is believed; not for saved logs, which were."""
    text = fspath(spec)
    if adapters.is_spec(text):
        _refuse_roles(text, roles, columns, users, items)
        return adapters.read(text)
    return _raw_files(text, roles_from(roles, columns), users, items, "", "")


def roles_from(roles: Roles | None, columns: Mapping[str, Any]) -> Roles:
    """The roles given, changed by those named one by one.

    Raises
    ------
    UnknownNameError
        For a role that does not exist.
    """
    for name in columns:
        if name not in _ROLES:
            raise unknown_name("role", name, _ROLES)
    given = {name: value for name, value in columns.items() if value is not None}
    if isinstance(given.get("context"), str):
        given["context"] = tuple(part.strip() for part in given["context"].split(",") if part.strip())
    if "context" in given:
        given["context"] = tuple(given["context"])
    if "outcome" in given and roles is not None and "outcome_kind" not in given and given["outcome"] != roles.outcome:
        given["outcome_kind"] = None  # the kind of another column says nothing about this one
    found = replace(roles or Roles(), **given)
    if found.outcome_kind is not None and found.outcome is None:
        raise InputError(
            f"the outcome kind is {found.outcome_kind!r}, but no column is named as the outcome (--outcome)"
        )
    return found


def _raw_frame(frame: Any, roles: Roles, users: Any, items: Any, name: str, licence: str) -> RawLog:
    events = from_native(frame, list(roles.columns().values()), name)
    return RawLog(
        events,
        roles,
        _feature_table(users, "users", roles.user),
        _feature_table(items, "items", roles.item),
        name,
        licence,
    )


def _raw_files(path: Path_, roles: Roles, users: Any, items: Any, name: str, licence: str) -> RawLog:
    events = read_table(path, list(roles.columns().values()))
    named = name or Path(path).name
    return RawLog(
        events,
        roles,
        _feature_table(users, "users", roles.user),
        _feature_table(items, "items", roles.item),
        named,
        licence,
    )


def _feature_table(source: Any, name: str, key: str) -> RawTable | None:
    if source is None:
        return None
    if isinstance(source, str | PathLike):
        return read_table(source, None, key)
    return from_native(source, None, name)


def _saved(spec: Path_) -> Path | None:
    path = Path(spec)
    return path if is_saved(path) else None


def _refuse_roles(spec: Path_, roles: Roles | None, columns: Mapping[str, Any], users: Any, items: Any) -> None:
    given = ["roles"] if roles is not None else []
    given += [
        name for name, value in {**columns, "users": users, "items": items}.items() if value is not None and value != ()
    ]
    if given:
        raise InputError(f"{fspath(spec)} knows its own columns; leave out {', '.join(given)}")


__all__ = ["check", "check_log", "from_frame", "open_log", "raw_log", "read_log", "roles_from"]
