"""An arrow and chains as named tensors, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from counterlog.inference.guides import Arrow, Chains


def pack(arrow: Arrow | None, chains: Chains | None) -> dict[str, Tensor]:
    """Named tensors of what a fit holds beyond a mean-field normal; empty where it holds nothing more."""
    import torch

    tensors: dict[str, Tensor] = {}
    if arrow is not None:
        tensors["arrow.stem"] = arrow.stem
        tensors |= {f"arrow.{name}": slopes.contiguous() for name, slopes in arrow.slopes.items()}
    if chains is not None:
        tensors["chains.quantity"] = torch.from_numpy(chains.quantity)
        tensors |= {f"chains.{name}": table.contiguous() for name, table in chains.tables.items()}
    return tensors


def unpack(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> tuple[Arrow | None, Chains | None]:
    """What `pack` packed.

    Raises
    ------
    KeyError
        A tensor is missing.
    """
    from counterlog.inference.guides import Arrow, Chains
    from counterlog.inference.tables import TABLES

    arrow = chains = None
    if "arrow.stem" in tensors:
        arrow = Arrow(tensors["arrow.stem"], {name: tensors[f"arrow.{name}"] for name in TABLES})
    if "chains.quantity" in tensors:
        tables = {name: tensors[f"chains.{name}"] for name in TABLES}
        chains = Chains(tables, tensors["chains.quantity"].numpy(), dict(about))
    return arrow, chains
