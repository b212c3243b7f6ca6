"""Is a fit to be trusted? One file a check, each saying what it sees and what it cannot see."""

from counterlog.inference.checks.battery import check
from counterlog.inference.checks.result import Checks
from counterlog.inference.checks.thresholds import Thresholds

__all__ = ["Checks", "Thresholds", "check"]
