"""The options that say what a LOG is and which column plays which role; one set for every command that reads a log."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterlog.errors import InputError, unknown_name

if TYPE_CHECKING:
    from counterlog.logs import Check, InteractionLog, Roles

_PANEL = "The log's columns"
LOG_HELP = (
    "A saved log folder; a CSV or Parquet file or a folder of parts, with the options below; demo (the embedded "
    "log); or NAME:PATH "
    "of coat, open-bandit, movielens, kuairand, kuairec, yahoo-r3, recbole (NAME:PATH#random is its randomised part)."
)

Log = Annotated[str, typer.Argument(metavar="LOG", help=LOG_HELP, show_default=False)]
User = Annotated[str | None, typer.Option("--user", metavar="COLUMN", help="Ids of users (default: user).")]
Item = Annotated[str | None, typer.Option("--item", metavar="COLUMN", help="Ids of items (default: item).")]
Timestamp = Annotated[str | None, typer.Option("--timestamp", metavar="COLUMN", help="Time: ISO 8601 or since 1970.")]
Exposure = Annotated[str | None, typer.Option("--exposure", metavar="COLUMN", help="1 shown, 0 not shown.")]
Position = Annotated[str | None, typer.Option("--position", metavar="COLUMN", help="Rank in the slate, from 1.")]
Propensity = Annotated[str | None, typer.Option("--propensity", metavar="COLUMN", help="Logged P(exposure = 1).")]
Outcome = Annotated[str | None, typer.Option("--outcome", metavar="COLUMN", help="What the user did given exposure.")]
OutcomeKind = Annotated[
    str | None, typer.Option("--outcome-kind", metavar="KIND", help="rating, click, count or positive.")
]
Context = Annotated[str | None, typer.Option("--context", metavar="A,B", help="Columns of circumstances, by commas.")]
Users = Annotated[str | None, typer.Option("--users", metavar="FILE", help="Features of users: CSV or Parquet.")]
Items = Annotated[str | None, typer.Option("--items", metavar="FILE", help="Features of items: CSV or Parquet.")]
RolesFile = Annotated[
    str | None, typer.Option("--roles", metavar="FILE", help='A TOML file of these options: outcome = "click" ...')
]


def open_from_cli(log: str, **options: Any) -> InteractionLog:
    """The log that a command line means.

    Parameters
    ----------
    log
        What was given for LOG.
    options
        The values of the options above by their Python names: ``user``, ``item``, ``timestamp``, ``exposure``,
        ``position``, ``propensity``, ``outcome``, ``outcome_kind``, ``context``, ``users``, ``items``, ``roles``. None
        where not given.

    Raises
    ------
    InputError, UnknownNameError
        For a log that cannot be opened or has a problem that must be mended.
    """
    from counterlog.logs import open_log

    roles, columns, users, items = parse(options)
    return open_log(log, roles, users=users, items=items, **columns)


def check_from_cli(log: str, **options: Any) -> Check:
    """Every problem of the log that a command line means; the options are those of ``open_from_cli``."""
    from counterlog.logs import check

    roles, columns, users, items = parse(options)
    return check(log, roles, users=users, items=items, **columns)


def parse(options: dict[str, Any]) -> tuple[Roles | None, dict[str, Any], str | None, str | None]:
    """Roles from a file, roles named one by one (these win), and the paths of the feature tables."""
    given = {name: value for name, value in options.items() if value is not None}
    file = given.pop("roles", None)
    users, items = given.pop("users", None), given.pop("items", None)
    if file is None:
        return None, given, users, items
    roles, more_users, more_items = read_roles(Path(file))
    return roles, given, users or more_users, items or more_items


def read_roles(path: Path) -> tuple[Roles, str | None, str | None]:
    """Roles and feature tables out of a TOML file; its paths start from its own folder.

    Raises
    ------
    InputError, UnknownNameError
        If it is no TOML, or has a key that is no role.
    """
    from counterlog.logs import Roles

    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"no file {path} for --roles") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no TOML: {error}") from error
    content = {key.replace("-", "_"): value for key, value in content.items()}
    known = [f.name for f in fields(Roles)]
    for key, value in content.items():
        if key not in (*known, "users", "items"):
            raise unknown_name(f"role in {path}", key, [*known, "users", "items"])
        wanted = isinstance(value, str) or (key == "context" and _is_names(value))
        if not wanted:
            raise InputError(f'{path}: {key} = {value!r} is no column name; write {key} = "NAME"')
    tables = [str(path.parent / content.pop(key)) if key in content else None for key in ("users", "items")]
    if "context" in content:
        names = content["context"].split(",") if isinstance(content["context"], str) else content["context"]
        content["context"] = tuple(name.strip() for name in names)
    return replace(Roles(), **content), tables[0], tables[1]


def _is_names(value: object) -> bool:
    return isinstance(value, Sequence) and all(isinstance(name, str) for name in value)
