"""Can it be trusted: findings on a log, a fit and synthetic data."""

from counterlog.auditing.audit import Thresholds, audit
from counterlog.auditing.finding import Finding
from counterlog.auditing.page import is_report
from counterlog.auditing.result import Audit

__all__ = ["Audit", "Finding", "Thresholds", "audit", "is_report"]
