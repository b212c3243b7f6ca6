"""What happened: logs with roles, vocabularies and features."""

from counterlog.logs.concentration import gini, top_share
from counterlog.logs.describe import Description, describe
from counterlog.logs.folder import load_log, save_log
from counterlog.logs.log import Features, InteractionLog
from counterlog.logs.problems import Check, Problem
from counterlog.logs.roles import OUTCOME_KINDS, Roles
from counterlog.logs.sources import check, from_frame, open_log, read_log
from counterlog.logs.vocabulary import Vocabulary

__all__ = [
    "OUTCOME_KINDS",
    "Check",
    "Description",
    "Features",
    "InteractionLog",
    "Problem",
    "Roles",
    "Vocabulary",
    "check",
    "describe",
    "from_frame",
    "gini",
    "load_log",
    "open_log",
    "read_log",
    "save_log",
    "top_share",
]
