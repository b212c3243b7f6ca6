"""Finding and its status: what one check saw, as data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from counterlog.errors import InputError

Status = Literal["PASS", "REVIEW", "FAIL"]
#: From harmless to serious.
STATUSES: tuple[Status, ...] = get_args(Status)
#: Level of every interval of a finding.
LEVEL = 0.90


@dataclass(frozen=True)
class Finding:
    """What one check saw.

    PASS says that this check found no evidence against the log or the fit; it never says that it is right.

    Parameters
    ----------
    name
        Short and stable, for programs.
    status
        ``PASS``, ``REVIEW`` or ``FAIL``.
    value
        The number that the status rests on, or None where there is no number.
    interval
        Where it plausibly lies at the 90% level, or None.
    message
        One sentence with the number, the method and the level.
    advice
        What to do about it.
    details
        More numbers, JSON-able.
    quantity
        What ``value`` is, in a few words.
    sees, cannot_see
        What this check can find, and what stays hidden from it whatever it says.
    """

    name: str
    status: Status
    value: float | None
    interval: tuple[float, float] | None
    message: str
    advice: str
    details: Mapping[str, Any] = field(default_factory=dict)
    sees: str = ""
    cannot_see: str = ""
    quantity: str = ""

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise InputError(f"a finding's status is one of {', '.join(STATUSES)}, not {self.status!r}")
        object.__setattr__(self, "value", None if self.value is None else jsonable(float(self.value)))
        if self.interval is not None:
            low, high = (float(x) for x in self.interval)
            known = math.isfinite(low) and math.isfinite(high)
            object.__setattr__(self, "interval", (low, high) if known else None)
        object.__setattr__(self, "details", jsonable(dict(self.details)))

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON-able data."""
        return {
            "name": self.name,
            "status": self.status,
            "quantity": self.quantity,
            "value": self.value,
            "interval": None if self.interval is None else list(self.interval),
            "message": self.message,
            "advice": self.advice,
            "details": dict(self.details),
            "sees": self.sees,
            "cannot_see": self.cannot_see,
        }


def worst(statuses: Iterable[Status]) -> Status:
    """The most serious of the statuses; PASS if there is none."""
    return max(statuses, key=STATUSES.index, default="PASS")


def jsonable(value: Any) -> Any:
    """``value`` in plain Python types: arrays as lists, NaN and infinities as None."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray | list | tuple | set | frozenset):
        return [jsonable(entry) for entry in (value.tolist() if isinstance(value, np.ndarray) else value)]
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def number(value: float, digits: int = 3) -> str:
    """A number for a sentence: three significant digits, no exponent between a thousandth and a million."""
    if not math.isfinite(value):
        return "unknown"
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e7:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
        return f"{value:,.{decimals}f}"
    return f"{value:.{digits - 1}e}"


def percent(share: float) -> str:
    """A share for a sentence: ``0.0312`` -> ``3.1%``."""
    if 0 < share < 0.0005:
        return "under 0.1%"
    return f"{100 * share:.1f}%" if share < 0.995 or share == 1 else f"{100 * share:.2f}%"
