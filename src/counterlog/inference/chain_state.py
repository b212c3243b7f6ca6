"""Where chains stand: all that the next draws need, written beside and renamed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from counterlog.errors import FitError, StoreError

FILE = "chains.safetensors"


@dataclass(frozen=True, eq=False)
class ChainState:
    """One chain: its last point, step size, inverse masses, its draws ``[k, n]`` and the quantity ``[k]`` in each."""

    last: Tensor
    step: float
    mass: Tensor
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
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors: dict[str, Tensor] = {}
    for number, state in states.items():
        numbers = torch.tensor([state.step, float(state.divergences)], dtype=torch.float64)
        tensors |= {
            f"{number}.last": state.last.contiguous(),
            f"{number}.numbers": numbers,
            f"{number}.mass": state.mass.contiguous(),
            f"{number}.draws": state.draws.contiguous(),
            f"{number}.quantity": torch.from_numpy(np.asarray(state.quantity, dtype=np.float64)),
        }
    part = folder / f"{FILE}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, part, metadata={"identity": identity})
        os.replace(part, folder / FILE)
    except (OSError, SafetensorError) as error:
        raise StoreError(f"cannot write the chains to {folder}: {getattr(error, 'strerror', None) or error}") from error


def load_states(folder: Path, identity: str, chains: int) -> dict[int, ChainState]:
    """The chains in a folder, none where there are none.

    Raises
    ------
    FitError
        They are chains of another fit, seed or options, or the file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    file = folder / FILE
    if not file.is_file():
        return {}
    states = {}
    try:
        with safe_open(file, framework="pt") as handle:
            if handle.metadata().get("identity") != identity:
                raise FitError(
                    f"{file} holds chains of another fit, seed or options; give what was given then to go on with "
                    "them, or remove the file"
                )
            names = set(handle.keys())
            for number in (k for k in range(chains) if f"{k}.last" in names):
                get = lambda part, k=number: handle.get_tensor(f"{k}.{part}")  # noqa: E731
                step, lost = get("numbers").tolist()
                quantity = get("quantity").numpy()
                states[number] = ChainState(get("last"), step, get("mass"), get("draws"), quantity, int(lost))
    except (SafetensorError, OSError) as error:
        raise FitError(f"the chains in {file} cannot be read ({error}); remove the file to start again") from error
    return states
