"""Models of what is seen, followed, unseen, drifting and shared, through the public checks."""

from __future__ import annotations

from counterlog import zoo
from counterlog.testing import SCMChecks, Sizes

SMALL = Sizes(n_users=150, n_items=80, steps=350)


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
