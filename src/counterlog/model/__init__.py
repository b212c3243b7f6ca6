"""Why it happened: programs with roles, what they see, and the graph read from them."""

from counterlog.model import mechanisms
from counterlog.model.graph import graph
from counterlog.model.load import load_model
from counterlog.model.program import SCM, Site, scm
from counterlog.model.view import Context, Opportunities, View, tiny_view

__all__ = ["SCM", "Context", "Opportunities", "Site", "View", "graph", "load_model", "mechanisms", "scm", "tiny_view"]
