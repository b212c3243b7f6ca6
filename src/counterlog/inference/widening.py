"""By how much a posterior's spread is multiplied, and where the factors come from.

They are measured, not chosen: ``python -m bench.coverage --calibrate`` draws worlds from the prior of every model of
the zoo, fits them and writes to ``factors.json`` the factor at which nine in ten intervals held the truth
(docs/decisions/0004-intervals.md). The coverage that is reported is that of other worlds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from counterlog.inference.cells import Treatment
    from counterlog.inference.fit import Fit


@dataclass(frozen=True)
class Widening:
    """Factors on the spread of a posterior, and where they come from.

    ``whole`` is for an average over many users and items, ``group`` for a single item or user, ``unit`` for a single
    event in another world; ``posterior`` names what is widened, ``measured`` says on what the first two were measured.
    """

    whole: float
    group: float
    unit: float
    posterior: str
    measured: str


#: What `Widening.posterior` says of each guide.
_NAMES = {"mean-field": "mean-field", "arrow": "arrow-shaped normal", "chains": "Markov chain Monte Carlo"}

#: Factors of unit-level answers by what a log does not show; `python -m bench.units` measures what they reach.
_UNIT = {"clicks": 6.0, "selected": 2.8, "seen": 1.5}


def widening(fit: Fit) -> Widening:
    """The factors for a fit: those of its model where it is of the zoo, else those of the worlds of all models of the
    zoo whose logs leave the same things unseen. Chains are taken as they are.
    """
    name = _NAMES[fit.guide]
    if fit.guide == "chains":
        return Widening(1.0, 1.0, 1.0, name, "chains that stand for the whole posterior")
    kind = unseen_kind(fit.treatment)
    row, prior = _table().get(fit.scm.name), f"the prior of {fit.scm.name}"
    if row is None or fit.guide not in row["factors"]:
        row, prior = _table()[f"any {kind}"], "the priors of all models for such logs"
    whole, group = row["factors"][fit.guide]
    size = " and ".join(f"{cells:,}" for cells in row["opportunities"])
    return Widening(whole, group, _UNIT[kind], name, f"{row['worlds']} worlds of {size} opportunities from {prior}")


def unseen_kind(treatment: Treatment) -> str:
    """What a log does not show: ``clicks`` alone, ``selected`` outcomes, or neither (``seen``)."""
    if treatment.implied and treatment.sum_exposure:
        return "clicks"
    return "selected" if treatment.sum_outcome else "seen"


@cache
def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(__file__).with_name("factors.json").read_text(encoding="utf-8"))
    return found
