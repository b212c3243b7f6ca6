"""Reusable parts of programs: priors, look-ups of rows, and the distributions that interactions need."""

from counterlog.model.mechanisms.lookups import affinity, crossed, pick
from counterlog.model.mechanisms.ordinal import OrdinalRating
from counterlog.model.mechanisms.positions import Positions
from counterlog.model.mechanisms.priors import cutpoints, normal, spread

__all__ = ["OrdinalRating", "Positions", "affinity", "crossed", "cutpoints", "normal", "pick", "spread"]
