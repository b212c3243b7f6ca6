"""Whether an effect follows from the graph and the log, by which formula, and what it would need if not."""

from __future__ import annotations

from counterlog.identification.independences import Independence, independences
from counterlog.identification.question import observed
from counterlog.identification.results import Identified, NotIdentified
from counterlog.identification.verdict import identify

__all__ = ["Identified", "Independence", "NotIdentified", "identify", "independences", "observed"]
