"""Checkpoints of a running fit: tensors as safetensors, the rest as JSON, written beside and renamed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch

from counterlog.errors import FitError, StoreError
from counterlog.inference.tables import Table

if TYPE_CHECKING:
    from counterlog.inference.svi import State

_FILE = "checkpoint.safetensors"
#: Its presence tells an unfinished fit; its content says which fit that is.
MARKER = "unfinished.json"


class OtherFitError(FitError):
    """The folder holds the checkpoint of another fit."""


def begin(folder: Path, identity: Mapping[str, Any]) -> None:
    """Mark a folder as an unfinished fit, or find that it is one of the same program, log, seed and options.

    Raises
    ------
    OtherFitError
        It is an unfinished fit of something else; the message says of what.
    StoreError
        The folder exists and is no fit, or cannot be written.
    """
    wanted = json.loads(json.dumps(identity))
    marker = folder / MARKER
    if marker.is_file():
        try:
            found = json.loads(marker.read_text(encoding="utf-8"))
        except ValueError:
            found = {}
        differ = _differences(found, wanted)
        if differ:
            raise OtherFitError(
                f"{folder} holds an unfinished fit that differs in {', '.join(differ)}; give what was given then to go "
                "on with it, or force a new start (--force)"
            )
        return
    if folder.exists() and not (folder / "fit.json").is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{folder} exists and is not a fit; choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{MARKER}.part"
        part.write_text(json.dumps(wanted, indent=1), encoding="utf-8")
        os.replace(part, marker)
    except OSError as error:
        raise StoreError(f"cannot write the fit to {folder}: {error.strerror or error}") from error


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """What differs, with both values where they say something to people (a hash does not)."""
    said = []
    for key, value in wanted.items():
        other = found.get(key)
        if other == value:
            continue
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            said += _differences(other, value)
        elif key in ("model file", "log"):
            said.append(f"the {key}")
        else:
            said.append(f"{key} (then {other!r}, now {value!r})")
    return said


def done(folder: Path) -> int:
    """Steps in the checkpoints of an unfinished fit; 0 where there are none."""
    from safetensors import SafetensorError, safe_open

    total = 0
    for file in folder.glob(f"restart-*/{_FILE}"):
        try:
            with safe_open(file, framework="pt") as handle:
                total += len(handle.get_tensor("losses"))
        except (SafetensorError, OSError):
            continue  # `load` says what is wrong with it
    return total


def drop(folder: Path) -> None:
    """Remove the checkpoints and the marker, and the folder if nothing else is in it."""
    for part in folder.glob("restart-*"):
        if (part / _FILE).is_file() or not any(part.iterdir()):
            shutil.rmtree(part, ignore_errors=True)
    (folder / MARKER).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Ctrl-C waits for the end of a step, so that what is saved is a whole step; the second Ctrl-C does not wait.

    Yields a function that tells whether Ctrl-C came. Outside the main thread, and where Ctrl-C is ignored or handled
    by someone else, nothing is changed.
    """
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: False
        return
    signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def exists(folder: Path) -> bool:
    """Whether the folder holds a checkpoint."""
    return (folder / _FILE).is_file()


def save(folder: Path, identity: str, tables: dict[str, Table], losses: list[float]) -> None:
    """Write a checkpoint atomically; the previous one stays until the new one is whole."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = {}
    for name, table in tables.items():
        for part, tensor in zip(_PARTS, (table.loc, table.log_scale, *table.moments), strict=True):
            tensors[f"{name}.{part}"] = tensor.contiguous().cpu()
    tensors["losses"] = torch.tensor(losses, dtype=torch.float64)
    about = {"identity": identity, "ages": json.dumps({name: table.age for name, table in tables.items()})}
    draft = folder / f"{_FILE}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, draft, metadata=about)
        with draft.open("rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(draft, folder / _FILE)
    except (OSError, SafetensorError) as error:
        draft.unlink(missing_ok=True)
        raise StoreError(f"cannot write the checkpoint in {folder}: {error}") from error


_PARTS = ("loc", "log_scale", "m0", "m1", "v0", "v1")


def load(folder: Path, identity: str, tables: dict[str, Table]) -> State:
    """The state of a checkpoint, which must belong to the same program, log, seed and schedule.

    Raises
    ------
    OtherFitError
        It belongs to another fit.
    StoreError
        It is damaged.
    """
    from safetensors import SafetensorError, safe_open

    from counterlog.inference.svi import State

    try:
        with safe_open(folder / _FILE, framework="pt") as handle:
            about = handle.metadata() or {}
            if about.get("identity") != identity:
                raise OtherFitError(
                    f"the checkpoint in {folder} belongs to another fit (program, log, seed or options differ); remove "
                    "it, or choose another folder"
                )
            ages = json.loads(about["ages"])
            found = {}
            for name, table in tables.items():
                device = table.loc.device
                parts = [handle.get_tensor(f"{name}.{part}").to(device) for part in _PARTS]
                found[name] = Table(parts[0], parts[1], tuple(parts[2:]), ages[name])
            return State(found, handle.get_tensor("losses").tolist())
    except (SafetensorError, KeyError, ValueError) as error:
        raise StoreError(f"the checkpoint in {folder} is damaged ({error}); remove it to start anew") from error
