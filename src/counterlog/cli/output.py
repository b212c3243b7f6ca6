"""What commands print and where they may write: JSON on stdout, everything else on stderr."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from counterlog.errors import InputError

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout; everything else goes to stderr.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same answer.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]


def plain(value: Any) -> Any:
    """``value`` with nothing but what strict JSON knows: NaN and infinities become null, arrays become lists."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(entry) for entry in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    if hasattr(value, "to_json"):
        return plain(value.to_json())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    for method in ("tolist", "to_pylist", "as_py"):  # numpy and torch; Arrow arrays; Arrow scalars
        if hasattr(value, method):
            return plain(getattr(value, method)())
    raise TypeError(f"a {type(value).__name__} has no JSON form: {value!r}")


def print_json(value: Any) -> None:
    """Print one strict JSON object (no NaN) on stdout."""
    text = json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a terminal that cannot show the ids, or a file name that is not text
        text = json.dumps(plain(value), indent=2, allow_nan=False)
    print(text)


def say(message: str) -> None:
    """Print a line for people on stderr, where it does not disturb JSON."""
    print(message, file=sys.stderr, flush=True)


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """A progress bar on stderr with the remaining time; silent where stderr is no terminal.

    Yields ``update(done, note="", total=None)``: ``done`` steps of ``total`` are behind, ``note`` is shown beside.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=total, note="")

        def update(done: int, note: str = "", total: int | None = None) -> None:
            bar.update(task, completed=done, note=note, total=total)

        yield update


def parse_set(settings: Sequence[str]) -> dict[str, Any]:
    """Read ``--set key=value`` options: ``["dim=16", "conformity=true"]`` -> ``{"dim": 16, "conformity": True}``.

    Values are JSON (numbers, true, false, null, lists); anything else is taken as text.

    Raises
    ------
    InputError
        Without an equals sign, with an empty name, or with one name twice.
    """
    found: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip()
        if not equals or not name:
            raise InputError(f"--set {setting!r} is not NAME=VALUE; write for example --set dim=16")
        if name in found:
            raise InputError(f"--set {name} is given twice ({found[name]!r} and {text!r}); give it once")
        try:
            found[name] = json.loads(text)
        except json.JSONDecodeError:
            found[name] = {"True": True, "False": False, "None": None}.get(text, text)
        if isinstance(found[name], float) and not math.isfinite(found[name]):
            raise InputError(f"--set {setting!r}: give a finite number")
    return found


def guard_output(path: str | os.PathLike[str], *, force: bool = False, marker: str | None = None) -> bool:
    """Refuse to write where something stands that is not ours; call it before any work.

    Parameters
    ----------
    path
        The file or folder that is going to be written.
    force
        The user said ``--force``: whatever is there may be overwritten.
    marker
        What tells that something is ours: in a folder, a file or folder that only we write (``"fit.json"``,
        ``"_delta_log"``); in a file, a word within its first 4 KiB. Without a marker nothing that exists is ours.

    Returns
    -------
    bool
        Whether something of ours is there already.

    Raises
    ------
    InputError
        Something else is there, or a folder on the way is a file.
    """
    target = Path(path)
    for parent in target.absolute().parents:
        if parent.exists():
            if not parent.is_dir():
                raise InputError(f"cannot write {target}: {parent} is a file, not a folder")
            break
    if not os.path.lexists(target):
        return False
    if marker is not None and target.is_dir():
        if (target / marker).exists():
            return True
        if not any(target.iterdir()):
            return False
    if marker is not None and target.is_file():
        with target.open("rb") as file:
            if marker.encode() in file.read(4096):
                return True
    if force:
        return False
    if marker is not None and target.is_dir():
        raise InputError(
            f"{target} exists and was not written by this command (it has no {marker}); "
            "choose another --out, or add --force to write into it"
        )
    raise InputError(f"{target} exists; choose another --out, or add --force to overwrite it")
