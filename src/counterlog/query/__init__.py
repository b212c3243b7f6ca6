"""What if: interventions, their effects, and predictions under exposure."""

from counterlog.model import policies
from counterlog.model.interventions import Intervention, cut, fix, replace, shift
from counterlog.query.card import Card
from counterlog.query.effect import Effect, effect
from counterlog.query.predict import predict
from counterlog.query.sensitivity import sensitivity
from counterlog.query.sensitivity_result import Sensitivity

__all__ = [
    "Card",
    "Effect",
    "Intervention",
    "Sensitivity",
    "cut",
    "effect",
    "fix",
    "policies",
    "predict",
    "replace",
    "sensitivity",
    "shift",
]
