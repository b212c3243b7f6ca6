"""Which column of a log plays which role."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args

from counterlog.errors import InputError, unknown_name

OutcomeKind = Literal["rating", "click", "count", "positive"]
OUTCOME_KINDS: tuple[str, ...] = get_args(OutcomeKind)
#: The kind of an outcome that is named after it, so that ``outcome="click"`` needs no second option.
KIND_OF_NAME = {"rating": "rating", "click": "click", "count": "count", "dwell": "positive"}


@dataclass(frozen=True)
class Roles:
    """Names of the columns that play each role; ``None`` where the log has no such column.

    ``outcome_kind`` is one of rating (ordered levels), click (0 or 1), count (0, 1, 2, ...) and positive (reals above
    0).
    """

    user: str = "user"
    item: str = "item"
    outcome: str | None = None
    outcome_kind: str | None = None
    exposure: str | None = None
    timestamp: str | None = None
    position: str | None = None
    propensity: str | None = None
    context: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.outcome is not None and self.outcome_kind is None:
            object.__setattr__(self, "outcome_kind", KIND_OF_NAME.get(self.outcome))
        if self.outcome_kind is not None and self.outcome_kind not in OUTCOME_KINDS:
            raise unknown_name("outcome kind", self.outcome_kind, OUTCOME_KINDS)
        if self.outcome is not None and self.outcome_kind is None:
            raise InputError(
                f"the outcome column {self.outcome!r} needs a kind: one of {', '.join(OUTCOME_KINDS)} (--outcome-kind)"
            )

    def columns(self) -> dict[str, str]:
        """Role -> column for every role that has one; a context's role is ``context:NAME``."""
        single = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("outcome_kind", "context")}
        named = {role: column for role, column in single.items() if column is not None}
        return named | {f"context:{name}": name for name in self.context}
