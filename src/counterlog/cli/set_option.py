"""``--set name=value``: parameters of a program, each of the type that the program's own default has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterlog.cli.output import parse_set
from counterlog.errors import InputError, unknown_name

if TYPE_CHECKING:
    from counterlog.model import SCM

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="K=V", help="A parameter of the program, such as dim=16; may be repeated."),
]


def with_settings(scm: SCM, settings: Sequence[str] | None) -> SCM:
    """The program with the parameters of some ``--set`` options.

    Raises
    ------
    UnknownNameError
        A parameter that the program does not have, with the nearest ones.
    InputError
        A value of another type than the default's.
    """
    values = parse_set(settings or [])
    for name in values:
        if name not in scm.parameters:
            raise unknown_name("parameter", name, scm.parameters, f"These are the arguments of {scm.name}.")
    texts = {setting.partition("=")[0].strip(): setting.partition("=")[2] for setting in settings or []}
    return scm.with_parameters(
        **{name: _typed(scm, name, value, texts[name], scm.parameters[name]) for name, value in values.items()}
    )


def _typed(scm: SCM, name: str, value: Any, text: str, default: Any) -> Any:
    if isinstance(default, str):
        return value if isinstance(value, str) else text
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(default, int) and not isinstance(default, bool) and isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(default, bool) and value in (0, 1) and not isinstance(value, float):
        return bool(value)
    if isinstance(default, tuple) and isinstance(value, list):
        return tuple(value)
    if default is not None and type(value) is not type(default):
        kind = {bool: "true or false", int: "a whole number", float: "a number"}.get(type(default), "a JSON list")
        raise InputError(
            f"--set {name}={text}: {scm.name} takes {kind} for {name!r} (default {json.dumps(default, default=str)})"
        )
    return value
