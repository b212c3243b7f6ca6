"""Models of what is seen, followed, unseen, drifting and shared, through the public checks."""

from __future__ import annotations

import pytest

from counterlog import zoo
from counterlog.testing import SCMChecks, Sizes

SMALL = Sizes(n_users=120, n_items=70, steps=300)


class TestConfoundedContext(SCMChecks):
    scm = zoo.load("confounded_context")
    sizes = SMALL


class TestConformity(SCMChecks):
    scm = zoo.load("conformity")
    sizes = SMALL


class TestSubstituteConfounder(SCMChecks):
    scm = zoo.load("substitute_confounder")
    sizes = SMALL


class TestPreferenceDrift(SCMChecks):
    scm = zoo.load("preference_drift")
    sizes = SMALL


class TestSharedDomains(SCMChecks):
    scm = zoo.load("shared_domains")
    sizes = SMALL


@pytest.mark.parametrize(
    "name", ["confounded_context", "conformity", "substitute_confounder", "preference_drift", "shared_domains"]
)
def test_both_ways_of_reading_the_graph_agree(name: str) -> None:
    assert zoo.load(name).graph().graph["disagreements"] == []
