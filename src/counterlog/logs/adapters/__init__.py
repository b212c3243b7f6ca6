"""Public data sets in their own formats: ``NAME:PATH`` reads the user's own copy."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from counterlog.errors import InputError, unknown_name
from counterlog.logs.raw import RawLog

#: Name before the colon -> module. Each has LICENCE, PARTS (names after ``#``) and ``read(path, part)``.
ADAPTERS = {
    "coat": "coat",
    "open-bandit": "open_bandit",
    "movielens": "movielens",
    "kuairand": "kuairand",
    "kuairec": "kuairec",
    "yahoo-r3": "yahoo_r3",
    "recbole": "recbole",
}


class Adapter(Protocol):
    """What an adapter's module offers."""

    LICENCE: str
    PARTS: tuple[str, ...]

    def read(self, path: Path, part: str | None) -> RawLog:
        """The log at ``path``, or its part called so."""


def is_spec(text: str) -> bool:
    """Whether a LOG is ``demo`` or ``NAME:PATH`` rather than a path."""
    if text in ("demo", "demo#random"):
        return not Path(text).exists()
    name, colon, _ = text.partition(":")
    return bool(colon) and "/" not in name and len(name) > 1 and (name in ADAPTERS or not Path(text).exists())


def adapter(name: str) -> Adapter:
    """The adapter of this name.

    Raises
    ------
    UnknownNameError
        If there is none.
    """
    if name not in ADAPTERS:
        raise unknown_name("adapter", name, ADAPTERS, "A LOG is a path, demo, or NAME:PATH with one of these names.")
    return cast("Adapter", import_module(f"counterlog.logs.adapters.{ADAPTERS[name]}"))


def read(text: str) -> RawLog:
    """What ``demo`` or ``NAME:PATH[#part]`` means, as read."""
    if text in ("demo", "demo#random"):
        from counterlog.logs.adapters.demo import read as read_demo

        return read_demo(text.endswith("#random"))
    name, _, rest = text.partition(":")
    found = adapter(name)
    where, mark, part = rest.rpartition("#")
    if not mark or (part not in found.PARTS and Path(rest).exists()):
        where, part = rest, ""
    if part and part not in found.PARTS:
        raise unknown_name(f"part of {name}:", part, found.PARTS)
    if not where:
        raise InputError(f"{name}: needs a path, as in {name}:PATH")
    path = Path(where)
    if not path.exists() and not path.parent.is_dir():
        raise InputError(f"no folder {path} for {name}: (there is no {path.parent} either)")
    return found.read(path, part or None)
