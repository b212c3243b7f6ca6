"""Where chains stand: all that the next draws need, written beside and renamed."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from counterlog.errors import FitError, StoreError
from counterlog.inference.chart import Chart

FILE = "chains.safetensors"
CHART = "chart.safetensors"


@dataclass(frozen=True, eq=False)
class ChainState:
    """One chain: last point, unit of every coordinate, step size, draws ``[k, n]`` and the quantity ``[k]`` in each."""

    last: Tensor
    unit: Tensor
    step: float
    draws: Tensor
    quantity: np.ndarray
    divergences: int


def save_states(folder: Path, identity: str, states: dict[int, ChainState]) -> None:
    """Write the chains to a folder.

    Raises
    ------
    StoreError
        It cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    for number, state in states.items():
        numbers = torch.tensor([state.step, float(state.divergences)], dtype=torch.float64)
        tensors |= {
            f"{number}.last": state.last.contiguous(),
            f"{number}.unit": state.unit.contiguous(),
            f"{number}.numbers": numbers,
            f"{number}.draws": state.draws.contiguous(),
            f"{number}.quantity": torch.from_numpy(np.asarray(state.quantity, dtype=np.float64)),
        }
    _write(folder, FILE, tensors, identity)


def save_chart(folder: Path, identity: str, made: Chart) -> None:
    """Write the chains' coordinates, which may have taken minutes.

    Raises
    ------
    StoreError
        They cannot be written.
    """
    tensors = {field.name: getattr(made, field.name).contiguous() for field in dataclasses.fields(made)}
    _write(folder, CHART, tensors, identity)


def _write(folder: Path, name: str, tensors: dict[str, Tensor], identity: str) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    part = folder / f"{name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, part, metadata={"identity": identity})
        os.replace(part, folder / name)
    except (OSError, SafetensorError) as error:
        raise StoreError(f"cannot write the chains to {folder}: {getattr(error, 'strerror', None) or error}") from error


def remove_states(folder: Path) -> None:
    """Remove what `save_states` and `save_chart` wrote, and the folder if nothing else is in it."""
    for name in (FILE, CHART):
        (folder / name).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def load_chart(folder: Path, identity: str) -> Chart | None:
    """The coordinates in a folder, None where there are none.

    Raises
    ------
    FitError
        They are those of another fit, seed or options, or the file is damaged.
    """
    tensors = _read(folder / CHART, identity)
    return None if tensors is None else Chart(**tensors)


def load_states(folder: Path, identity: str, chains: int) -> dict[int, ChainState]:
    """The chains in a folder, none where there are none.

    Raises
    ------
    FitError
        They are chains of another fit, seed or options, or the file is damaged.
    """
    tensors = _read(folder / FILE, identity)
    states = {}
    for number in (k for k in range(chains) if f"{k}.last" in (tensors or {})):
        assert tensors is not None
        step, lost = tensors[f"{number}.numbers"].tolist()
        quantity = tensors[f"{number}.quantity"].numpy()
        states[number] = ChainState(
            tensors[f"{number}.last"], tensors[f"{number}.unit"], step, tensors[f"{number}.draws"], quantity, int(lost)
        )
    return states


def _read(file: Path, identity: str) -> dict[str, Tensor] | None:
    from safetensors import SafetensorError, safe_open

    if not file.is_file():
        return None
    try:
        with safe_open(file, framework="pt") as handle:
            if handle.metadata().get("identity") != identity:
                raise FitError(
                    f"{file} holds chains of another fit, seed or options; give what was given then to go on with "
                    "them, or remove the file"
                )
            return {name: handle.get_tensor(name) for name in handle.keys()}
    except (SafetensorError, OSError) as error:
        raise FitError(f"the chains in {file} cannot be read ({error}); remove the file to start again") from error
