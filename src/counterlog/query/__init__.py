"""What if: interventions, their effects, and predictions under exposure."""

from counterlog.model import policies
from counterlog.model.interventions import Intervention, cut, fix, replace, shift
from counterlog.query.card import Card
from counterlog.query.effect import Effect, effect
from counterlog.query.predict import predict

__all__ = ["Card", "Effect", "Intervention", "cut", "effect", "fix", "policies", "predict", "replace", "shift"]
