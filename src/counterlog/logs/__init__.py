"""What happened: logs with roles, vocabularies and features."""

from counterlog.logs.log import Features, InteractionLog
from counterlog.logs.roles import OUTCOME_KINDS, Roles
from counterlog.logs.vocabulary import Vocabulary

__all__ = ["OUTCOME_KINDS", "Features", "InteractionLog", "Roles", "Vocabulary"]
