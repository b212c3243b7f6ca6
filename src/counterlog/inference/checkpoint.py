"""Checkpoints of a running fit: tensors as safetensors, the rest as JSON, written beside and renamed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch

from counterlog.errors import FitError, StoreError
from counterlog.inference.tables import Table

_FILE = "checkpoint.safetensors"


def exists(folder: Path) -> bool:
    """Whether the folder holds a checkpoint."""
    return (folder / _FILE).is_file()


def save(folder: Path, identity: str, tables: dict[str, Table], losses: list[float]) -> None:
    """Write a checkpoint atomically; the previous one stays until the new one is whole."""
    from safetensors.torch import save_file

    tensors = {}
    for name, table in tables.items():
        for part, tensor in zip(("loc", "log_scale", "m0", "m1", "v0", "v1"), (table.loc, table.log_scale, *table.moments), strict=True):
            tensors[f"{name}.{part}"] = tensor.contiguous().cpu()
    tensors["losses"] = torch.tensor(losses, dtype=torch.float64)
    about = {"identity": identity, "ages": json.dumps({name: table.age for name, table in tables.items()})}
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{_FILE}.part"
    try:
        save_file(tensors, part, metadata=about)
        with part.open("rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(part, folder / _FILE)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"cannot write the checkpoint in {folder}: {error}") from error


def load(folder: Path, identity: str, tables: dict[str, Table]) -> State:  # noqa: F821
    """The state of a checkpoint, which must belong to the same program, log, seed and schedule.

    Raises
    ------
    FitError
        It belongs to another fit.
    """
    from safetensors import safe_open

    from counterlog.inference.svi import State

    with safe_open(folder / _FILE, framework="pt") as handle:
        about = handle.metadata()
        if about.get("identity") != identity:
            raise FitError(f"the checkpoint in {folder} belongs to another fit (program, log, seed or options differ); remove it, or "
                           "choose another folder")
        ages = json.loads(about["ages"])
        found = {}
        for name, table in tables.items():
            device = table.loc.device
            parts = [handle.get_tensor(f"{name}.{part}").to(device) for part in ("loc", "log_scale", "m0", "m1", "v0", "v1")]
            found[name] = Table(parts[0], parts[1], tuple(parts[2:]), ages[name])  # type: ignore[arg-type]
        return State(found, handle.get_tensor("losses").tolist())


def remove(folder: Path) -> None:
    """Drop the checkpoint of a finished fit."""
    (folder / _FILE).unlink(missing_ok=True)
