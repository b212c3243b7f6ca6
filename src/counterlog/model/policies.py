"""Exposure policies: who is shown what, with which probability."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from counterlog.errors import InputError, unknown_name


@dataclass(frozen=True)
class Uniform:
    """Every opportunity is exposed with the same probability, whatever the user, the item and the context."""

    probability: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 < self.probability <= 1.0:
            raise InputError(f"the probability of exposure must be in (0, 1]; given {self.probability}")

    @property
    def name(self) -> str:
        """How the policy is written in cards."""
        return "uniform" if self.probability == 1.0 else f"uniform({self.probability:g})"

    def __call__(self, rows: Any) -> np.ndarray:
        """The probability of each row, float32 ``[n]``."""
        return np.full(len(rows), self.probability, np.float32)


def uniform(probability: float = 1.0) -> Uniform:
    """The uniform policy. In `simulate` the opportunities are drawn uniformly from the catalogue, and each is
    exposed.
    """
    return Uniform(probability)


def load_policy(spec: str) -> Callable[[Any], Any]:
    """A policy by name (``uniform``) or from the user's own file (``policy.py:function``), which is run.

    Raises
    ------
    InputError, UnknownNameError
        No such file, function or name.
    """
    if ".py:" not in spec:
        if spec != "uniform":
            raise unknown_name("policy", spec, ["uniform", "FILE.py:FUNCTION"])
        return uniform()
    file, _, name = spec.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise InputError(f"no policy file {file!r}; expected FILE.py:FUNCTION")
    space: dict[str, Any] = {"__name__": path.stem, "__file__": str(path)}
    try:
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), space)
    except Exception as error:
        raise InputError(f"{path.name} raises {type(error).__name__}: {error}") from error
    functions = {k: v for k, v in space.items() if callable(v) and not k.startswith("_")}
    if name not in functions:
        raise unknown_name("policy function", name, functions, f"It should be in {path.name}.")
    found: Callable[[Any], Any] = functions[name]
    return found


def probabilities(policy: Callable[[Any], Any], rows: Any, name: str) -> np.ndarray:
    """What a policy says of each row, checked: one finite probability in [0, 1] a row.

    Raises
    ------
    InputError
        The policy raises, or gives something else.
    """
    try:
        given = np.asarray(policy(rows), dtype=np.float64)
    except Exception as error:
        raise InputError(f"the policy {name!r} raises {type(error).__name__}: {error}") from error
    if given.shape not in ((), (len(rows),)):
        raise InputError(
            f"the policy {name!r} gives an array of shape {given.shape}; expected one probability for each of "
            f"{len(rows)} rows"
        )
    given = np.broadcast_to(given, (len(rows),))
    if not np.all(np.isfinite(given)) or given.min(initial=0.0) < 0 or given.max(initial=1.0) > 1:
        raise InputError(
            f"the policy {name!r} gives values from {given.min():g} to {given.max():g}; a probability is in [0, 1]"
        )
    return given.astype(np.float32)
