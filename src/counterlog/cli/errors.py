"""The one place where exceptions become a message on stderr and an exit status."""

from __future__ import annotations

import errno
import json
import sys
import traceback
from typing import Any

import typer

from counterlog import errors

# A BadParameter is a usage error, which is an error for the user, in every release of typer; only BadParameter is
# public under one name in all of them.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]
ShownError: type[Exception] = typer.BadParameter.__mro__[2]

_CODES: tuple[tuple[type[Exception], str], ...] = (
    (errors.UnknownNameError, "unknown_name"),
    (errors.ModelError, "model"),
    (errors.FitError, "fit"),
    (errors.RefusedError, "refused"),
    (errors.StoreError, "store"),
    (errors.InputError, "input"),
    (errors.CounterlogError, "input"),
)
#: Faults of the file system that the user can mend, as opposed to faults of ours.
_MENDABLE = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOENT,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.ENOTEMPTY,
    errno.ENAMETOOLONG,
    errno.EFBIG,
    errno.EMFILE,
}
_FULL = {errno.ENOSPC, errno.EDQUOT}


class Interrupted(Exception):
    """Ctrl-C while a command was running."""


def report(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Print one message about ``error`` on stderr and return the exit status that goes with it.

    Parameters
    ----------
    error
        What ended the command.
    as_json
        Print ``{"error": {"code", "message"}}`` instead of a line of text.
    debug
        Print the traceback first.
    """
    code, message, status = explain(error)
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    elif code == "unexpected":
        message += " (run again with --debug to see where)"
    if as_json:
        print(json.dumps({"error": {"code": code, "message": message}}), file=sys.stderr)
    elif code == "help":
        print(message, file=sys.stderr)
    else:
        print(f"Error: {message}", file=sys.stderr)
    return status


def explain(error: BaseException) -> tuple[str, str, int]:
    """The code, the message and the exit status of an exception."""
    if isinstance(error, Interrupted | KeyboardInterrupt | typer.Abort):
        return "interrupted", "interrupted. Run the same command again: a fit goes on where it stopped.", 130
    if isinstance(error, errors.CounterlogError):
        return next(code for kind, code in _CODES if isinstance(error, kind)), _text(error), 2
    if isinstance(error, ShownError):
        return _usage(error)
    if _disk_is_full(error):
        where = getattr(error, "filename", None)
        at = f" while writing {where}" if where else ""
        return "disk_full", f"no space left on the disk{at}; free some, or choose another folder for --out", 2
    if isinstance(error, OSError) and error.errno in _MENDABLE:
        where = f"{error.filename}: " if error.filename else ""
        return "file", f"{where}{error.strerror or error}", 2
    if isinstance(error, MemoryError):
        return "memory", "not enough memory; try a smaller batch, fewer rows or fewer draws", 1
    return "unexpected", f"unexpected {type(error).__name__}: {_text(error)}", 1


def _usage(error: Any) -> tuple[str, str, int]:
    """A message for what the command-line parser refused; without its decoration."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        return "help", error.format_message(), 2
    # Options without their value are refused before there is a context.
    cure = f"`{context.command_path if context else 'counterlog COMMAND'} --help` explains the options."
    if context is not None and hasattr(error, "option_name") and hasattr(error, "possibilities"):
        known = [name for p in context.command.get_params(context) for name in p.opts if name.startswith("--")]
        return "usage", str(errors.unknown_name("option", error.option_name, known, cure)), 2
    text = " ".join(error.format_message().split())
    end = "" if text.endswith((".", "?", "!")) else "."
    return "usage", f"{text[:1].lower()}{text[1:]}{end} {cure}", 2


def _disk_is_full(error: BaseException) -> bool:
    """True also for the libraries written in Rust, whose errors carry the reason as text only."""
    seen: BaseException | None = error
    while seen is not None:
        text = str(seen)
        if getattr(seen, "errno", None) in _FULL or "No space left on device" in text or "os error 28" in text:
            return True
        seen = seen.__cause__
    return False


def _text(error: BaseException) -> str:
    # KeyError shows its argument quoted; the argument is the message.
    if isinstance(error, LookupError) and len(error.args) == 1:
        return str(error.args[0])
    return str(error) or "no message"
