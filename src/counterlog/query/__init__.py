"""What if: interventions, their effects, and predictions under exposure."""

from counterlog.model import policies
from counterlog.model.interventions import Intervention, cut, fix, replace, shift
from counterlog.query.card import Card
from counterlog.query.causation import Causation, causation
from counterlog.query.effect import Effect, effect
from counterlog.query.predict import predict
from counterlog.query.refutation import Refutation, Refuted
from counterlog.query.refute import REFUTERS, refute
from counterlog.query.sensitivity import sensitivity
from counterlog.query.sensitivity_result import Sensitivity

__all__ = [
    "REFUTERS",
    "Card",
    "Causation",
    "Effect",
    "Intervention",
    "Refutation",
    "Refuted",
    "Sensitivity",
    "causation",
    "cut",
    "effect",
    "fix",
    "policies",
    "predict",
    "refute",
    "replace",
    "sensitivity",
    "shift",
]
