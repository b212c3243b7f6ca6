"""Finding and its status under the name that audits use; they live where checks of fits may import them too."""

from counterlog.finding import LEVEL, STATUSES, Finding, Status, jsonable, number, percent, worst

__all__ = ["LEVEL", "STATUSES", "Finding", "Status", "jsonable", "number", "percent", "worst"]
