"""Every error that counterlog raises on purpose, and the one way to word 'no such name'."""

from __future__ import annotations

from collections.abc import Iterable


class CounterlogError(Exception):
    """Base of all errors that are answered with one clear message (exit status 2 on the command line)."""


class InputError(CounterlogError, ValueError):
    """What was given does not fit: a file, a value, an option."""


class UnknownNameError(CounterlogError, LookupError):
    """A column, site, item, model, batch, parameter or option that does not exist."""


class ModelError(CounterlogError, ValueError):
    """A program that cannot be used: no program in the file, a role without a site, code that raises."""


class FitError(CounterlogError, RuntimeError):
    """A fit that cannot start or go on: NaN at a site, a checkpoint that belongs to another fit."""


class RefusedError(CounterlogError, ValueError):
    """A question that has no honest answer with this fit or log."""


class StoreError(CounterlogError, OSError):
    """A folder, table or batch that cannot be read or written."""


def nearest(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """The known names closest in spelling to ``name``, best first, none if nothing is near."""
    from rapidfuzz import fuzz, process, utils

    found = process.extract(name, list(known), scorer=fuzz.WRatio, processor=utils.default_process, limit=limit)
    return [match for match, score, _ in found if score >= 60]


def unknown_name(kind: str, name: str, known: Iterable[str], cure: str = "") -> UnknownNameError:
    """The error for a name that does not exist: what was given, what exists, what was probably meant."""
    names = [str(k) for k in known]
    shown = ", ".join(names[:12]) + (f", ... ({len(names)} in all)" if len(names) > 12 else "")
    close = nearest(name, names)
    hint = f"; did you mean {' or '.join(repr(c) for c in close)}?" if close else "."
    return UnknownNameError(f"no {kind} {name!r}; known: {shown or 'none'}{hint}{' ' + cure if cure else ''}")
