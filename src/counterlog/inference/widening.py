"""By how much a mean-field posterior's spread is multiplied, and where the factors come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterlog.inference.cells import Treatment


@dataclass(frozen=True)
class Widening:
    """Factors on the spread of a mean-field posterior, and where they come from.

    ``whole`` is for an average over many users and items, ``group`` for a single item or user; ``measured`` says on
    what they were measured and what they reached.
    """

    whole: float
    group: float
    measured: str


# Measured by `python -m bench.coverage MODEL --worlds 25` (150 users, 80 items, 800 steps);
# docs/decisions/0004-intervals.md.
_CLICKS_ONLY = Widening(8.0, 6.0, "25 worlds from the prior of latent_exposure")
_SELECTED = Widening(6.0, 2.8, "25 worlds from the prior of self_selection")
_SEEN = Widening(2.5, 1.5, "25 worlds from the prior of popularity_exposure and 25 of position_examination")


def widening(treatment: Treatment) -> Widening:
    """The factors for a fit, by what its log does not show: exposure and non-clicks, the outcomes that selected, or
    neither.
    """
    if treatment.implied and treatment.sum_exposure:
        return _CLICKS_ONLY
    return _SELECTED if treatment.sum_outcome else _SEEN
