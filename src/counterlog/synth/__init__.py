"""New logs: synthetic batches, the versioned store that keeps them, their provenance cards, files for other tools."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Public name -> module that holds it. Resolved on first use: a store is read without importing torch.
_HOME = {
    "Store": "counterlog.synth.store",
    "open_store": "counterlog.synth.store",
    "simulate": "counterlog.synth.simulation",
    "again": "counterlog.synth.remake",
    "counterfactual": "counterlog.synth.counterfactuals",
    "CounterfactualLog": "counterlog.synth.counterfactuals",
    "SyntheticLog": "counterlog.synth.simulation",
    "make_card": "counterlog.synth.provenance",
    "validate_card": "counterlog.synth.provenance",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; public names: {', '.join(_HOME)}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
