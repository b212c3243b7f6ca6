"""counterlog: causal, probabilistic models of recommender interaction logs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

#: Public name -> module that holds it. Resolved on first use, so that `import counterlog` does not import torch.
_HOME = {
    "InteractionLog": "counterlog.logs",
    "Roles": "counterlog.logs",
    "Vocabulary": "counterlog.logs",
    "from_frame": "counterlog.logs",
    "read_log": "counterlog.logs",
    "open_log": "counterlog.logs",
    "save_log": "counterlog.logs",
    "check": "counterlog.logs",
    "describe": "counterlog.logs",
    "scm": "counterlog.model",
    "SCM": "counterlog.model",
    "View": "counterlog.model",
    "mechanisms": "counterlog.model",
    "graph": "counterlog.model",
    "load_model": "counterlog.model",
    "fit": "counterlog.inference",
    "Fit": "counterlog.inference",
    "load_fit": "counterlog.inference",
    "polish": "counterlog.inference",
    "to_arviz": "counterlog.inference",
    "identify": "counterlog.identification",
    "independences": "counterlog.identification",
    "fix": "counterlog.query",
    "shift": "counterlog.query",
    "replace": "counterlog.query",
    "cut": "counterlog.query",
    "effect": "counterlog.query",
    "predict": "counterlog.query",
    "causation": "counterlog.query",
    "sensitivity": "counterlog.query",
    "refute": "counterlog.query",
    "policies": "counterlog.query",
    "simulate": "counterlog.synth",
    "counterfactual": "counterlog.synth",
    "open_store": "counterlog.synth",
    "audit": "counterlog.auditing",
    "datasets": "counterlog.datasets",
    "zoo": "counterlog.zoo",
    "testing": "counterlog.testing",
}
_MODULES = {"datasets", "zoo", "testing"}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'counterlog' has no attribute {name!r}; public names: {', '.join(_HOME)}")
    module = import_module(_HOME[name])
    value = module if name in _MODULES else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
