"""What can be wrong with a log, as data: one Problem a fault, one Check a log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from counterlog.errors import InputError

Severity = Literal["error", "warning"]
SHOWN = 3


@dataclass(frozen=True)
class Problem:
    """One fault of a log, with its cure.

    ``column`` is the name in the file. ``rows`` counts the rows affected; ``examples`` holds the numbers of the first
    of them (1 is the first row after the header). An ``error`` must be mended before the log can be used, a
    ``warning`` is a remark.
    """

    code: str
    column: str
    severity: Severity
    rows: int
    examples: tuple[int, ...]
    message: str

    def to_json(self) -> dict[str, Any]:
        """The problem as a JSON-able dict."""
        return {
            "code": self.code,
            "column": self.column,
            "severity": self.severity,
            "rows": self.rows,
            "examples": list(self.examples),
            "message": self.message,
        }


@dataclass(frozen=True)
class Check:
    """Everything that is wrong with a log, found in one pass; ``ok`` if no problem is an error."""

    source: str
    rows: int
    users: int
    items: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """True when nothing must be mended before a fit."""
        return not self.errors

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that must be mended."""
        return tuple(p for p in self.problems if p.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The remarks: the log can be used, and may not mean what it seems to."""
        return tuple(p for p in self.problems if p.severity == "warning")

    def to_json(self) -> dict[str, Any]:
        """``{ok, rows, users, items, problems}``."""
        return {
            "ok": self.ok,
            "rows": self.rows,
            "users": self.users,
            "items": self.items,
            "problems": [p.to_json() for p in self.problems],
        }

    def to_text(self) -> str:
        """One line a problem, errors first."""
        lines = [f"{self.source}: {self.rows:,} rows, {self.users:,} users, {self.items:,} items"]
        lines += [f"{p.severity}: {p.message}" for p in (*self.errors, *self.warnings)]
        return "\n".join(lines if self.problems else [*lines, "no problem found"])

    def raise_if_bad(self) -> None:
        """Raise one error that names every problem that must be mended.

        Raises
        ------
        InputError
            If there is at least one.
        """
        found = self.errors
        if len(found) == 1:
            raise InputError(f"{self.source}: {found[0].message}")
        if found:
            listing = "".join(f"\n  - {p.message}" for p in found)
            raise InputError(f"{self.source}: {len(found)} problems must be mended:{listing}")

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            f"<tr><td>{p.severity}</td><td>{escape(p.column)}</td><td>{p.rows:,}</td>"
            f"<td style='text-align:left'>{escape(p.message)}</td></tr>"
            for p in (*self.errors, *self.warnings)
        )
        head = (
            f"<p><b>{escape(self.source)}</b>: {'ok' if self.ok else 'must be mended'}, "
            f"{plural(len(self.problems), 'problem')}</p>"
        )
        return (
            f"{head}<table><tr><th>severity</th><th>column</th><th>rows</th><th>what, and the "
            f"cure</th></tr>{rows}</table>"
        )


def plural(count: int, thing: str = "row") -> str:
    """``1 row``, ``2 rows``, ``1,204 rows``."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def listing(values: Iterable[object], limit: int = SHOWN) -> str:
    """The first distinct values, quoted, with a sign that there are more."""
    seen = list(dict.fromkeys(_shown(v) for v in values))
    return ", ".join(seen[:limit]) + (", ..." if len(seen) > limit else "")


def first(mask: np.ndarray, limit: int = SHOWN) -> np.ndarray:
    """Indices of the first true entries."""
    return np.flatnonzero(mask)[:limit]


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
