"""Reusable parts of programs: priors, look-ups of rows, and the distributions that interactions need."""

from counterlog.model.mechanisms.choice import SlateChoice
from counterlog.model.mechanisms.conformity import conformity_effect
from counterlog.model.mechanisms.counting import OverdispersedCount
from counterlog.model.mechanisms.drift import correlated, drift
from counterlog.model.mechanisms.examination import examination
from counterlog.model.mechanisms.hurdle import Hurdle
from counterlog.model.mechanisms.lookups import affinity, crossed, pick
from counterlog.model.mechanisms.ordinal import OrdinalRating
from counterlog.model.mechanisms.popularity import exposure_logits
from counterlog.model.mechanisms.positions import Positions
from counterlog.model.mechanisms.priors import cutpoints, normal, spread

__all__ = [
    "Hurdle",
    "OrdinalRating",
    "OverdispersedCount",
    "Positions",
    "SlateChoice",
    "affinity",
    "conformity_effect",
    "correlated",
    "crossed",
    "cutpoints",
    "drift",
    "examination",
    "exposure_logits",
    "normal",
    "pick",
    "spread",
]
